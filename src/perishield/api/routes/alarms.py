"""Alarms: lists, one alarm, lists as files."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from perishield.api.alarm_query import Viewer, Wanted
from perishield.api.alarm_sheet import alarm_lines
from perishield.api.outputs import AlarmOut, alarm_out
from perishield.api.pages import AlarmsOut, GroupOut
from perishield.api.problems import not_found
from perishield.api.security import Parts, audited
from perishield.api.sheets import MOST_LINES, sheet_answer
from perishield.api.times import iso
from perishield.store.alarm_list import Group, list_alarms
from perishield.store.alarms import get_alarm
from perishield.store.chain import append_audit

router = APIRouter(prefix="/alarms", tags=["alarms"])


@router.get("", summary="Alarms, newest first")
async def listed(
    parts: Parts,
    wanted: Wanted,
    grouped: Annotated[bool, Query(description="One row for each intrusion: its newest alarm that matches")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> AlarmsOut:
    async with parts.database.read() as session:
        page = await list_alarms(session, wanted, limit=limit, before=before, grouped=grouped)
    return {
        "items": [
            {**alarm_out(alarm, parts.links.sign), "intrusion": _group_out(page.groups.get(alarm.group))}
            for alarm in page.items
        ],
        "total": page.total,
        "total_exact": page.exact,
        "next": page.next,
    }


@router.get("/export", summary="Alarms as a table to take along", response_class=Response)
async def exported(
    request: Request,
    parts: Parts,
    user: Viewer,
    wanted: Wanted,
    kind_of_file: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """At most 100,000 alarms, newest first, read page by page."""
    entry = audited(request, user, "alarm.export", kind="alarm", camera=wanted.camera or "", format=kind_of_file)
    async with parts.database.write() as session:
        await append_audit(session, entry)
    return await sheet_answer(alarm_lines(parts.database, wanted, MOST_LINES), kind_of_file, "alarms")


@router.get("/{alarm}", summary="One alarm with what explains it")
async def shown(alarm: str, parts: Parts, user: Viewer, request: Request, response: Response) -> AlarmOut:
    """The header `ETag` is the revision that steps ask for in `If-Match`."""
    async with parts.database.read() as session:
        found = await get_alarm(session, alarm)
    if found is None or not user.reach.sees(found.event.camera):
        raise not_found("alarm", alarm)
    # Who opens an alarm sees its evidence.
    await parts.people.viewings.note(
        audited(request, user, "alarm.view", kind="alarm", target=alarm, camera=found.event.camera)
    )
    response.headers["etag"] = f'"{found.revision}"'
    return alarm_out(found, parts.links.sign)


def _group_out(group: Group | None) -> GroupOut | None:
    if group is None:
        return None
    return {
        "id": group.id,
        "count": group.count,
        "open": group.open,
        "first": iso(group.first),
        "last": iso(group.last),
        "level": group.level,
        "cameras": list(group.cameras),
    }

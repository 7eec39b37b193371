"""Alarms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from perishield.api.outputs import AlarmOut, alarm_out
from perishield.api.pages import AlarmsOut
from perishield.api.problems import not_found
from perishield.api.security import Parts
from perishield.api.times import Moment
from perishield.store.alarms import AlarmFilter, get_alarm, list_alarms

router = APIRouter(prefix="/alarms", tags=["alarms"])


@router.get("", summary="Alarms, newest first")
async def listed(
    parts: Parts,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    rule: Annotated[str | None, Query(max_length=63)] = None,
    level: Annotated[int | None, Query(ge=1, le=4)] = None,
    kind: Annotated[str | None, Query(max_length=32)] = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> AlarmsOut:
    wanted = AlarmFilter(camera=camera, rule=rule, level=level, kind=kind, start=start, end=end)
    async with parts.database.read() as session:
        page, total, following = await list_alarms(session, wanted, limit=limit, before=before)
    return {"items": [alarm_out(alarm, parts.links.sign) for alarm in page], "total": total, "next": following}


@router.get("/{alarm}", summary="One alarm with what explains it")
async def shown(alarm: str, parts: Parts) -> AlarmOut:
    async with parts.database.read() as session:
        found = await get_alarm(session, alarm)
    if found is None:
        raise not_found("alarm", alarm)
    return alarm_out(found, parts.links.sign)

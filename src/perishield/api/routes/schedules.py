"""Named schedules: hours that rules, tasks and channels have in common, changed in one place."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.problems import ProblemError, not_found
from perishield.api.schedule_body import (
    MOST_SCHEDULES,
    NamedScheduleBody,
    NamedScheduleOut,
    NamedSchedulesOut,
    in_use,
    schedule_out,
    too_many,
)
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.model.schedule import NamedSchedule
from perishield.store.chain import append_audit
from perishield.store.schedules import (
    Use,
    add_schedule,
    count_schedules,
    delete_schedule,
    get_schedule,
    list_schedules,
    update_schedule,
    uses_of,
)

router = APIRouter(prefix="/schedules", tags=["schedules"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
# A schedule is the site's: whoever changes one changes rules of any camera, and when channels tell of them.
Changing = Annotated[Identity, Depends(may(Action.RULES_EDIT, everywhere=True))]


@router.get("", summary="Schedules that rules, tasks and channels may name, a page at a time")
async def listed(
    parts: Parts,
    user: Looking,
    q: Annotated[str, Query(max_length=64, description="A part of the name or id")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> NamedSchedulesOut:
    async with parts.database.read() as session:
        found, total = await list_schedules(session, search=q.strip(), limit=limit, offset=offset)
        uses = _within(await uses_of(session, [one.id for one in found]), user)
    return {"items": [schedule_out(one, uses) for one in found], "total": total}


@router.post("", status_code=201, summary="Set down a schedule")
async def added(
    body: NamedScheduleBody, parts: Parts, user: Changing, request: Request, response: Response
) -> NamedScheduleOut:
    schedule = body.named(body.id or uuid4().hex[:12])
    async with parts.database.write() as session:
        if await get_schedule(session, schedule.id) is not None:
            raise ProblemError(
                409, f"schedule {schedule.id!r}: there is one already; choose another id", field="id", why="id_taken"
            )
        if await count_schedules(session) >= MOST_SCHEDULES:
            raise too_many()
        schedule = await add_schedule(session, schedule)
        await append_audit(session, _entry(request, user, "schedule.add", schedule))
    response.headers["etag"] = tag(schedule.revision)
    return schedule_out(schedule, ())


@router.get("/{schedule}", summary="One schedule")
async def shown(schedule: str, parts: Parts, user: Looking, response: Response) -> NamedScheduleOut:
    async with parts.database.read() as session:
        found = await _found(session, schedule)
        uses = _within(await uses_of(session, (found.id,)), user)
    response.headers["etag"] = tag(found.revision)
    return schedule_out(found, uses)


@router.put("/{schedule}", summary="Change a schedule, and when all that name it watch; takes effect at once")
async def changed(
    schedule: str,
    body: NamedScheduleBody,
    parts: Parts,
    user: Changing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> NamedScheduleOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile. Tracks go on; revisions of rules stay."""
    revision = expected(if_match, body.revision)
    wanted = body.named(schedule[:63])
    async with parts.database.write() as session:
        before = await _found(session, schedule)
        found = await update_schedule(session, wanted, revision)
        if found is None:
            raise stale("schedule", schedule, before.revision)
        uses = await uses_of(session, (found.id,))
        await append_audit(session, _entry(request, user, "schedule.change", found))
    # Channels read their hours with each alarm.
    if any(use.kind != "channel" for use in uses):
        await parts.site.publish()
    response.headers["etag"] = tag(found.revision)
    return schedule_out(found, uses)


@router.delete("/{schedule}", status_code=204, summary="Delete a schedule that nothing names")
async def removed(schedule: str, parts: Parts, user: Changing, request: Request, if_match: IfMatch = None) -> None:
    """409 `in_use` while a rule, task or channel goes by it; `params` has their ids."""
    revision = expected(if_match)
    try:
        async with parts.database.write() as session:
            before = await _found(session, schedule)
            if revision not in (None, before.revision):
                raise stale("schedule", schedule, before.revision)
            uses = await uses_of(session, (before.id,))
            if uses:
                raise in_use(before, uses)
            await delete_schedule(session, before.id)
            await append_audit(session, _entry(request, user, "schedule.remove", before))
    except IntegrityError as error:
        raise ProblemError(409, "something was given this schedule this very moment", code="in_use") from error


async def _found(session: AsyncSession, schedule: str) -> NamedSchedule:
    found = await get_schedule(session, schedule[:63])
    if found is None:
        raise not_found("schedule", schedule[:63])
    return found


def _within(uses: list[Use], user: Identity) -> list[Use]:
    """What lies at cameras within reach; channels for those who may change all of them, or schedules."""
    reach = user.reach
    telling = None in (reach.cameras_for(Action.CHANNELS_EDIT), reach.cameras_for(Action.RULES_EDIT))
    return [use for use in uses if (telling if use.kind == "channel" else reach.sees(use.camera))]


def _entry(request: Request, user: Identity, action: str, schedule: NamedSchedule) -> AuditEntry:
    return audited(request, user, action, kind="schedule", target=schedule.id, name=schedule.name)

"""Holds on alarms: what no retention deletes until they are lifted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from perishield.api.evidence_out import AlarmHoldOut, AlarmHoldsOut, alarm_hold_out, held_alarm_out
from perishield.api.problems import not_found
from perishield.api.routes.evidence import visible_alarm
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.store.alarm_retention import lock_alarm
from perishield.store.alarms import alarms_by_id
from perishield.store.chain import append_alarm_record, append_audit
from perishield.store.evidence import get_alarm_hold, hold_alarm, list_alarm_holds, release_alarm

router = APIRouter(tags=["evidence"])

Viewer = Annotated[Identity, Depends(may(Action.ALARMS_VIEW))]
Holder = Annotated[Identity, Depends(may(Action.RECORDINGS_HOLD))]


class AlarmHoldBody(BaseModel):
    """Why nobody may delete it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Break-in, police file 4711"}]}
    )

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


@router.get("/evidence/holds", summary="Alarms that are held, those held last first")
async def listed(parts: Parts, user: Viewer, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> AlarmHoldsOut:
    async with parts.database.read() as session:
        holds, total = await list_alarm_holds(session, limit, user.reach.cameras)
        known = await alarms_by_id(session, [hold.alarm for hold in holds])
    return {"items": [held_alarm_out(hold, known.get(hold.alarm)) for hold in holds], "total": total}


@router.get("/alarms/{alarm}/hold", summary="Who holds an alarm, and why")
async def shown(alarm: str, parts: Parts, user: Viewer) -> AlarmHoldOut:
    await visible_alarm(parts, user, alarm)
    async with parts.database.read() as session:
        hold = await get_alarm_hold(session, alarm)
    if hold is None:
        raise not_found("hold", alarm)
    return alarm_hold_out(hold)


@router.put("/alarms/{alarm}/hold", summary="Hold an alarm with its evidence and records")
async def held(alarm: str, body: AlarmHoldBody, parts: Parts, request: Request, user: Holder) -> AlarmHoldOut:
    """Until it is lifted, no retention touches them. The footage around it is held by `/api/holds`."""
    found = await visible_alarm(parts, user, alarm)
    camera = found.event.camera
    async with parts.database.write() as session:
        if not await lock_alarm(session, alarm):
            raise not_found("alarm", alarm)
        hold = await hold_alarm(session, alarm, user.username, body.reason)
        await append_alarm_record(session, alarm, "hold", {"by": user.id, "name": user.username, "reason": body.reason})
        await append_audit(
            session,
            audited(request, user, "alarm.hold", kind="alarm", target=alarm, camera=camera, reason=body.reason),
        )
    return alarm_hold_out(hold)


@router.delete("/alarms/{alarm}/hold", status_code=204, summary="Lift the hold; retention then deletes what is too old")
async def lifted(alarm: str, parts: Parts, request: Request, user: Holder) -> Response:
    found = await visible_alarm(parts, user, alarm)
    async with parts.database.write() as session:
        if not await release_alarm(session, alarm):
            raise not_found("hold", alarm)
        await append_alarm_record(session, alarm, "release", {"by": user.id, "name": user.username})
        await append_audit(
            session, audited(request, user, "alarm.release", kind="alarm", target=alarm, camera=found.event.camera)
        )
    return Response(status_code=204)

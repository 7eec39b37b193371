"""Holds: footage that no retention deletes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.ledger_out import HoldOut, HoldsOut, hold_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.times import Moment, iso
from perishield.log import Log
from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.model.footage import Hold
from perishield.store.cameras import get_camera
from perishield.store.chain import append_audit
from perishield.store.coverage import first_footage
from perishield.store.holds import add_hold, change_hold, get_hold, lift_hold, list_holds

log = Log("holds")

router = APIRouter(prefix="/holds", tags=["holds"])

Looking = Annotated[Identity, Depends(may(Action.RECORDINGS_VIEW))]
Holding = Annotated[Identity, Depends(may(Action.RECORDINGS_HOLD))]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class HoldBody(BaseModel):
    """Footage of a camera in [from, to), and why nobody may delete it. `to` may lie in the future."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "camera": "gate",
                    "from": "2026-11-22T17:30:00Z",
                    "to": "2026-11-22T18:00:00Z",
                    "reason": "Break-in, police file 4711",
                }
            ]
        }
    )

    camera: Annotated[str, StringConstraints(max_length=63)]
    start: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    reason: Why


@router.get("", summary="All holds, or those that touch a time")
async def listed(
    parts: Parts,
    user: Looking,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
) -> HoldsOut:
    async with parts.database.read() as session:
        holds = [hold for hold in await list_holds(session, camera, start, end) if user.reach.sees(hold.camera)]
    return {"items": [hold_out(hold) for hold in holds], "total": len(holds)}


@router.get("/{hold}", summary="One hold")
async def shown(hold: str, parts: Parts, user: Looking) -> HoldOut:
    async with parts.database.read() as session:
        found = await get_hold(session, hold)
    if found is None or not user.reach.sees(found.camera):
        raise not_found("hold", hold)
    return hold_out(found)


@router.post("", status_code=201, summary="Hold footage")
async def added(body: HoldBody, parts: Parts, user: Holding, request: Request) -> HoldOut:
    """What of it is only in the temporary pool is moved to the recordings while it is still there."""
    async with parts.database.write() as session:
        await _check(session, body, user)
        hold = await add_hold(session, body.camera, body.start, body.until, body.reason, user.username)
        await append_audit(session, _entry(request, user, "hold.place", hold))
    await parts.holds.publish()
    parts.keeper.look_again()
    log.info("hold.placed", id=hold.id, camera=hold.camera, who=hold.who, reason=hold.reason)
    return hold_out(hold)


@router.put("/{hold}", summary="Change a hold's time or reason")
async def changed(hold: str, body: HoldBody, parts: Parts, user: Holding, request: Request) -> HoldOut:
    async with parts.database.write() as session:
        before = await get_hold(session, hold)
        if before is None or not user.reach.sees(before.camera):
            raise not_found("hold", hold)
        if body.camera != before.camera:
            raise ProblemError(422, "camera: a hold stays with its camera; place another one", field="camera")
        await _check(session, body, user)
        found = await change_hold(session, hold, body.start, body.until, body.reason)
        if found is None:
            raise not_found("hold", hold)
        await append_audit(session, _entry(request, user, "hold.change", found))
    await parts.holds.publish()
    parts.keeper.look_again()
    log.info("hold.changed", id=hold, camera=found.camera, who=user.username)
    return hold_out(found)


@router.delete("/{hold}", status_code=204, summary="Lift a hold; retention then deletes what is too old")
async def lifted(hold: str, parts: Parts, user: Holding, request: Request) -> None:
    async with parts.database.write() as session:
        before = await get_hold(session, hold)
        if before is None or not user.reach.sees(before.camera) or not await lift_hold(session, hold):
            raise not_found("hold", hold)
        await append_audit(session, _entry(request, user, "hold.lift", before))
    await parts.holds.publish()
    log.info("hold.lifted", id=hold, who=user.username)


def _entry(request: Request, user: Identity, action: str, hold: Hold) -> AuditEntry:
    span = {"from": iso(hold.start), "to": iso(hold.until)}
    return audited(request, user, action, kind="hold", target=hold.id, camera=hold.camera, reason=hold.reason, **span)


async def _check(session: AsyncSession, body: HoldBody, user: Identity) -> None:
    if body.start >= body.until:
        raise ProblemError(422, "to: lies not after from", field="to", why="not_after")
    known = user.reach.sees(body.camera)
    if not known or (
        await get_camera(session, body.camera) is None and await first_footage(session, body.camera) is None
    ):
        raise ProblemError(
            422,
            f"camera: there is no camera {body.camera!r}, and no footage of one",
            field="camera",
            why="no_camera",
            name=body.camera,
        )

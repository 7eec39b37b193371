"""Holds: footage that no retention deletes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.ledger_out import HoldOut, HoldsOut, hold_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, require_admin
from perishield.api.times import Moment
from perishield.log import Log
from perishield.store.cameras import get_camera
from perishield.store.coverage import first_footage
from perishield.store.holds import add_hold, change_hold, get_hold, lift_hold, list_holds

log = Log("holds")

router = APIRouter(prefix="/holds", tags=["holds"])

Admin = Annotated[Identity, Depends(require_admin)]
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
    camera: str | None = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
) -> HoldsOut:
    async with parts.database.read() as session:
        holds = await list_holds(session, camera, start, end)
    return {"items": [hold_out(hold) for hold in holds], "total": len(holds)}


@router.get("/{hold}", summary="One hold")
async def shown(hold: str, parts: Parts) -> HoldOut:
    async with parts.database.read() as session:
        found = await get_hold(session, hold)
    if found is None:
        raise not_found("hold", hold)
    return hold_out(found)


@router.post("", status_code=201, summary="Hold footage")
async def added(body: HoldBody, parts: Parts, admin: Admin) -> HoldOut:
    """What of it is only in the temporary pool is moved to the recordings while it is still there."""
    async with parts.database.write() as session:
        await _check(session, body)
        hold = await add_hold(session, body.camera, body.start, body.until, body.reason, admin.username)
    await parts.holds.publish()
    parts.keeper.look_again()
    log.info("hold.placed", id=hold.id, camera=hold.camera, who=hold.who, reason=hold.reason)
    return hold_out(hold)


@router.put("/{hold}", summary="Change a hold's time or reason")
async def changed(hold: str, body: HoldBody, parts: Parts, admin: Admin) -> HoldOut:
    async with parts.database.write() as session:
        before = await get_hold(session, hold)
        if before is None:
            raise not_found("hold", hold)
        if body.camera != before.camera:
            raise ProblemError(422, "camera: a hold stays with its camera; place another one", field="camera")
        await _check(session, body)
        found = await change_hold(session, hold, body.start, body.until, body.reason)
        if found is None:
            raise not_found("hold", hold)
    await parts.holds.publish()
    parts.keeper.look_again()
    log.info("hold.changed", id=hold, camera=found.camera, who=admin.username)
    return hold_out(found)


@router.delete("/{hold}", status_code=204, summary="Lift a hold; retention then deletes what is too old")
async def lifted(hold: str, parts: Parts, admin: Admin) -> None:
    async with parts.database.write() as session:
        if not await lift_hold(session, hold):
            raise not_found("hold", hold)
    await parts.holds.publish()
    log.info("hold.lifted", id=hold, who=admin.username)


async def _check(session: AsyncSession, body: HoldBody) -> None:
    if body.start >= body.until:
        raise ProblemError(422, "to: lies not after from", field="to")
    if await get_camera(session, body.camera) is None and await first_footage(session, body.camera) is None:
        raise ProblemError(422, f"camera: there is no camera {body.camera!r}, and no footage of one", field="camera")

"""The footage ledger: every second of every camera, footage or the reason why there is none."""

from __future__ import annotations

import math
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from perishield.api.ledger_out import LedgerOut, LedgersOut, ledger_out, ledgers_out, sum_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, may
from perishield.api.times import Moment
from perishield.model.access import Action
from perishield.store.cameras import list_cameras
from perishield.store.coverage import first_footage
from perishield.store.holds import list_holds

router = APIRouter(prefix="/video/ledger", tags=["video"])

LONGEST_S = 400 * 86_400.0

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
From = Annotated[Moment, Query(alias="from")]
To = Annotated[Moment, Query(alias="to")]


@router.get("", summary="What was recorded of every camera, in sums")
async def summary(parts: Parts, user: Looking, start: From, end: To) -> LedgersOut:
    """Seconds by state and the share of what should have been recorded that was. `to` is at most now."""
    first, last = _bounds(start, end)
    async with parts.database.read() as session:
        cameras = [camera.id for camera in await list_cameras(session) if user.reach.sees(camera.id)]
    found = await parts.ledger.summary(cameras, first, last)
    return ledgers_out(first, last, [sum_out(camera, spans) for camera, spans in found.items()])


@router.get("/{camera}", summary="Every second of one camera: footage, or why there is none")
async def ledger(camera: str, parts: Parts, _user: Looking, start: From, end: To) -> LedgerOut:
    """Spans of whole seconds cover the time asked for without hole or overlap. A camera that was removed has one too,
    as long as there is footage of it."""
    first, last = _bounds(start, end)
    async with parts.database.read() as session:
        known = any(one.id == camera for one in await list_cameras(session))
        if not known and await first_footage(session, camera) is None:
            raise not_found("camera", camera)
        holds = await list_holds(session, camera, first, last)
    return ledger_out(camera, first, last, await parts.ledger.spans(camera, first, last), holds)


def _bounds(start: float, end: float) -> tuple[float, float]:
    """Whole seconds around what was asked for, up to now."""
    first, last = float(math.floor(start)), float(min(math.ceil(end), math.floor(time.time())))
    if end <= start:
        raise ProblemError(422, "to: lies not after from", field="to", why="not_after")
    if end - start > LONGEST_S:
        raise ProblemError(422, "to: a ledger spans at most 400 days", field="to", why="span_too_long", days=400)
    if first >= last:
        raise ProblemError(422, "from: lies in the future, of which nothing is known", field="from", why="in_future")
    return first, last

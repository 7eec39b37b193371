"""Storage beyond the recorder's own disk: its targets, what waits for them, and where each segment lies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from perishield.api.problems import not_found
from perishield.api.security import Identity, Parts, may
from perishield.api.storage_out import CopiesOut, StorageOut, copy_out, storage_out
from perishield.model.access import Action
from perishield.model.storage import LOCAL, CopyState
from perishield.store.copies import copy_totals, list_copies

router = APIRouter(prefix="/storage", tags=["storage"])
Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW, everywhere=True))]


@router.get("", summary="Targets with their state and room, what waits for each, and the rules of moving")
async def storage(parts: Parts, _user: Looking) -> StorageOut:
    async with parts.database.read() as session:
        totals = await copy_totals(session)
    return storage_out(parts.storage, totals)


@router.get("/copies", summary="Copies of segments, newest footage first")
async def copies(
    parts: Parts,
    user: Looking,
    target: str = "",
    state: CopyState | None = None,
    segment: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> CopiesOut:
    """`url` plays the segment from wherever it lies, through this node; empty for who may not see recordings."""
    if target and target != LOCAL and target not in {spec.name for spec in parts.storage.plan.targets}:
        raise not_found("storage", target)
    async with parts.database.read() as session:
        found, total = await list_copies(
            session, target=target, state=state or "", segment=segment, limit=limit, offset=offset
        )
    playing = user.reach.cameras_for(Action.RECORDINGS_VIEW) is None

    def link(segment: str, state: CopyState) -> str:
        return parts.links.sign(f"/media/{segment}") if playing and state is CopyState.KEPT else ""

    items = [copy_out(copy, link(copy.segment, copy.state)) for copy in found]
    return {"items": items, "total": total}

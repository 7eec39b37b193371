"""Finished ways of objects, listed newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.geometry import Box
from perishield.model.trajectory import Trajectory
from perishield.store.path_bytes import packed, unpacked
from perishield.store.tables_tracks import TrackTable


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFilter:
    """What to list: ways that touch [start, end) in time and whose bounds touch `region` (shares of the picture)."""

    camera: str | None = None
    label: str | None = None
    start: float | None = None
    end: float | None = None
    region: Box | None = None
    within: frozenset[str] | None = None
    """Cameras beyond which nothing is found; None: all."""


@dataclass(frozen=True, slots=True)
class StoredTrack:
    id: int
    trajectory: Trajectory


async def add_tracks(session: AsyncSession, trajectories: Sequence[Trajectory]) -> None:
    rows = []
    for one in trajectories:
        left, top, right, bottom = one.bounds()
        rows.append(
            {
                "camera": one.camera,
                "epoch": one.epoch,
                "track": one.track,
                "label": one.label,
                "score": one.score,
                "hits": one.hits,
                "start": one.start,
                "until": one.end,
                "left": left,
                "top": top,
                "right": right,
                "bottom": bottom,
                "path": packed(one.path),
            }
        )
    if rows:
        await session.execute(insert(TrackTable), rows)


async def list_tracks(
    session: AsyncSession, wanted: TrackFilter, *, limit: int, before: int | None = None
) -> tuple[list[StoredTrack], int | None]:
    """A page of ways, those stored last first, and the `before` of the next page."""
    query = select(TrackTable).order_by(TrackTable.id.desc()).limit(limit + 1)
    if wanted.camera is not None:
        query = query.where(TrackTable.camera == wanted.camera)
    if wanted.within is not None:
        query = query.where(TrackTable.camera.in_(wanted.within))
    if wanted.label is not None:
        query = query.where(TrackTable.label == wanted.label)
    if wanted.start is not None:
        query = query.where(TrackTable.until >= wanted.start)
    if wanted.end is not None:
        query = query.where(TrackTable.start < wanted.end)
    if wanted.region is not None:
        left, top, right, bottom = wanted.region
        query = query.where(
            TrackTable.left <= right, TrackTable.right >= left, TrackTable.top <= bottom, TrackTable.bottom >= top
        )
    if before is not None:
        query = query.where(TrackTable.id < before)
    rows = list(await session.scalars(query))
    page = [StoredTrack(row.id, _trajectory(row)) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit and page else None


async def remove_tracks_before(session: AsyncSession, wall: float) -> None:
    """Forget ways that ended before that moment (Unix seconds)."""
    await session.execute(delete(TrackTable).where(TrackTable.until < wall))


def _trajectory(row: TrackTable) -> Trajectory:
    path = unpacked(row.path)
    _, x, y = path[-1] if path else (0.0, 0.0, 0.0)
    return Trajectory(
        camera=row.camera,
        epoch=row.epoch,
        track=row.track,
        label=row.label,
        score=row.score,
        hits=row.hits,
        start=row.start,
        end=row.until,
        path=path,
        box=(x, y, x, y),
    )

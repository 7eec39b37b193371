"""What the footage of each hour amounts to, so that a month of a hundred cameras is summed up in seconds.

A month of ten-second segments of a hundred cameras is 26 million rows. Merged by hour they are some 70 thousand short
ones; an hour is merged when somebody asks for it, and again after one of its segments was added or forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.tables import CoverageTable, SegmentTable
from perishield.store.upsert import insert_into

HOUR_S = 3600
_AT_ONCE = 400

Mark = tuple[float, float, int, int, str]
"""A segment's start, duration, epoch, stream time and pool."""


def hour_of(wall: float) -> int:
    return int(wall // HOUR_S)


async def coverage_between(
    session: AsyncSession, first: int, last: int, camera: str | None = None
) -> dict[str, dict[int, bytes]]:
    """What is known of hours first to last, both included, by camera and hour."""
    query = select(CoverageTable.camera, CoverageTable.hour, CoverageTable.spans).where(
        CoverageTable.hour >= first, CoverageTable.hour <= last
    )
    if camera is not None:
        query = query.where(CoverageTable.camera == camera)
    found: dict[str, dict[int, bytes]] = {}
    for name, hour, spans in await session.execute(query):
        found.setdefault(name, {})[hour] = spans
    return found


async def save_coverage(session: AsyncSession, camera: str, hours: dict[int, bytes]) -> None:
    if hours:
        statement = insert_into(session, CoverageTable)
        renewed = statement.on_conflict_do_update(
            index_elements=["camera", "hour"], set_={"spans": statement.excluded.spans}
        )
        await session.execute(
            renewed, [{"camera": camera, "hour": hour, "spans": spans} for hour, spans in hours.items()]
        )


async def outdate(session: AsyncSession, segments: Iterable[tuple[str, float]]) -> None:
    """(camera, start) of segments that came or went: their hours are to be merged anew."""
    hours = sorted({(camera, hour_of(start)) for camera, start in segments})
    key = tuple_(CoverageTable.camera, CoverageTable.hour)
    for first in range(0, len(hours), _AT_ONCE):
        await session.execute(delete(CoverageTable).where(key.in_(hours[first : first + _AT_ONCE])))


async def marks(session: AsyncSession, camera: str, first: int, last: int) -> list[Mark]:
    """Of the segments that begin in hours first to last, both included, by their start."""
    columns = (
        SegmentTable.start,
        SegmentTable.duration,
        SegmentTable.epoch,
        SegmentTable.stream_time,
        SegmentTable.pool,
    )
    query = (
        select(*columns)
        .where(
            SegmentTable.camera == camera,
            SegmentTable.start >= first * HOUR_S,
            SegmentTable.start < (last + 1) * HOUR_S,
        )
        .order_by(SegmentTable.start)
    )
    return [(start, duration, epoch, time, pool) for start, duration, epoch, time, pool in await session.execute(query)]


async def first_footage(session: AsyncSession, camera: str) -> float | None:
    """When the oldest segment of that camera begins."""
    return await session.scalar(select(func.min(SegmentTable.start)).where(SegmentTable.camera == camera))

"""The index of segment files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState
from perishield.store.coverage import outdate
from perishield.store.tables import SegmentCopyTable, SegmentTable
from perishield.store.upsert import insert_into

_COLUMNS = [field.name for field in fields(SegmentRow)]
_AT_ONCE = 500
_LONGEST_S = 3600.0
DAY_S = 86_400

_keyframes = msgspec.json.Decoder(tuple[tuple[int, int], ...])


async def save_segments(session: AsyncSession, segments: Sequence[SegmentRow]) -> None:
    """Add rows, or renew those of the same file."""
    for first in range(0, len(segments), _AT_ONCE):
        values = [_values(segment) for segment in segments[first : first + _AT_ONCE]]
        statement = insert_into(session, SegmentTable)
        renewed = {name: statement.excluded[name] for name in _COLUMNS if name != "path"}
        await session.execute(statement.on_conflict_do_update(index_elements=["path"], set_=renewed), values)
    await outdate(session, ((segment.camera, segment.start) for segment in segments))


async def forget_segments(session: AsyncSession, paths: Iterable[str]) -> int:
    """Drop segments whose file is gone; those of which a storage target keeps a copy stay. Returns how many went."""
    listed = list(paths)
    copied = exists().where(
        SegmentCopyTable.segment == SegmentTable.path, SegmentCopyTable.state == CopyState.KEPT.value
    )
    count = 0
    for first in range(0, len(listed), _AT_ONCE):
        chosen = SegmentTable.path.in_(listed[first : first + _AT_ONCE])
        gone = await session.execute(
            delete(SegmentTable)
            .where(chosen, ~copied)
            .returning(SegmentTable.camera, SegmentTable.start)
            .execution_options(synchronize_session=False)
        )
        places = [(camera, start) for camera, start in gone]
        await outdate(session, places)
        count += len(places)
    return count


async def indexed_cameras(session: AsyncSession) -> list[str]:
    """Every camera of which there is footage, smaller streams included; by leaps over the index, not by reading it."""
    found: list[str] = []
    query = select(func.min(SegmentTable.camera))
    camera = await session.scalar(query)
    while camera is not None:
        found.append(camera)
        camera = await session.scalar(query.where(SegmentTable.camera > camera))
    return found


async def indexed_days(session: AsyncSession, camera: str) -> list[int]:
    """Days since 1970 (UTC) on which segments of that camera begin."""
    found: list[int] = []
    query = select(func.min(SegmentTable.start)).where(SegmentTable.camera == camera)
    start = await session.scalar(query)
    while start is not None:
        found.append(int(start // DAY_S))
        start = await session.scalar(query.where(SegmentTable.start >= (found[-1] + 1) * DAY_S))
    return found


async def paths_of_day(session: AsyncSession, camera: str, day: int) -> set[str]:
    """Paths of the segments of that camera that begin on that day since 1970 (UTC)."""
    query = select(SegmentTable.path).where(
        SegmentTable.camera == camera, SegmentTable.start >= day * DAY_S, SegmentTable.start < (day + 1) * DAY_S
    )
    return set(await session.scalars(query))


async def list_segments(
    session: AsyncSession, camera: str, start: float | None, end: float | None, limit: int
) -> tuple[list[SegmentRow], int]:
    """Segments that touch [start, end), oldest first, and how many there are. Without `start`, the newest `limit`."""
    within: list[ColumnElement[bool]] = [SegmentTable.camera == camera]
    if start is not None:
        within.append(SegmentTable.start + SegmentTable.duration > start)
        # Bounded from below, so that the index narrows it: no segment is longer than this.
        within.append(SegmentTable.start > start - _LONGEST_S)
    if end is not None:
        within.append(SegmentTable.start < end)
    total = await session.scalar(select(func.count()).select_from(SegmentTable).where(*within)) or 0
    order = SegmentTable.start if start is not None else SegmentTable.start.desc()
    query = select(SegmentTable).where(*within).order_by(order).limit(limit)
    rows = [segment_of(row) for row in await session.scalars(query)]
    return (rows if start is not None else rows[::-1]), total


async def segments_between(
    session: AsyncSession,
    camera: str,
    start: float,
    end: float,
    *,
    after: float | None = None,
    limit: int | None = None,
    keyframes: bool = False,
) -> list[SegmentRow]:
    """Segments that touch [start, end), oldest first; with `after`, those that begin later than that.

    `keyframes` stay empty unless asked for: a day of a camera has many. By columns, since a day is many rows, too.
    """
    names = [name for name in _COLUMNS if keyframes or name != "keyframes"]
    query = (
        select(*(getattr(SegmentTable, name) for name in names))
        .where(
            SegmentTable.camera == camera,
            SegmentTable.start > (start - _LONGEST_S if after is None else after),
            SegmentTable.start < end,
            SegmentTable.start + SegmentTable.duration > start,
        )
        .order_by(SegmentTable.start)
        .limit(limit)
    )
    found = []
    for values in await session.execute(query):
        row: dict[str, Any] = dict(zip(names, values, strict=True))
        row["keyframes"] = _keyframes.decode(row["keyframes"]) if keyframes else ()
        found.append(SegmentRow(**row))
    return found


async def newest_segment(session: AsyncSession, camera: str) -> SegmentRow | None:
    query = select(SegmentTable).where(SegmentTable.camera == camera).order_by(SegmentTable.start.desc()).limit(1)
    row = await session.scalar(query)
    return segment_of(row) if row else None


async def has_segment(session: AsyncSession, path: str) -> bool:
    return await session.get(SegmentTable, path) is not None


def _values(segment: SegmentRow) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(segment, name) for name in _COLUMNS}
    values["keyframes"] = msgspec.json.encode(segment.keyframes)
    return values


def segment_of(row: SegmentTable) -> SegmentRow:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["keyframes"] = msgspec.json.decode(row.keyframes, type=tuple[tuple[int, int], ...])
    return SegmentRow(**values)

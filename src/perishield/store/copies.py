"""Copies of segments at storage targets, and what the retention of their tiers deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from sqlalchemy import ColumnElement, and_, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState, SegmentCopy
from perishield.store.coverage import outdate
from perishield.store.segments import segment_of
from perishield.store.tables import HoldTable, RemovedFootageTable, SegmentCopyTable, SegmentTable
from perishield.store.upsert import insert_into

_FIELDS = [field.name for field in fields(SegmentCopy)]
_AT_ONCE = 500
_ADJOINING_S = 2.0

Cursor = tuple[str, float, str]
"""(camera, start, path) of the last segment of a page."""
FIRST: Cursor = ("", float("-inf"), "")


@dataclass(frozen=True, slots=True)
class RemovedSpan:
    """[start, until) of a camera's footage, in Unix seconds; `detail` names the target that held it last."""

    start: float
    until: float
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class CopyTotal:
    target: str
    state: CopyState
    count: int
    size: int


async def add_copies(session: AsyncSession, copies: Iterable[SegmentCopy]) -> None:
    """Add what is not there yet; a copy that is known stays as it is."""
    values = [asdict(copy) for copy in copies]
    for first in range(0, len(values), _AT_ONCE):
        await session.execute(
            insert_into(session, SegmentCopyTable).on_conflict_do_nothing(), values[first : first + _AT_ONCE]
        )


async def save_copy(session: AsyncSession, copy: SegmentCopy) -> None:
    statement = insert_into(session, SegmentCopyTable).values(**asdict(copy))
    renewed = {name: statement.excluded[name] for name in _FIELDS if name not in ("segment", "target")}
    await session.execute(statement.on_conflict_do_update(index_elements=["segment", "target"], set_=renewed))


async def forget_copies(session: AsyncSession, segment: str, targets: Collection[str] | None = None) -> None:
    """Drop the rows of a segment; all of them where no targets are named."""
    which = [SegmentCopyTable.segment == segment]
    if targets is not None:
        which.append(SegmentCopyTable.target.in_(targets))
    await session.execute(delete(SegmentCopyTable).where(*which))


async def copies_of(session: AsyncSession, segments: Sequence[str]) -> dict[str, list[SegmentCopy]]:
    """What is known of each of these segments; one without copies is left out."""
    found: dict[str, list[SegmentCopy]] = {}
    for first in range(0, len(segments), _AT_ONCE):
        query = select(SegmentCopyTable).where(SegmentCopyTable.segment.in_(segments[first : first + _AT_ONCE]))
        for row in await session.scalars(query):
            found.setdefault(row.segment, []).append(_copy(row))
    return found


async def begin_anew(session: AsyncSession) -> int:
    """What an earlier run was copying waits again; returns how many."""
    statement = (
        update(SegmentCopyTable)
        .where(SegmentCopyTable.state == CopyState.COPYING)
        .values(state=CopyState.WAITING.value, due=0.0)
        .returning(SegmentCopyTable.segment)
    )
    return len((await session.scalars(statement)).all())


async def next_copies(session: AsyncSession, target: str, now: float, limit: int) -> list[SegmentCopy]:
    """What may be copied to that target now, what waits longest first."""
    query = (
        select(SegmentCopyTable)
        .where(
            SegmentCopyTable.target == target,
            SegmentCopyTable.state.in_([CopyState.WAITING.value, CopyState.FAILED.value]),
            SegmentCopyTable.due <= now,
        )
        .order_by(SegmentCopyTable.due, SegmentCopyTable.recorded)
        .limit(limit)
    )
    return [_copy(row) for row in await session.scalars(query)]


async def list_copies(
    session: AsyncSession,
    *,
    target: str = "",
    state: str = "",
    segment: str = "",
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[SegmentCopy], int]:
    """Copies, newest footage first, and how many there are."""
    which: list[ColumnElement[bool]] = []
    if target:
        which.append(SegmentCopyTable.target == target)
    if state:
        which.append(SegmentCopyTable.state == state)
    if segment:
        which.append(SegmentCopyTable.segment == segment)
    total = await session.scalar(select(func.count()).select_from(SegmentCopyTable).where(*which)) or 0
    query = select(SegmentCopyTable).where(*which).order_by(SegmentCopyTable.recorded.desc()).limit(limit)
    return [_copy(row) for row in await session.scalars(query.offset(offset))], total


async def copy_totals(session: AsyncSession) -> list[CopyTotal]:
    """How many copies each target has in each state, and their bytes."""
    query = select(
        SegmentCopyTable.target,
        SegmentCopyTable.state,
        func.count(),
        func.coalesce(func.sum(SegmentCopyTable.size), 0),
    ).group_by(SegmentCopyTable.target, SegmentCopyTable.state)
    return [
        CopyTotal(target, CopyState(state), count, size) for target, state, count, size in await session.execute(query)
    ]


async def recorded_segments(session: AsyncSession, after: Cursor, limit: int) -> list[SegmentRow]:
    """Closed segments of recordings in the order of (camera, start, path), a page behind `after`."""
    place = tuple_(SegmentTable.camera, SegmentTable.start, SegmentTable.path)
    query = (
        select(SegmentTable)
        .where(and_(place > after, SegmentTable.pool == "recordings"))
        .order_by(SegmentTable.camera, SegmentTable.start, SegmentTable.path)
        .limit(limit)
    )
    return [segment_of(row) for row in await session.scalars(query)]


async def find_segment(session: AsyncSession, path: str) -> SegmentRow | None:
    row = await session.get(SegmentTable, path)
    return segment_of(row) if row else None


async def drop_segment(session: AsyncSession, path: str) -> None:
    """Forget a segment of which no copy is left anywhere."""
    gone = await session.execute(
        delete(SegmentTable).where(SegmentTable.path == path).returning(SegmentTable.camera, SegmentTable.start)
    )
    await outdate(session, [(camera, start) for camera, start in gone])


async def prune_lost(session: AsyncSession, before: float) -> None:
    """Forget copies that never came to be, some time after they were noted."""
    old = and_(SegmentCopyTable.state == CopyState.LOST.value, SegmentCopyTable.changed < before)
    await session.execute(delete(SegmentCopyTable).where(old))


async def is_held(session: AsyncSession, camera: str, start: float, until: float) -> bool:
    """Whether a hold exempts some of [start, until) from deletion."""
    query = select(HoldTable.id).where(HoldTable.camera == camera, HoldTable.start < until, HoldTable.until > start)
    return await session.scalar(query.limit(1)) is not None


async def book_removed(session: AsyncSession, row: SegmentRow, *, reason: str, detail: str, now: float) -> None:
    """Book that this segment's footage is gone; what adjoins an earlier booking makes it longer."""
    until = row.start + row.duration
    query = (
        select(RemovedFootageTable)
        .where(
            RemovedFootageTable.camera == row.camera,
            RemovedFootageTable.reason == reason,
            RemovedFootageTable.detail == detail,
            RemovedFootageTable.start <= until + _ADJOINING_S,
            RemovedFootageTable.until >= row.start - _ADJOINING_S,
        )
        .order_by(RemovedFootageTable.start)
        .limit(1)
    )
    known = await session.scalar(query)
    if known is None:
        session.add(
            RemovedFootageTable(
                camera=row.camera, start=row.start, until=until, reason=reason, detail=detail, removed=now
            )
        )
    else:
        known.start, known.until, known.removed = min(known.start, row.start), max(known.until, until), now
    await session.flush()


async def removed_footage(session: AsyncSession, camera: str, start: float, end: float) -> list[RemovedSpan]:
    """What the retention of tiers deleted of [start, end), oldest first."""
    query = (
        select(RemovedFootageTable)
        .where(RemovedFootageTable.camera == camera, RemovedFootageTable.start < end, RemovedFootageTable.until > start)
        .order_by(RemovedFootageTable.start)
    )
    return [RemovedSpan(row.start, row.until, row.reason, row.detail) for row in await session.scalars(query)]


def _copy(row: SegmentCopyTable) -> SegmentCopy:
    values = {name: getattr(row, name) for name in _FIELDS}
    return SegmentCopy(**{**values, "state": CopyState(row.state)})

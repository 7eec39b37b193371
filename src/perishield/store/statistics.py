"""Alarms added up in the database: whole days from sums that are kept (`alarm_sums`), what is left over row by row.

The rows' share is two days at most, and is read from the index `ix_alarms_sheet` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.statistics import ANSWER_STEPS_S, BUCKET_S, AlarmCount, AlarmSums
from perishield.store.alarm_sums import FIGURES, KEYS, blocks_of, row_figures, whole_seconds
from perishield.store.planner_hints import hidden, is_sqlite
from perishield.store.tables import AlarmTable
from perishield.store.tables_sums import AlarmHourTable, AlarmSumTable

_DAY_S = 86_400
_HOUR_S = 3600

Where = list[ColumnElement[bool]]


async def alarm_sums(
    session: AsyncSession, start: float, end: float, cameras: frozenset[str] | None = None
) -> AlarmSums:
    """Alarms that crossed in [start, end) (Unix seconds), of these cameras (None: all)."""
    first, last = int(-(-start // _DAY_S)), int(end // _DAY_S)
    whole = first < last
    edges = [(start, float(first * _DAY_S)), (float(last * _DAY_S), end)] if whole else [(start, end)]
    return AlarmSums(
        counts=await _counts(session, first, last, edges, cameras),
        buckets=await _buckets(session, first, last, edges, cameras),
    )


async def _counts(
    session: AsyncSession,
    first: int,
    last: int,
    edges: Sequence[tuple[float, float]],
    cameras: frozenset[str] | None,
) -> list[AlarmCount]:
    kept, rows = AlarmSumTable, AlarmTable
    parts: list[Select[*tuple[object, ...]]] = [
        select(
            *(getattr(rows, key) for key in KEYS),
            *(figure.label(name) for name, figure in zip(FIGURES, row_figures(rows), strict=True)),
        ).where(*_crossed(session, edges, cameras))
    ]
    parts += [
        select(*(getattr(kept, name) for name in (*KEYS, *FIGURES))).where(
            kept.span == span,
            kept.block >= low,
            kept.block < high,
            *([] if cameras is None else [kept.camera.in_(sorted(cameras))]),
        )
        for span, low, high in blocks_of(first, last)
    ]
    alike = union_all(*parts).subquery()
    keys = [alike.c[key] for key in KEYS]
    found = await session.execute(select(*keys, *(func.sum(alike.c[name]) for name in FIGURES)).group_by(*keys))
    return [
        AlarmCount(
            camera=row[0],
            rule=row[1],
            kind=row[2],
            level=row[3],
            state=row[4],
            verdict=row[5],
            reason=row[6],
            count=int(row[7]),
            answered=int(row[8]),
            answered_s=int(row[9]) / 1000,
            within=tuple(int(value) for value in row[10 : 10 + len(ANSWER_STEPS_S)]),
        )
        for row in found
    ]


async def _buckets(
    session: AsyncSession,
    first: int,
    last: int,
    edges: Sequence[tuple[float, float]],
    cameras: frozenset[str] | None,
) -> list[tuple[int, int]]:
    bucket = (whole_seconds(session) // BUCKET_S).label("bucket")
    told = await session.execute(
        select(bucket, func.count()).where(*_crossed(session, edges, cameras)).group_by("bucket")
    )
    found = Counter({int(row[0]): int(row[1]) for row in told})
    if first < last:
        table = AlarmHourTable
        quarters = (table.q0, table.q1, table.q2, table.q3)
        hours = _DAY_S // _HOUR_S
        query = select(table.hour, *(func.sum(quarter) for quarter in quarters)).where(
            table.camera.in_([""] if cameras is None else sorted(cameras)),
            table.hour >= first * hours,
            table.hour < last * hours,
        )
        for hour, *counts in await session.execute(query.group_by(table.hour)):
            found.update({hour * len(quarters) + quarter: int(count) for quarter, count in enumerate(counts) if count})
    return sorted(found.items())


def _crossed(session: AsyncSession, edges: Sequence[tuple[float, float]], cameras: frozenset[str] | None) -> Where:
    """By the time, which is short beside all that a camera ever raised."""
    table = AlarmTable
    where: Where = [or_(*(and_(table.wall >= start, table.wall < end) for start, end in edges))]
    if cameras is not None:
        where.append(hidden(table.camera, is_sqlite(session)).in_(sorted(cameras)))
    return where

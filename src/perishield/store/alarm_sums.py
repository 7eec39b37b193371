"""Sums of alarms, kept beside them by triggers: which of them make up a span of days, and whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    case,
    cast,
    delete,
    except_,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.statistics import ANSWER_STEPS_S
from perishield.store.tables import AlarmTable
from perishield.store.tables_sums import AlarmHourTable, AlarmSumTable

KEYS = ("camera", "rule", "kind", "level", "state", "verdict", "reason")
FIGURES = ("count", "answered", "answered_ms", *(f"within_{step}" for step in ANSWER_STEPS_S))
SPANS = (64, 8, 1)
"""Days that one sum covers. What is long is made up of a few large pieces and some small ones at either end."""

_QUARTERS = ("q0", "q1", "q2", "q3")
_DAY_S = 86_400
_HOUR_S = 3600
_QUARTER_S = 900


def blocks_of(first: int, last: int, spans: Sequence[int] = SPANS) -> list[tuple[int, int, int]]:
    """The days [first, last) since 1970 as (span, first block, block after the last), large pieces where they fit."""
    if first >= last:
        return []
    span, rest = spans[0], spans[1:]
    if not rest:
        return [(span, first, last)]
    low, high = -(-first // span), last // span
    if low >= high:
        return blocks_of(first, last, rest)
    return [*blocks_of(first, low * span, rest), (span, low, high), *blocks_of(high * span, last, rest)]


def row_figures(table: type[AlarmTable]) -> list[ColumnElement[int]]:
    """What one row adds to each of `FIGURES`."""
    took = table.answered - table.raised
    return [
        literal(1, Integer),
        case((table.answered.is_(None), 0), else_=1),
        func.coalesce(cast(func.round(took * 1000), BigInteger), 0),
        *(case((took <= step, 1), else_=0) for step in ANSWER_STEPS_S),
    ]


def whole_seconds(session: AsyncSession) -> ColumnElement[int]:
    """The second of a crossing. Only what is whole is divided further: the rest may round up into the next day."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.floor(AlarmTable.wall), BigInteger)
    # Not every SQLite has floor(); its cast cuts off, which is the same from 1970 on.
    return cast(AlarmTable.wall, Integer)


async def wrong_sums(session: AsyncSession) -> int:
    """How many sums differ from what the rows add up to; one statement looks at both."""
    wrong = 0
    for kept, counted in _both(session):
        differing = union_all(
            select(except_(kept, counted).subquery()), select(except_(counted, kept).subquery())
        ).subquery()
        wrong += await session.scalar(select(func.count()).select_from(differing)) or 0
    return wrong


async def recount(session: AsyncSession) -> int:
    """Make all sums anew from the rows; returns how many there are. Who writes alarms waits until this has ended."""
    if session.get_bind().dialect.name == "postgresql":
        # Else what another transaction adds meanwhile would be counted twice or not at all.
        await session.execute(text("LOCK TABLE alarms IN SHARE ROW EXCLUSIVE MODE"))
    made = 0
    for table, (kept, counted) in zip((AlarmSumTable, AlarmHourTable), _both(session), strict=True):
        await session.execute(delete(table))
        names = [column.key for column in kept.selected_columns if column.key is not None]
        await session.execute(insert(table).from_select(names, counted))
        made += await session.scalar(select(func.count()).select_from(table)) or 0
    return made


def _both(session: AsyncSession) -> list[tuple[Select[Any], Select[Any]]]:
    """Of each table what it holds, and the same counted from the rows."""
    sums, hours, rows = AlarmSumTable, AlarmHourTable, AlarmTable
    second = whole_seconds(session)
    keys = [getattr(rows, key) for key in KEYS]
    by_span = [
        select(
            literal(span, Integer), (block := second // (_DAY_S * span)), *keys, *map(_summed, row_figures(rows))
        ).group_by(block, *keys)
        for span in SPANS
    ]
    hour = second // _HOUR_S
    quarter = second // _QUARTER_S % len(_QUARTERS)
    quarters = [cast(func.sum(case((quarter == number, 1), else_=0)), Integer) for number in range(len(_QUARTERS))]
    by_hour = [
        select(rows.camera, hour, *quarters).group_by(rows.camera, hour),
        select(literal("", String), hour, *quarters).group_by(hour),
    ]
    return [
        (
            select(*(getattr(sums, name) for name in ("span", "block", *KEYS, *FIGURES))),
            select(union_all(*by_span).subquery()),
        ),
        (
            select(*(getattr(hours, name) for name in ("camera", "hour", *_QUARTERS))),
            select(union_all(*by_hour).subquery()),
        ),
    ]


def _summed(figure: ColumnElement[int]) -> ColumnElement[int]:
    # PostgreSQL's sum of such numbers is a numeric one.
    return cast(func.sum(figure), BigInteger)

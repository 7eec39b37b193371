"""Lists of alarms, newest first, whose price does not grow with how many there are.

A list goes along one index that holds its order already (`column, number`), chosen here by what narrows most: SQLite
knows no better without statistics, so the other columns are hidden from it (`planner_hints`). What a time span
narrows goes along the wall-clock index only when few alarms lie in it. Counting stops after so many rows: a total
beyond is a least one. Of the cameras of a caller each is read for itself, and the newest of all are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from perishield.model.alarms import Alarm, AlarmState, Verdict
from perishield.store.alarms import AlarmFilter, alarm_of
from perishield.store.planner_hints import hidden, is_sqlite
from perishield.store.tables import AlarmTable

MOST_COUNTED = 5000
"""Rows looked at for a total."""
_MOST_MERGED = 32
"""Cameras that are read each for itself; more are found among all alarms."""

Table = type[AlarmTable]
Where = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One intrusion: its alarms within the caller's reach. `first` and `last`: crossings, Unix seconds."""

    id: str
    count: int
    open: int
    first: float
    last: float
    level: int
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPage:
    """`total`: how many match (alarms, or groups), where `exact`; else at least so many do. `next`: the `before` of the
    next page. `groups` of the alarms' groups, by id, where they were asked for."""

    items: list[Alarm]
    total: int
    exact: bool
    next: str | None
    groups: dict[str, Group]


_NOTHING = AlarmPage(items=[], total=0, exact=True, next=None, groups={})


async def list_alarms(
    session: AsyncSession, wanted: AlarmFilter, *, limit: int, before: str | None = None, grouped: bool = False
) -> AlarmPage:
    """A page of alarms newest first; with `grouped`, of each group the newest alarm that matches.

    `before` is the id of the last alarm already seen; one that does not exist gives an empty page.
    """
    narrowed = _within_reach(wanted)
    if narrowed is None:
        return _NOTHING
    few = await _few_in_time(session, narrowed)
    asked = _Asked(narrowed, is_sqlite(session), few, grouped)
    total, exact = await _total(session, asked)
    bound = None
    if before is not None:
        bound = await session.scalar(select(AlarmTable.number).where(AlarmTable.id == before))
        if bound is None:
            return replace(_NOTHING, total=total, exact=exact)
    elif narrowed.end is not None and not few:
        # Behind all that is newer than the span: alarms are stored nearly in the order of their crossings, not quite.
        # Plus nought: PostgreSQL takes a largest number for the end of that index, and walks it from there to the span.
        newest = await session.scalar(select(func.max(AlarmTable.number + 0)).where(*_span(AlarmTable, narrowed)))
        bound = None if newest is None else newest + 1
    numbers = list(await session.scalars(asked.numbers(limit + 1, bound)))
    rows = await session.scalars(
        select(AlarmTable).where(AlarmTable.number.in_(numbers[:limit])).order_by(AlarmTable.number.desc())
    )
    items = [alarm_of(row) for row in rows]
    groups = await groups_of(session, {alarm.group for alarm in items}, wanted.cameras) if grouped else {}
    following = items[-1].id if len(numbers) > limit and items else None
    return AlarmPage(items=items, total=total, exact=exact, next=following, groups=groups)


async def groups_of(session: AsyncSession, ids: set[str], cameras: frozenset[str] | None) -> dict[str, Group]:
    """These groups by id, as far as their alarms are of `cameras` (None: all)."""
    if not ids:
        return {}
    table = AlarmTable
    where: Where = [table.group_id.in_(ids)]
    if cameras is not None:
        where.append(table.camera.in_(cameras))
    is_open = case((table.state.in_([AlarmState.NEW.value, AlarmState.ACKNOWLEDGED.value]), 1), else_=0)
    rows = await session.execute(
        select(
            table.group_id,
            table.camera,
            func.count(),
            func.sum(is_open),
            func.min(table.wall),
            func.max(table.wall),
            func.min(table.level),
        )
        .where(*where)
        .group_by(table.group_id, table.camera)
        .order_by(func.min(table.wall))
    )
    found: dict[str, Group] = {}
    for group, camera, count, still_open, first, last, level in rows:
        known = found.get(group)
        if known is None:
            found[group] = Group(
                id=group, count=count, open=still_open, first=first, last=last, level=level, cameras=(camera,)
            )
        else:
            found[group] = Group(
                id=group,
                count=known.count + count,
                open=known.open + still_open,
                first=min(known.first, first),
                last=max(known.last, last),
                level=min(known.level, level),
                cameras=(*known.cameras, camera),
            )
    return found


def _within_reach(wanted: AlarmFilter) -> AlarmFilter | None:
    """The same with `cameras` no wider than `camera`; None where nothing can match."""
    if wanted.cameras is None:
        return wanted
    if wanted.camera is not None:
        return replace(wanted, cameras=None) if wanted.camera in wanted.cameras else None
    if len(wanted.cameras) == 1:
        return replace(wanted, camera=next(iter(wanted.cameras)), cameras=None)
    return wanted if wanted.cameras else None


def _span(table: Table, wanted: AlarmFilter) -> Where:
    where: Where = []
    if wanted.start is not None:
        where.append(table.wall >= wanted.start)
    if wanted.end is not None:
        where.append(table.wall < wanted.end)
    return where


async def _few_in_time(session: AsyncSession, wanted: AlarmFilter) -> bool:
    """Whether the span of time holds so few alarms that it is the best way in."""
    span = _span(AlarmTable, wanted)
    if not span:
        return False
    some = select(literal(1)).select_from(AlarmTable).where(*span).limit(MOST_COUNTED).subquery()
    return (await session.scalar(select(func.count()).select_from(some)) or 0) < MOST_COUNTED


class _Asked:
    """One question in SQL."""

    def __init__(self, wanted: AlarmFilter, sqlite: bool, by_time: bool, grouped: bool) -> None:
        self.wanted = wanted
        self.grouped = grouped
        self._sqlite = sqlite
        self._by_time = by_time

    def numbers(self, limit: int, bound: int | None) -> Select[int]:
        """The numbers of a page, newest first; `bound`: only below."""
        cameras = self.wanted.cameras
        if cameras is None or len(cameras) > _MOST_MERGED or self._by_time:
            return self._of(self.wanted, limit, bound)
        each = [
            select(self._of(replace(self.wanted, camera=camera, cameras=None), limit, bound).subquery().c.number)
            for camera in sorted(cameras)
        ]
        merged = union_all(*each).subquery()
        return select(merged.c.number).order_by(merged.c.number.desc()).limit(limit)

    def counted(self) -> Select[int, int]:
        """How many of the newest rows were looked at, and how many of these match."""
        table = AlarmTable
        driver = self._driver(self.wanted)
        rest = self._where(table, self.wanted, driver, only_rest=True)
        looked = (
            select(
                table.group_id if self.grouped else literal(1).label("group_id"),
                case((and_(*rest), 1), else_=0).label("fits") if rest else literal(1).label("fits"),
            )
            .select_from(table)
            .where(*self._where(table, self.wanted, driver, only_driver=True))
        )
        # Where nothing narrows, the rows need not be read at all: the index of raising is as good to count by.
        order = self._order(table) if driver or rest or self.grouped else table.raised.expression
        bounded = looked.order_by(order.desc()).limit(MOST_COUNTED).subquery()
        fits = case((bounded.c.fits == 1, bounded.c.group_id))
        return select(func.count(), func.count(fits.distinct()) if self.grouped else func.sum(bounded.c.fits))

    def _of(self, wanted: AlarmFilter, limit: int, bound: int | None) -> Select[int]:
        table = AlarmTable
        order = self._order(table)
        query = select(table.number).where(*self._where(table, wanted, self._driver(wanted)))
        if bound is not None:
            query = query.where(order < bound)
        if self.grouped:
            newer = aliased(AlarmTable)
            query = query.where(
                ~exists()
                .where(
                    newer.group_id == table.group_id,
                    newer.number > table.number,
                    *self._where(newer, self.wanted, "group"),
                )
                .correlate(table)
            )
        return query.order_by(order.desc()).limit(limit)

    def _order(self, table: Table) -> ColumnElement[int]:
        # An expression: what is few is sorted, and the order of the table is no way to it.
        return table.number.expression + 0 if self._by_time else table.number.expression

    def _driver(self, wanted: AlarmFilter) -> str:
        """What narrows most, by the nature of things."""
        if self._by_time:
            return "time"
        ranked = (
            ("group", wanted.group is not None),
            ("assignee", bool(wanted.assignee)),
            ("rule", wanted.rule is not None),
            ("camera", wanted.camera is not None),
            ("state", wanted.state in (AlarmState.NEW, AlarmState.ACKNOWLEDGED)),
            ("verdict", wanted.verdict not in (None, Verdict.NONE)),
            ("kind", wanted.kind is not None),
            ("level", wanted.level is not None),
            ("state", wanted.state is not None),
        )
        return next((name for name, given in ranked if given), "")

    def _where(
        self, table: Table, wanted: AlarmFilter, driver: str, *, only_driver: bool = False, only_rest: bool = False
    ) -> Where:
        columns: Sequence[tuple[str, InstrumentedAttribute[Any], object]] = (
            ("group", table.group_id, wanted.group),
            ("camera", table.camera, wanted.camera),
            ("rule", table.rule, wanted.rule),
            ("level", table.level, wanted.level),
            ("kind", table.kind, wanted.kind),
            ("state", table.state, wanted.state.value if wanted.state is not None else None),
            ("verdict", table.verdict, wanted.verdict.value if wanted.verdict is not None else None),
            ("reason", table.reason, wanted.reason),
            ("assignee", table.assignee, wanted.assignee),
        )
        found: Where = []
        for name, column, value in columns:
            # What is new of a camera is little beside all of its alarms, and has an index of its own.
            drives = name == driver or (name, driver) == ("state", "camera")
            if value is None or (only_driver and not drives) or (only_rest and drives):
                continue
            found.append((column if drives else self._hidden(column)) == value)
        drives = driver == "time"
        if not ((only_driver and not drives) or (only_rest and drives)):
            wall = table.wall if drives else self._hidden(table.wall)
            if wanted.start is not None:
                found.append(wall >= wanted.start)
            if wanted.end is not None:
                found.append(wall < wanted.end)
        if wanted.cameras is not None and not only_driver:
            found.append(self._hidden(table.camera).in_(sorted(wanted.cameras)))
        return found

    def _hidden(self, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
        return hidden(column, self._sqlite)


async def _total(session: AsyncSession, asked: _Asked) -> tuple[int, bool]:
    looked, fits = (await session.execute(asked.counted())).one()
    return int(fits or 0), looked < MOST_COUNTED

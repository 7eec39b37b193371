"""Named schedules: hours that are set down once, and what uses them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import msgspec
from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.rules import RuleBase
from perishield.model.schedule import NamedSchedule, Schedule
from perishield.model.tasks import Task
from perishield.store.tables import RuleTable
from perishield.store.tables_outbox import ChannelTable
from perishield.store.tables_schedules import ScheduleTable
from perishield.store.tables_tasks import TaskTable

T = TypeVar("T", bound=RuleBase | Task)
Kind = Literal["rule", "task", "channel"]
Part = Literal["route", "quiet"]
"""What of a channel goes by a schedule: the hours in which it tells of alarms, or those in which it is quiet."""
_PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """That a rule or task, `id`, at a camera goes by a schedule; or a channel, of which `parts` do."""

    schedule: str
    kind: Kind
    id: str
    camera: str
    name: str
    parts: tuple[Part, ...] = ()


class _Named(msgspec.Struct):
    """Of a rule's body, or a channel's."""

    name: str


async def list_schedules(
    session: AsyncSession, *, search: str = "", limit: int = 100_000, offset: int = 0
) -> tuple[list[NamedSchedule], int]:
    """A page of them in the order in which they were made, and how many there are in all.

    `search`: a part of the name or id.
    """
    query = select(ScheduleTable)
    if search:
        part = search.casefold()
        inside = ScheduleTable.id.contains(part, autoescape=True)
        query = query.where(or_(ScheduleTable.folded.contains(part, autoescape=True), inside))
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = await session.scalars(query.order_by(ScheduleTable.created, ScheduleTable.id).limit(limit).offset(offset))
    return [_named(row) for row in rows], total


async def get_schedule(session: AsyncSession, schedule: str) -> NamedSchedule | None:
    row = await session.get(ScheduleTable, schedule)
    return _named(row) if row else None


async def hold_schedule(session: AsyncSession, schedule: str) -> bool:
    """Whether it is there; if so, nobody deletes it until the transaction ends."""
    query = select(ScheduleTable.id).where(ScheduleTable.id == schedule).with_for_update(read=True, key_share=True)
    return await session.scalar(query) is not None


async def count_schedules(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(ScheduleTable)) or 0


async def add_schedule(session: AsyncSession, schedule: NamedSchedule) -> NamedSchedule:
    """Keep a new schedule at revision 1. The caller has made sure that its id is free."""
    row = ScheduleTable(id=schedule.id, revision=1, created=time.time())
    _fill(row, schedule)
    session.add(row)
    await session.flush()
    return _named(row)


async def update_schedule(session: AsyncSession, schedule: NamedSchedule, expected: int | None) -> NamedSchedule | None:
    """Change a schedule and count its revision up; those of what uses it stay.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(ScheduleTable, schedule.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    _fill(row, schedule)
    row.revision += 1
    await session.flush()
    return _named(row)


async def delete_schedule(session: AsyncSession, schedule: str) -> bool:
    """Raises IntegrityError where it is in use."""
    gone = await session.scalars(delete(ScheduleTable).where(ScheduleTable.id == schedule).returning(ScheduleTable.id))
    return gone.first() is not None


async def uses_of(session: AsyncSession, schedules: Collection[str]) -> list[Use]:
    """What goes by one of these schedules: rules, tasks, then channels, each in the order in which they were made."""
    rules = select(RuleTable.schedule_id, RuleTable.id, RuleTable.camera, RuleTable.body)
    tasks = select(TaskTable.schedule_id, TaskTable.id, TaskTable.camera, TaskTable.name)
    rules, tasks = rules.where(RuleTable.schedule_id.in_(schedules)), tasks.where(TaskTable.schedule_id.in_(schedules))
    found = [
        Use(schedule=str(named), kind="rule", id=name, camera=camera, name=_name(body))
        for named, name, camera, body in await session.execute(rules.order_by(RuleTable.created, RuleTable.id))
    ]
    found += [
        Use(schedule=str(named), kind="task", id=name, camera=camera, name=title)
        for named, name, camera, title in await session.execute(tasks.order_by(TaskTable.created, TaskTable.id))
    ]
    return found + await _channels_of(session, schedules)


async def with_hours(session: AsyncSession, things: Iterable[T]) -> list[T]:
    """The same, each that names a schedule with that one's hours as its own: what workers get.

    One whose schedule was deleted this very moment watches always; it names another by now, which is published next.
    """
    found = list(things)
    wanted = {thing.schedule_id for thing in found if thing.schedule_id is not None}
    if not wanted:
        return found
    rows = await session.execute(select(ScheduleTable.id, ScheduleTable.schedule).where(ScheduleTable.id.in_(wanted)))
    hours = {name: msgspec.json.decode(text, type=Schedule) for name, text in rows}
    return [
        thing if thing.schedule_id is None else replace(thing, schedule=hours.get(thing.schedule_id), schedule_id=None)
        for thing in found
    ]


async def _channels_of(session: AsyncSession, schedules: Collection[str]) -> list[Use]:
    hours, quiet = ChannelTable.schedule_id, ChannelTable.quiet_schedule_id
    query = select(ChannelTable.id, ChannelTable.body, hours, quiet)
    query = query.where(or_(hours.in_(schedules), quiet.in_(schedules)))
    found = []
    for name, body, *named in await session.execute(query.order_by(ChannelTable.created, ChannelTable.id)):
        parts: dict[str, tuple[Part, ...]] = {}
        for part, schedule in zip(_PARTS, named, strict=True):
            if schedule is not None and schedule in schedules:
                parts[schedule] = (*parts.get(schedule, ()), part)
        found += [
            Use(schedule=schedule, kind="channel", id=name, camera="", name=_name(body), parts=its)
            for schedule, its in parts.items()
        ]
    return found


def _name(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Named).name


def _fill(row: ScheduleTable, schedule: NamedSchedule) -> None:
    row.name = schedule.name
    row.folded = schedule.name.casefold()
    row.schedule = msgspec.json.encode(schedule.schedule).decode()


def _named(row: ScheduleTable) -> NamedSchedule:
    return NamedSchedule(
        id=row.id,
        name=row.name,
        schedule=msgspec.json.decode(row.schedule, type=Schedule),
        revision=row.revision,
    )

"""Alarms: stored once by their event's id, listed newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import Alarm, AlarmState, ClipState, Event
from perishield.store.tables import AlarmTable
from perishield.store.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """What to list. `start` and `end` bound the crossing's wall-clock time: [start, end)."""

    camera: str | None = None
    rule: str | None = None
    level: int | None = None
    kind: str | None = None
    start: float | None = None
    end: float | None = None


async def add_alarm(session: AsyncSession, alarm: Alarm) -> bool:
    """Store an alarm. False where its id is stored already: redelivery changes nothing."""
    statement = (
        insert_into(session, AlarmTable)
        .values(
            id=alarm.id,
            camera=alarm.event.camera,
            camera_name=alarm.camera_name,
            rule=str(alarm.event.rule.get("id", "")),
            kind=alarm.event.kind.value,
            level=alarm.level,
            state=alarm.state.value,
            wall=alarm.event.wall,
            raised=alarm.raised,
            event=msgspec.json.encode(alarm.event),
            **_clip_columns(alarm),
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(AlarmTable.number)
    )
    return (await session.scalars(statement)).first() is not None


async def get_alarm(session: AsyncSession, alarm: str) -> Alarm | None:
    row = await session.scalar(select(AlarmTable).where(AlarmTable.id == alarm))
    return _alarm(row) if row else None


async def list_alarms(
    session: AsyncSession, wanted: AlarmFilter, *, limit: int, before: str | None = None
) -> tuple[list[Alarm], int, str | None]:
    """A page of alarms newest first, how many match in all, and the `before` of the next page.

    `before` is the id of the last alarm already seen; one that does not exist gives an empty page.
    """
    total = await session.scalar(_narrow(select(func.count()).select_from(AlarmTable), wanted)) or 0
    query = _narrow(select(AlarmTable), wanted).order_by(AlarmTable.number.desc()).limit(limit + 1)
    if before is not None:
        seen = select(AlarmTable.number).where(AlarmTable.id == before).scalar_subquery()
        query = query.where(AlarmTable.number < seen)
    rows = list(await session.scalars(query))
    page = [_alarm(row) for row in rows[:limit]]
    return page, total, page[-1].id if len(rows) > limit and page else None


async def pending_clips(session: AsyncSession) -> Sequence[Alarm]:
    """Alarms whose clip is still to be cut, oldest first."""
    query = select(AlarmTable).where(AlarmTable.clip_state == ClipState.PENDING.value).order_by(AlarmTable.number)
    return [_alarm(row) for row in await session.scalars(query)]


async def alarms_since(session: AsyncSession, wall: float) -> Sequence[Alarm]:
    """Alarms whose crossing was at or after that moment (Unix seconds), oldest first."""
    query = select(AlarmTable).where(AlarmTable.wall >= wall).order_by(AlarmTable.wall)
    return [_alarm(row) for row in await session.scalars(query)]


async def save_clip(session: AsyncSession, alarm: Alarm) -> None:
    """Write down what became of an alarm's clip."""
    await session.execute(update(AlarmTable).where(AlarmTable.id == alarm.id).values(**_clip_columns(alarm)))


def _clip_columns(alarm: Alarm) -> dict[str, Any]:
    return {
        "clip_state": alarm.clip_state.value,
        "clip": alarm.clip,
        "clip_start": alarm.clip_start,
        "clip_duration": alarm.clip_duration,
        "clip_note": alarm.clip_note,
    }


def _narrow(query: Select[Any], wanted: AlarmFilter) -> Select[Any]:
    for column, value in (
        (AlarmTable.camera, wanted.camera),
        (AlarmTable.rule, wanted.rule),
        (AlarmTable.level, wanted.level),
        (AlarmTable.kind, wanted.kind),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.start is not None:
        query = query.where(AlarmTable.wall >= wanted.start)
    if wanted.end is not None:
        query = query.where(AlarmTable.wall < wanted.end)
    return query


def _alarm(row: AlarmTable) -> Alarm:
    return Alarm(
        id=row.id,
        event=msgspec.json.decode(row.event, type=Event),
        state=AlarmState(row.state),
        level=row.level,
        raised=row.raised,
        camera_name=row.camera_name,
        clip_state=ClipState(row.clip_state),
        clip=row.clip,
        clip_start=row.clip_start,
        clip_duration=row.clip_duration,
        clip_note=row.clip_note,
    )

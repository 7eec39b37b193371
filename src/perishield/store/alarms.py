"""Alarms: stored once by their event's id. Lists of them are `alarm_list`'s, what happens to them `alarm_life`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import Alarm, AlarmState, ClipState, Event, Verdict
from perishield.store.chain import append_alarm_record
from perishield.store.remark_text import read, written
from perishield.store.tables import AlarmTable
from perishield.store.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """What to list. `start` and `end` bound the crossing's wall-clock time: [start, end).

    `cameras`: only these, None: all; it narrows further what `camera` asks for. `assignee`: an account's id, empty for
    what is nobody's.
    """

    camera: str | None = None
    rule: str | None = None
    level: int | None = None
    kind: str | None = None
    start: float | None = None
    end: float | None = None
    cameras: frozenset[str] | None = None
    state: AlarmState | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    assignee: str | None = None
    group: str | None = None


async def add_alarm(session: AsyncSession, alarm: Alarm) -> bool:
    """Store an alarm, and write that it was raised. False where its id is stored already: telling twice is once."""
    encoded = msgspec.json.encode(alarm.event)
    statement = (
        insert_into(session, AlarmTable)
        .values(
            id=alarm.id,
            camera=alarm.event.camera,
            camera_name=alarm.camera_name,
            rule=str(alarm.event.rule.get("id", "")),
            kind=alarm.event.kind.value,
            label=alarm.event.label[:64],
            score=alarm.event.score,
            epoch=alarm.event.epoch,
            track=alarm.event.track,
            wall=alarm.event.wall,
            raised=alarm.raised,
            event=encoded,
            group_id=alarm.group or alarm.id,
            group_began=alarm.group_began if alarm.group else alarm.event.wall,
            **_clip_columns(alarm),
            **life_columns(alarm),
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(AlarmTable.number)
    )
    if (await session.scalars(statement)).first() is None:
        return False
    await append_alarm_record(session, alarm.id, "raised", _raised(alarm, encoded), alarm.raised)
    return True


async def get_alarm(session: AsyncSession, alarm: str) -> Alarm | None:
    row = await session.scalar(select(AlarmTable).where(AlarmTable.id == alarm))
    return alarm_of(row) if row else None


async def alarms_by_id(session: AsyncSession, ids: Collection[str]) -> dict[str, Alarm]:
    """Those of them that there are."""
    rows = await session.scalars(select(AlarmTable).where(AlarmTable.id.in_(sorted(set(ids)))))
    return {row.id: alarm_of(row) for row in rows}


async def pending_clips(session: AsyncSession) -> Sequence[Alarm]:
    """Alarms whose clip is still to be cut, oldest first."""
    query = select(AlarmTable).where(AlarmTable.clip_state == ClipState.PENDING.value).order_by(AlarmTable.number)
    return [alarm_of(row) for row in await session.scalars(query)]


async def alarms_since(session: AsyncSession, wall: float) -> Sequence[Alarm]:
    """Alarms whose crossing was at or after that moment (Unix seconds), oldest first."""
    query = select(AlarmTable).where(AlarmTable.wall >= wall).order_by(AlarmTable.wall)
    return [alarm_of(row) for row in await session.scalars(query)]


async def save_clip(session: AsyncSession, alarm: Alarm) -> Alarm:
    """Write down what became of an alarm's clip, and return the alarm as it stands by now.

    Somebody may have taken it up while the clip was cut.
    """
    await session.execute(update(AlarmTable).where(AlarmTable.id == alarm.id).values(**_clip_columns(alarm)))
    return await get_alarm(session, alarm.id) or alarm


def life_columns(alarm: Alarm) -> dict[str, Any]:
    """What a life changes."""
    return {
        "state": alarm.state.value,
        "level": alarm.level,
        "revision": alarm.revision,
        "verdict": alarm.verdict.value,
        "reason": alarm.reason,
        "assignee": alarm.assignee,
        "assignee_name": alarm.assignee_name,
        "comments": alarm.comments,
        "escalations": alarm.escalations,
        "answered": alarm.answered,
        "decided": alarm.decided,
        "closed": alarm.closed,
    }


def _clip_columns(alarm: Alarm) -> dict[str, Any]:
    return {
        "clip_state": alarm.clip_state.value,
        "clip": alarm.clip,
        "clip_start": alarm.clip_start,
        "clip_duration": alarm.clip_duration,
        "clip_note": written(alarm.clip_remarks),
    }


def _raised(alarm: Alarm, encoded: bytes) -> dict[str, Any]:
    """The chained record of an alarm's beginning. `event_sha256`: over the event's bytes as they are stored."""
    event = alarm.event
    return {
        "camera": event.camera,
        "camera_name": alarm.camera_name,
        "rule": str(event.rule.get("id", "")),
        "rule_name": str(event.rule.get("name", "")),
        "kind": event.kind.value,
        "level": alarm.level,
        "label": event.label,
        "score": event.score,
        "wall": event.wall,
        "arrival": event.arrival,
        "group": alarm.group or alarm.id,
        "event_sha256": hashlib.sha256(encoded).hexdigest(),
    }


def alarm_of(row: AlarmTable) -> Alarm:
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
        clip_remarks=read(row.clip_note),
        revision=row.revision,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        assignee=row.assignee,
        assignee_name=row.assignee_name,
        group=row.group_id,
        group_began=row.group_began,
        comments=row.comments,
        escalations=row.escalations,
        answered=row.answered,
        decided=row.decided,
        closed=row.closed,
    )

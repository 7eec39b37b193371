"""What evidence there is of alarms, and which alarms are held."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import Alarm, ClipState
from perishield.model.evidence import AlarmHold, Evidence, EvidenceKind
from perishield.store.alarms import get_alarm
from perishield.store.remark_text import read, written
from perishield.store.tables import AlarmTable
from perishield.store.tables_evidence import AlarmHoldTable, EvidenceTable
from perishield.store.upsert import insert_into


async def add_evidence(session: AsyncSession, evidence: Evidence) -> bool:
    """Keep it. False where there is such a piece of that alarm already: it stays what it was."""
    statement = (
        insert_into(session, EvidenceTable)
        .values(
            alarm=evidence.alarm,
            kind=evidence.kind.value,
            path=evidence.path,
            size=evidence.size,
            sha256=evidence.sha256,
            made=evidence.made,
            note=written(evidence.remarks),
        )
        .on_conflict_do_nothing(index_elements=["alarm", "kind"])
        .returning(EvidenceTable.alarm)
    )
    return (await session.scalars(statement)).first() is not None


async def evidence_of(session: AsyncSession, alarm: str) -> list[Evidence]:
    """What there is of an alarm, files that were missing included."""
    rows = await session.scalars(select(EvidenceTable).where(EvidenceTable.alarm == alarm))
    found = {row.kind: _evidence(row) for row in rows}
    return [found[kind.value] for kind in EvidenceKind if kind.value in found]


async def evidence_page(session: AsyncSession, after: tuple[str, str], limit: int) -> list[Evidence]:
    """All evidence in the order of alarm and kind, from behind `after` on."""
    alarm, kind = after
    query = (
        select(EvidenceTable)
        .where(or_(EvidenceTable.alarm > alarm, (EvidenceTable.alarm == alarm) & (EvidenceTable.kind > kind)))
        .order_by(EvidenceTable.alarm, EvidenceTable.kind)
        .limit(limit)
    )
    return [_evidence(row) for row in await session.scalars(query)]


async def alarms_to_take_in(session: AsyncSession, limit: int, after: int = 0) -> list[tuple[int, Alarm]]:
    """Alarms of which a picture or a finished clip was not taken in yet, oldest first, each with its place in order."""
    clean = exists().where(EvidenceTable.alarm == AlarmTable.id, EvidenceTable.kind == EvidenceKind.CLEAN.value)
    clip = exists().where(EvidenceTable.alarm == AlarmTable.id, EvidenceTable.kind == EvidenceKind.CLIP.value)
    query = (
        select(AlarmTable.number, AlarmTable.id)
        .where(AlarmTable.number > after)
        .where(or_(~clean, (AlarmTable.clip_state == ClipState.READY.value) & ~clip))
        .order_by(AlarmTable.number)
        .limit(limit)
    )
    numbers = [(row.number, row.id) for row in await session.execute(query)]
    found = [(number, await get_alarm(session, alarm)) for number, alarm in numbers]
    return [(number, alarm) for number, alarm in found if alarm is not None]


async def event_bytes(session: AsyncSession, alarm: str) -> bytes:
    """An alarm's event exactly as it was stored; empty where the alarm is gone."""
    return await session.scalar(select(AlarmTable.event).where(AlarmTable.id == alarm)) or b""


async def get_alarm_hold(session: AsyncSession, alarm: str) -> AlarmHold | None:
    row = await session.get(AlarmHoldTable, alarm)
    return _hold(row) if row else None


async def list_alarm_holds(
    session: AsyncSession, limit: int, cameras: Iterable[str] | None = None
) -> tuple[Sequence[AlarmHold], int]:
    """Newest first, and how many there are in all; `cameras`: only of alarms of these."""
    query = select(AlarmHoldTable)
    count = select(func.count()).select_from(AlarmHoldTable)
    if cameras is not None:
        seen = AlarmHoldTable.alarm.in_(select(AlarmTable.id).where(AlarmTable.camera.in_(sorted(cameras))))
        query, count = query.where(seen), count.where(seen)
    rows = await session.scalars(query.order_by(AlarmHoldTable.placed.desc(), AlarmHoldTable.alarm).limit(limit))
    return [_hold(row) for row in rows], await session.scalar(count) or 0


async def hold_alarm(session: AsyncSession, alarm: str, who: str, reason: str) -> AlarmHold:
    """Hold an alarm, or change why it is held."""
    row = await session.get(AlarmHoldTable, alarm)
    if row is None:
        row = AlarmHoldTable(alarm=alarm, placed=time.time())
        session.add(row)
    row.who, row.reason = who, reason
    await session.flush()
    return _hold(row)


async def release_alarm(session: AsyncSession, alarm: str) -> bool:
    """False where it was not held."""
    gone = await session.scalars(
        delete(AlarmHoldTable).where(AlarmHoldTable.alarm == alarm).returning(AlarmHoldTable.alarm)
    )
    return gone.first() is not None


def _evidence(row: EvidenceTable) -> Evidence:
    return Evidence(
        alarm=row.alarm,
        kind=EvidenceKind(row.kind),
        path=row.path,
        size=row.size,
        sha256=row.sha256,
        made=row.made,
        remarks=read(row.note),
    )


def _hold(row: AlarmHoldTable) -> AlarmHold:
    return AlarmHold(alarm=row.alarm, who=row.who, reason=row.reason, placed=row.placed)

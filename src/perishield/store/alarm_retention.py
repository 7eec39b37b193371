"""Alarms that are old enough to go."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import Alarm
from perishield.store.alarms import get_alarm
from perishield.store.tables import AlarmTable
from perishield.store.tables_evidence import AlarmHoldTable, EvidenceTable
from perishield.store.tables_outbox import DeliveryTable

_held = exists().where(AlarmHoldTable.alarm == AlarmTable.id)


async def old_alarms(session: AsyncSession, before: float, after: int, limit: int) -> tuple[list[str], int | None]:
    """Ids of alarms raised before that moment (Unix seconds) that nobody holds, oldest first, and where to go on.

    Looks at `limit` alarms from behind number `after`; None: there are no more, or none of these is old.
    """
    query = (
        select(AlarmTable.number, AlarmTable.id, AlarmTable.raised, _held.label("held"))
        .where(AlarmTable.number > after)
        .order_by(AlarmTable.number)
        .limit(limit)
    )
    rows = list(await session.execute(query))
    old = [row for row in rows if row.raised < before]
    # Alarms are numbered as they are raised; a leap of the clock within one page does no harm.
    following = rows[-1].number if len(rows) == limit and old else None
    return [row.id for row in old if not row.held], following


async def lock_alarms(session: AsyncSession, alarms: Sequence[str]) -> list[Alarm]:
    """Those of them that nobody holds, until the transaction ends kept from whoever wants to hold one."""
    query = (
        select(AlarmTable.id)
        .where(AlarmTable.id.in_(alarms), ~_held)
        .order_by(AlarmTable.number)
        .with_for_update(skip_locked=True, of=AlarmTable)
    )
    ids = list(await session.scalars(query))
    # Read again: what held one back may have been committed while this waited.
    free = set(await session.scalars(select(AlarmTable.id).where(AlarmTable.id.in_(ids), ~_held)))
    return [alarm for name in ids if name in free and (alarm := await get_alarm(session, name)) is not None]


async def lock_alarm(session: AsyncSession, alarm: str) -> bool:
    """Keep retention from an alarm until the transaction ends. False where there is none (any more)."""
    return await session.scalar(select(AlarmTable.id).where(AlarmTable.id == alarm).with_for_update()) is not None


async def delete_alarms(session: AsyncSession, alarms: Sequence[str]) -> None:
    """Their rows, those of their evidence and of what was delivered of them. Their records stay in the chain."""
    await session.execute(delete(DeliveryTable).where(DeliveryTable.alarm.in_(alarms)))
    await session.execute(delete(EvidenceTable).where(EvidenceTable.alarm.in_(alarms)))
    await session.execute(delete(AlarmTable).where(AlarmTable.id.in_(alarms)))

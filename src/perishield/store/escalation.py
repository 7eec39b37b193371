"""The steps of escalation, and which alarms have come due for each.

What was already weighed is one moment per step: alarms raised up to it were looked at. It moves on in the transaction
that escalates, so a restart neither forgets an alarm nor takes one up twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarms import AlarmState
from perishield.model.escalation import EscalationStep
from perishield.store.tables import AlarmTable
from perishield.store.tables_life import EscalationTable


async def list_steps(session: AsyncSession) -> list[EscalationStep]:
    """All steps, those that come due first first."""
    rows = await session.scalars(select(EscalationTable).order_by(EscalationTable.after_s, EscalationTable.id))
    return [_step(row) for row in rows]


async def get_step(session: AsyncSession, step: str) -> EscalationStep | None:
    row = await session.get(EscalationTable, step)
    return _step(row) if row else None


async def add_step(session: AsyncSession, step: EscalationStep, now: float | None = None) -> EscalationStep:
    """Keep a new step. Alarms that were due already when it was made stay as they are."""
    moment = time.time() if now is None else now
    row = EscalationTable(
        id=uuid4().hex, considered=moment - step.after_s, revision=1, created=moment, **_columns(step)
    )
    session.add(row)
    await session.flush()
    return _step(row)


async def update_step(
    session: AsyncSession, step: EscalationStep, expected: int | None, now: float | None = None
) -> EscalationStep | None:
    """Change a step. None where it is gone or, when `expected` is given, has another revision by now.

    One that is switched on again, or waits less, does not catch up on what was due meanwhile.
    """
    row = await session.get(EscalationTable, step.id, with_for_update=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    moment = time.time() if now is None else now
    if (step.enabled and not row.enabled) or step.after_s < row.after_s:
        row.considered = max(row.considered, moment - step.after_s)
    for name, value in _columns(step).items():
        setattr(row, name, value)
    row.revision += 1
    await session.flush()
    return _step(row)


async def delete_step(session: AsyncSession, step: str) -> bool:
    gone = await session.scalars(
        delete(EscalationTable).where(EscalationTable.id == step).returning(EscalationTable.id)
    )
    return gone.first() is not None


@dataclass(frozen=True, slots=True)
class Due:
    """Alarms come due, and the span (Unix seconds of raising, `since` excluded) that was looked at for them."""

    ids: Sequence[str]
    since: float
    until: float


async def due_alarms(session: AsyncSession, step: EscalationStep, now: float, limit: int) -> Due:
    """Alarms that have come due for this step and are still new, the oldest first. Hand `until` to `consider` in the
    same transaction."""
    since = await session.scalar(
        select(EscalationTable.considered).where(EscalationTable.id == step.id).with_for_update()
    )
    until = now - step.after_s
    if since is None or until <= since:
        return Due((), until, until)
    fits = (AlarmTable.state == AlarmState.NEW.value, AlarmTable.level.in_(step.levels))
    rows = (
        await session.execute(
            select(AlarmTable.id, AlarmTable.raised)
            .where(AlarmTable.raised > since, AlarmTable.raised <= until, *fits)
            .order_by(AlarmTable.raised)
            .limit(limit + 1)
        )
    ).all()
    if len(rows) <= limit:
        return Due([row.id for row in rows], since, until)
    # Of alarms raised in the same instant either all are taken or none.
    cut = rows[limit].raised
    taken = [row for row in rows if row.raised < cut]
    if taken:
        return Due([row.id for row in taken], since, taken[-1].raised)
    same = await session.scalars(select(AlarmTable.id).where(AlarmTable.raised == cut, *fits))
    return Due(list(same), since, cut)


async def consider(session: AsyncSession, step: str, until: float) -> None:
    """Remember up to which moment (Unix seconds) alarms were weighed by a step."""
    await session.execute(update(EscalationTable).where(EscalationTable.id == step).values(considered=until))


def _columns(step: EscalationStep) -> dict[str, object]:
    return {
        "name": step.name,
        "levels": "".join(str(level) for level in sorted(set(step.levels))),
        "after_s": step.after_s,
        "to_level": step.to_level,
        "to_role": step.to_role,
        "channel": step.channel,
        "enabled": step.enabled,
    }


def _step(row: EscalationTable) -> EscalationStep:
    return replace(
        EscalationStep(id=row.id, name=row.name, levels=tuple(int(digit) for digit in row.levels), after_s=row.after_s),
        to_level=row.to_level,
        to_role=row.to_role,
        channel=row.channel,
        enabled=row.enabled,
        revision=row.revision,
    )

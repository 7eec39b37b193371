"""What happens to alarms: each change with its chained record and, where a person made it, its audit entry.

All of it is written in the caller's transaction, so that nothing is changed that is not told, and nothing told that is
not so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarm_life import LifeError, StaleError, Wish, stepped
from perishield.model.alarms import Alarm, AlarmState
from perishield.model.audit import AuditEntry
from perishield.model.escalation import Escalated
from perishield.store.alarms import alarm_of, life_columns
from perishield.store.chain import alarm_records, append_alarm_record, append_audit
from perishield.store.tables import AlarmTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One entry of an alarm's history. `at`: Unix seconds; `body` as `store.alarm_life` and others wrote it."""

    number: int
    at: float
    kind: str
    body: Mapping[str, Any]
    hash: str


async def held_alarms(
    session: AsyncSession, ids: Collection[str], cameras: Collection[str] | None = None
) -> dict[str, Alarm]:
    """Alarms that nobody else changes before this transaction ends, by id; without those beyond `cameras` (None: all).

    Hold all that a transaction changes at once, and before it writes: two that hold one after another may wait for each
    other.
    """
    query = select(AlarmTable).where(AlarmTable.id.in_(sorted(set(ids)))).order_by(AlarmTable.number).with_for_update()
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {row.id: alarm_of(row) for row in rows if cameras is None or row.camera in cameras}


def check_revision(alarm: Alarm, expected: int | None) -> None:
    """Raises StaleError where the alarm is not what the caller has seen; None: whatever it is."""
    if expected is not None and expected != alarm.revision:
        raise StaleError(
            f"alarm {alarm.id!r}: somebody else has changed it; load it again",
            revision=alarm.revision,
            state=alarm.state.value,
        )


async def take_step(session: AsyncSession, alarm: Alarm, wish: Wish, entry: AuditEntry) -> Alarm:
    """Lead a held alarm one step on. Raises LifeError for what is not allowed."""
    after = stepped(alarm, wish, entry.at)
    await _save(session, after)
    body = {
        "step": wish.step.value,
        "from": alarm.state.value,
        "to": after.state.value,
        "reason": after.reason,
        "comment": wish.comment,
        "revision": after.revision,
    }
    await _tell(session, after, "transition", body, entry)
    return after


async def assign(session: AsyncSession, alarm: Alarm, account: str, name: str, entry: AuditEntry) -> Alarm:
    """Make a held alarm somebody's; an empty account: nobody's. Raises LifeError for one that is closed."""
    if alarm.state is AlarmState.CLOSED:
        raise LifeError(f"alarm {alarm.id!r}: is closed and nobody's business any more", state=alarm.state.value)
    after = replace(alarm, assignee=account, assignee_name=name, revision=alarm.revision + 1)
    await _save(session, after)
    body = {
        "from": alarm.assignee,
        "from_name": alarm.assignee_name,
        "to": account,
        "to_name": name,
        "revision": after.revision,
    }
    await _tell(session, after, "assigned", body, entry)
    return after


async def comment(session: AsyncSession, alarm: Alarm, text: str, entry: AuditEntry) -> Alarm:
    """Say something on a held alarm. It is no change that others would have to load again."""
    after = replace(alarm, comments=alarm.comments + 1)
    await _save(session, after)
    await _tell(session, after, "comment", {"comment": text}, entry)
    return after


async def escalate(session: AsyncSession, alarm: Alarm, told: Escalated, *, again: bool = False) -> Alarm:
    """Take a held alarm one step up. No person does it, so the audit log has none of it. `again`: of the same intrusion
    somebody was told before."""
    after = replace(alarm, level=told.level, escalations=alarm.escalations + 1, revision=alarm.revision + 1)
    await _save(session, after)
    body = {
        "step": told.step,
        "name": told.name,
        "from_level": told.level_before,
        "to_level": told.level,
        "to_role": told.to_role,
        "channel": told.channel,
        "again": again,
        "revision": after.revision,
    }
    await append_alarm_record(session, alarm.id, "escalated", body, told.at)
    return after


async def history(session: AsyncSession, alarm: str) -> list[Happening]:
    """Everything that was written down of an alarm, oldest first."""
    found = []
    for link in await alarm_records(session, alarm):
        content: dict[str, Any] = msgspec.json.decode(link.content)
        found.append(
            Happening(
                number=link.number,
                at=float(content["at"]),
                kind=str(content["kind"]),
                body=content["body"],
                hash=link.hash,
            )
        )
    return found


async def _save(session: AsyncSession, alarm: Alarm) -> None:
    await session.execute(update(AlarmTable).where(AlarmTable.id == alarm.id).values(**life_columns(alarm)))


async def _tell(session: AsyncSession, alarm: Alarm, kind: str, body: Mapping[str, Any], entry: AuditEntry) -> None:
    by = {"by": entry.actor, "by_name": entry.actor_name}
    await append_alarm_record(session, alarm.id, kind, {**body, **by}, entry.at)
    await append_audit(session, entry)

"""Two chained, append-only logs: what happened to alarms, and who did what.

Both are written in the caller's transaction: what is not chained did not happen. Writers of one chain queue up behind
its head's row (SQLite lets in one writer at a time anyway).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.audit import AuditEntry
from perishield.model.chain import GENESIS, Link, canonical, link_hash
from perishield.store.tables import AlarmRecordTable, AuditTable, ChainHeadTable
from perishield.store.upsert import insert_into

ALARMS = "alarms"
AUDIT = "audit"


async def append_alarm_record(
    session: AsyncSession, alarm: str, kind: str, body: Mapping[str, Any], at: float | None = None
) -> Link:
    """Write down what happened to an alarm. `kind`: raised, transition, comment, evidence, ...; `at`: Unix seconds."""
    when = time.time() if at is None else at
    link = await _advance(session, ALARMS, {"alarm": alarm, "at": when, "kind": kind, "body": dict(body)})
    session.add(
        AlarmRecordTable(
            number=link.number,
            alarm=alarm,
            at=when,
            kind=kind,
            content=link.content,
            previous=link.previous,
            hash=link.hash,
        )
    )
    return link


async def append_audit(session: AsyncSession, entry: AuditEntry) -> Link:
    """Write down who did what."""
    link = await _advance(session, AUDIT, entry.content())
    session.add(
        AuditTable(
            number=link.number,
            at=entry.at,
            actor=entry.actor,
            actor_name=entry.actor_name,
            action=entry.action,
            kind=entry.kind,
            target=entry.target,
            camera=entry.camera,
            address=entry.address,
            content=link.content,
            previous=link.previous,
            hash=link.hash,
        )
    )
    return link


async def alarm_records(session: AsyncSession, alarm: str) -> Sequence[Link]:
    """All links of one alarm, oldest first; others' lie between them."""
    rows = await session.scalars(
        select(AlarmRecordTable).where(AlarmRecordTable.alarm == alarm).order_by(AlarmRecordTable.number)
    )
    return [_link(row) for row in rows]


async def alarm_chain(session: AsyncSession, first: int, last: int) -> Sequence[Link]:
    """The links from one number to another, both included."""
    rows = await session.scalars(
        select(AlarmRecordTable)
        .where(AlarmRecordTable.number >= first, AlarmRecordTable.number <= last)
        .order_by(AlarmRecordTable.number)
    )
    return [_link(row) for row in rows]


async def chain_head(session: AsyncSession, name: str) -> tuple[int, str]:
    """Number and hash of a chain's last link; (0, GENESIS) where there is none yet."""
    row = await session.get(ChainHeadTable, name, populate_existing=True)
    return (row.number, row.hash) if row else (0, GENESIS)


async def _advance(session: AsyncSession, name: str, content: Mapping[str, Any]) -> Link:
    query = (
        select(ChainHeadTable)
        .where(ChainHeadTable.name == name)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    head = await session.scalar(query)
    if head is None:
        # Of two that begin a chain at once, one waits here for the other's row.
        await session.execute(
            insert_into(session, ChainHeadTable).values(name=name, number=0, hash=GENESIS).on_conflict_do_nothing()
        )
        head = await session.scalar(query)
        if head is None:
            raise RuntimeError(f"the head of chain {name!r} cannot be read back")
    number, previous = head.number + 1, head.hash
    # The number is part of what is hashed: links cannot be dealt out anew.
    encoded = canonical({**content, "number": number})
    head.number, head.hash = number, link_hash(previous, encoded)
    await session.flush()
    return Link(number=number, content=encoded, previous=previous, hash=head.hash)


def _link(row: AlarmRecordTable) -> Link:
    return Link(number=row.number, content=row.content, previous=row.previous, hash=row.hash, digest=row.digest or "")

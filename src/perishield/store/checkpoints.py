"""Where the beginnings of chains were cut off."""

from __future__ import annotations

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.chain import sha256
from perishield.model.evidence import Checkpoint
from perishield.store.tables import AlarmRecordTable, AlarmTable
from perishield.store.tables_evidence import CheckpointTable


async def last_checkpoint(session: AsyncSession, chain: str) -> Checkpoint | None:
    """The newest cut; None where the chain is whole."""
    row = await session.scalar(
        select(CheckpointTable).where(CheckpointTable.chain == chain).order_by(CheckpointTable.number.desc()).limit(1)
    )
    if row is None:
        return None
    return Checkpoint(
        chain=row.chain, number=row.number, hash=row.hash, at=row.at, key=row.key, signature=row.signature
    )


async def add_checkpoint(session: AsyncSession, checkpoint: Checkpoint) -> None:
    session.add(
        CheckpointTable(
            chain=checkpoint.chain,
            number=checkpoint.number,
            hash=checkpoint.hash,
            at=checkpoint.at,
            key=checkpoint.key,
            signature=checkpoint.signature,
        )
    )
    await session.flush()


async def forget_contents(session: AsyncSession, alarm: str) -> int:
    """Delete what an alarm's records say; their digests stay, so the chain holds. Returns how many those were."""
    rows = await session.scalars(select(AlarmRecordTable).where(AlarmRecordTable.alarm == alarm))
    count = 0
    for row in rows:
        if row.content:
            row.digest, row.content = sha256(row.content), b""
            count += 1
    await session.flush()
    return count


async def last_to_cut(session: AsyncSession, before: float, limit: int) -> tuple[int, str] | None:
    """Number and hash of the last link that may go, of at most `limit` from the beginning; None where none may.

    A link stays while its alarm exists, while what it says is not older than `before` (Unix seconds), and behind any
    that stays.
    """
    says = (AlarmRecordTable.at >= before) & (func.length(AlarmRecordTable.content) > 0)
    stays = or_(exists().where(AlarmTable.id == AlarmRecordTable.alarm), says)
    beginning = (
        select(AlarmRecordTable.number, AlarmRecordTable.hash, stays.label("stays"))
        .order_by(AlarmRecordTable.number)
        .limit(limit)
    )
    last: tuple[int, str] | None = None
    for row in await session.execute(beginning):
        if row.stays:
            break
        last = (row.number, row.hash)
    return last


async def cut_links(session: AsyncSession, last: int) -> None:
    """Delete the alarms' records up to that number."""
    await session.execute(delete(AlarmRecordTable).where(AlarmRecordTable.number <= last))

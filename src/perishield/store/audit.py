"""The audit log, searched and read along its chain. It is written by `store.chain.append_audit`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.chain import GENESIS, Link, first_break
from perishield.store.chain import AUDIT, chain_head
from perishield.store.database import Database
from perishield.store.tables import AuditTable

_PIECE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """`action`: exactly that, or with a dot at its end all that begin so (`login.`). Times are Unix seconds."""

    actor: str | None = None
    action: str | None = None
    kind: str | None = None
    target: str | None = None
    camera: str | None = None
    address: str | None = None
    start: float | None = None
    end: float | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        for column, wanted in (
            (AuditTable.kind, self.kind),
            (AuditTable.target, self.target),
            (AuditTable.camera, self.camera),
            (AuditTable.address, self.address),
        ):
            if wanted is not None:
                found.append(column == wanted)
        if self.actor is not None:
            found.append((AuditTable.actor == self.actor) | (AuditTable.actor_name == self.actor))
        if self.action is not None:
            found.append(
                AuditTable.action.startswith(self.action, autoescape=True)
                if self.action.endswith(".")
                else AuditTable.action == self.action
            )
        if self.start is not None:
            found.append(AuditTable.at >= self.start)
        if self.end is not None:
            found.append(AuditTable.at < self.end)
        return found


async def list_audit(
    session: AsyncSession, wanted: AuditFilter, *, limit: int, before: int | None = None
) -> tuple[Sequence[Link], int | None]:
    """A page, newest first, and the number to go on before."""
    query = select(AuditTable).where(*wanted.conditions()).order_by(AuditTable.number.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(AuditTable.number < before)
    rows = list(await session.scalars(query))
    page = [_link(row) for row in rows[:limit]]
    return page, page[-1].number if len(rows) > limit else None


async def all_audit(database: Database, wanted: AuditFilter) -> AsyncIterator[Link]:
    """Everything that matches, oldest first, read piece by piece."""
    last = 0
    while True:
        async with database.read() as session:
            query = select(AuditTable).where(*wanted.conditions(), AuditTable.number > last)
            rows = [_link(row) for row in await session.scalars(query.order_by(AuditTable.number).limit(_PIECE))]
        for row in rows:
            yield row
            last = row.number
        if len(rows) < _PIECE:
            return


async def verify_audit(database: Database) -> tuple[int, str, str]:
    """How many links hold, the hash of the last of them, and what is wrong with the next; empty: nothing.

    The head is read first, so that what is written meanwhile does not matter.
    """
    async with database.read() as session:
        head, head_hash = await chain_head(session, AUDIT)
    number, previous = 0, GENESIS
    try:
        async for link in all_audit(database, AuditFilter()):
            if link.number > head:
                break
            if link.number != number + 1:
                return number, previous, f"record {number + 1} is missing"
            wrong = first_break([link], previous)
            if wrong:
                return number, previous, wrong
            number, previous = link.number, link.hash
    except (TypeError, ValueError):
        # Somebody has put in what is no content, or no hash.
        return number, previous, f"a record after {number} cannot be read"
    if number != head:
        return number, previous, f"record {number + 1} is missing"
    return number, previous, "" if previous == head_hash else "the last record is not the one that was written last"


def _link(row: AuditTable) -> Link:
    return Link(number=row.number, content=row.content, previous=row.previous, hash=row.hash)

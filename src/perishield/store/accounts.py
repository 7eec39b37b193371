"""Who may come in."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.tables import AccountTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person (or the node's own tools) with a role: `admin` changes things, `viewer` looks."""

    id: str
    username: str
    role: str
    password_hash: str = field(default="", repr=False)


async def count_accounts(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(AccountTable)) or 0


async def add_account(session: AsyncSession, username: str, password_hash: str, role: str) -> Account:
    row = AccountTable(
        id=uuid4().hex,
        username=username,
        folded=username.casefold(),
        password_hash=password_hash,
        role=role,
        created=time.time(),
    )
    session.add(row)
    await session.flush()
    return _account(row)


async def account_named(session: AsyncSession, username: str) -> Account | None:
    row = await session.scalar(select(AccountTable).where(AccountTable.folded == username.casefold()))
    return _account(row) if row else None


async def account_by_id(session: AsyncSession, account: str) -> Account | None:
    row = await session.get(AccountTable, account)
    return _account(row) if row else None


async def replace_hash(session: AsyncSession, account: str, password_hash: str) -> None:
    """Keep a password's new hash, when the cost of hashing was raised."""
    row = await session.get(AccountTable, account)
    if row is not None:
        row.password_hash = password_hash


def _account(row: AccountTable) -> Account:
    return Account(id=row.id, username=row.username, role=row.role, password_hash=row.password_hash)

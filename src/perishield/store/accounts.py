"""Who may come in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import uuid4

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.people import ADMINISTRATOR
from perishield.store.sealed_columns import place_of
from perishield.store.sealing import keyring_of
from perishield.store.tables import AccountTable
from perishield.store.tables_people import PasswordLinkTable, RecoveryCodeTable, RoleTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person (or the node's own tools) with a role, by its id. Times are Unix seconds, 0: never.

    `issuer` and `subject` name who vouches for them at login (OpenID Connect); empty: a password does.
    """

    id: str
    username: str
    role: str
    password_hash: str = field(default="", repr=False)
    full_name: str = ""
    disabled: bool = False
    created: float = 0.0
    last_login: float = 0.0
    totp_sealed: str = field(default="", repr=False)
    """The second factor's secret; `second_factor` opens it."""
    totp_on: bool = False
    totp_step: int = 0
    issuer: str = ""
    subject: str = ""
    revision: int = 1


async def count_accounts(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(AccountTable)) or 0


async def add_account(
    session: AsyncSession,
    username: str,
    password_hash: str,
    role: str,
    *,
    full_name: str = "",
    issuer: str = "",
    subject: str = "",
) -> Account:
    row = AccountTable(
        id=uuid4().hex,
        username=username,
        folded=username.casefold(),
        password_hash=password_hash,
        role=role,
        created=time.time(),
        full_name=full_name,
        disabled=False,
        last_login=0.0,
        sealed_totp="",
        totp_on=False,
        totp_step=0,
        issuer=issuer,
        subject=subject,
        revision=1,
    )
    session.add(row)
    await session.flush()
    return _account(row)


async def list_accounts(
    session: AsyncSession, *, search: str = "", role: str = "", disabled: bool | None = None, limit: int, offset: int
) -> tuple[list[Account], int]:
    """A page by name, and how many there are in all. `search`: a part of the user name or the full name."""
    conditions: list[ColumnElement[bool]] = []
    if search:
        conditions.append(
            or_(
                AccountTable.folded.contains(search.casefold(), autoescape=True),
                func.lower(AccountTable.full_name).contains(search.lower(), autoescape=True),
            )
        )
    if role:
        conditions.append(AccountTable.role == role)
    if disabled is not None:
        conditions.append(AccountTable.disabled.is_(disabled))
    total = await session.scalar(select(func.count()).select_from(AccountTable).where(*conditions)) or 0
    query = select(AccountTable).where(*conditions).order_by(AccountTable.folded).limit(limit).offset(offset)
    return [_account(row) for row in await session.scalars(query)], total


async def account_named(session: AsyncSession, username: str) -> Account | None:
    row = await session.scalar(select(AccountTable).where(AccountTable.folded == username.casefold()))
    return _account(row) if row else None


async def account_by_id(session: AsyncSession, account: str) -> Account | None:
    row = await session.get(AccountTable, account)
    return _account(row) if row else None


async def account_vouched(session: AsyncSession, issuer: str, subject: str) -> Account | None:
    row = await session.scalar(
        select(AccountTable).where(AccountTable.issuer == issuer, AccountTable.subject == subject)
    )
    return _account(row) if row else None


async def update_account(session: AsyncSession, account: Account, expected: int | None = None) -> Account | None:
    """Keep name, full name, role and whether it is disabled. None where it is gone or its revision is another."""
    row = await session.get(AccountTable, account.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    row.username, row.folded = account.username, account.username.casefold()
    row.full_name, row.role, row.disabled = account.full_name, account.role, account.disabled
    row.revision += 1
    await session.flush()
    return _account(row)


async def delete_account(session: AsyncSession, account: str) -> None:
    await session.execute(delete(AccountTable).where(AccountTable.id == account))


async def other_administrators(session: AsyncSession, account: str) -> int:
    """How many could still change everything without this one. The role's row is locked, so that two cannot both go."""
    await session.scalar(select(RoleTable.id).where(RoleTable.id == ADMINISTRATOR).with_for_update())
    query = (
        select(func.count())
        .select_from(AccountTable)
        .where(
            AccountTable.role == ADMINISTRATOR,
            AccountTable.disabled.is_(False),
            AccountTable.id != account,
        )
    )
    return await session.scalar(query) or 0


async def replace_hash(session: AsyncSession, account: str, password_hash: str) -> None:
    """Keep a password's new hash."""
    await session.execute(update(AccountTable).where(AccountTable.id == account).values(password_hash=password_hash))


async def logged_in(session: AsyncSession, account: str, at: float) -> None:
    await session.execute(update(AccountTable).where(AccountTable.id == account).values(last_login=at))


async def keep_totp(session: AsyncSession, account: str, secret: str, *, on: bool, step: int = 0) -> None:
    """Set (or, with an empty secret, take away) the second factor."""
    sealed = keyring_of(session).seal(secret, place_of(AccountTable.sealed_totp, account))
    await session.execute(
        update(AccountTable).where(AccountTable.id == account).values(sealed_totp=sealed, totp_on=on, totp_step=step)
    )


def second_factor(session: AsyncSession, account: Account) -> str:
    """The secret that codes are made of, in base32; empty: none. Raises ConfigError without its key."""
    return keyring_of(session).unseal(account.totp_sealed, place_of(AccountTable.sealed_totp, account.id))


async def use_totp_step(session: AsyncSession, account: str, step: int) -> bool:
    """Whether the step is later than all that were used; it is used then."""
    done = await session.scalars(
        update(AccountTable)
        .where(AccountTable.id == account, AccountTable.totp_step < step)
        .values(totp_step=step)
        .returning(AccountTable.id)
    )
    return done.first() is not None


async def keep_recovery_codes(session: AsyncSession, account: str, codes: Iterable[str]) -> None:
    """In place of those before."""
    await session.execute(delete(RecoveryCodeTable).where(RecoveryCodeTable.account == account))
    session.add_all(RecoveryCodeTable(account=account, hash=digest(code)) for code in codes)
    await session.flush()


async def use_recovery_code(session: AsyncSession, account: str, code: str) -> bool:
    gone = await session.scalars(
        delete(RecoveryCodeTable)
        .where(RecoveryCodeTable.account == account, RecoveryCodeTable.hash == digest(code))
        .returning(RecoveryCodeTable.hash)
    )
    return gone.first() is not None


async def recovery_codes_left(session: AsyncSession, account: str) -> int:
    query = select(func.count()).select_from(RecoveryCodeTable).where(RecoveryCodeTable.account == account)
    return await session.scalar(query) or 0


async def add_password_link(session: AsyncSession, account: str, token: str, expires: float) -> None:
    """In place of those before."""
    await session.execute(delete(PasswordLinkTable).where(PasswordLinkTable.account == account))
    session.add(PasswordLinkTable(hash=digest(token), account=account, expires=expires))
    await session.flush()


async def use_password_link(session: AsyncSession, token: str, now: float) -> str | None:
    """The account that it sets a password for; it is worthless afterwards."""
    gone = await session.scalars(
        delete(PasswordLinkTable)
        .where(PasswordLinkTable.hash == digest(token), PasswordLinkTable.expires > now)
        .returning(PasswordLinkTable.account)
    )
    return gone.first()


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal: enough for secrets of high entropy, which nobody can try one by one."""
    return sha256(secret.encode(errors="replace")).hexdigest()


def _account(row: AccountTable) -> Account:
    return Account(
        id=row.id,
        username=row.username,
        role=row.role,
        password_hash=row.password_hash,
        full_name=row.full_name,
        disabled=row.disabled,
        created=row.created,
        last_login=row.last_login,
        totp_sealed=row.sealed_totp,
        totp_on=row.totp_on,
        totp_step=row.totp_step,
        issuer=row.issuer,
        subject=row.subject,
        revision=row.revision,
    )

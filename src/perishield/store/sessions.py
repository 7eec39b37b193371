"""Logins and their refresh tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.accounts import digest
from perishield.store.tables_people import RefreshTokenTable, SessionTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Unix seconds throughout. `expires` moves on with every renewal, up to `ends`; `revoked` 0: it is not."""

    id: str
    account: str
    created: float
    seen: float
    expires: float
    ends: float
    address: str
    device: str
    revoked: float = 0.0

    def alive(self, now: float) -> bool:
        return not self.revoked and now < min(self.expires, self.ends)


async def add_session(session: AsyncSession, login: Login, refresh: str) -> None:
    session.add(
        SessionTable(
            id=login.id,
            account=login.account,
            created=login.created,
            seen=login.seen,
            expires=login.expires,
            ends=login.ends,
            revoked=0.0,
            address=login.address[:64],
            device=login.device[:200],
        )
    )
    await session.flush()
    session.add(RefreshTokenTable(hash=digest(refresh), session=login.id, used=0.0))
    await session.flush()


async def get_session(session: AsyncSession, login: str) -> Login | None:
    row = await session.get(SessionTable, login)
    return _login(row) if row else None


async def refresh_token(session: AsyncSession, token: str) -> tuple[Login, float] | None:
    """Whose it is, and when it was used (0: not yet). The session's row is locked."""
    kept = await session.get(RefreshTokenTable, digest(token), populate_existing=True)
    if kept is None:
        return None
    row = await session.get(SessionTable, kept.session, with_for_update=True, populate_existing=True)
    # Of two that renew at once, the second waited for the lock and must see what the first has done.
    await session.refresh(kept)
    return (_login(row), kept.used) if row else None


async def rotate(session: AsyncSession, login: Login, old: str, new: str, now: float) -> None:
    """The old token is used, the new one counts; what the session says about its end is kept."""
    await session.execute(update(RefreshTokenTable).where(RefreshTokenTable.hash == digest(old)).values(used=now))
    session.add(RefreshTokenTable(hash=digest(new), session=login.id, used=0.0))
    await session.execute(
        update(SessionTable)
        .where(SessionTable.id == login.id)
        .values(seen=login.seen, expires=login.expires, address=login.address[:64])
    )
    await session.flush()


async def revoke(session: AsyncSession, now: float, *, account: str = "", login: str = "", but: str = "") -> list[str]:
    """End one session, or all of an account but one. Returns those that were ended."""
    query = update(SessionTable).where(SessionTable.revoked == 0)
    query = query.where(SessionTable.id == login) if login else query.where(SessionTable.account == account)
    if login and account:
        query = query.where(SessionTable.account == account)
    if but:
        query = query.where(SessionTable.id != but)
    return list(await session.scalars(query.values(revoked=now).returning(SessionTable.id)))


async def list_sessions(session: AsyncSession, account: str, now: float) -> list[Login]:
    """Those of an account that are alive, the last used first."""
    query = (
        select(SessionTable)
        .where(SessionTable.account == account, SessionTable.revoked == 0, SessionTable.expires > now)
        .order_by(SessionTable.seen.desc())
    )
    return [_login(row) for row in await session.scalars(query)]


async def revoked_since(session: AsyncSession, moment: float) -> Sequence[tuple[str, float]]:
    """Ids of sessions that were ended since then, and when."""
    rows = await session.execute(select(SessionTable.id, SessionTable.revoked).where(SessionTable.revoked > moment))
    return [(row.id, row.revoked) for row in rows]


async def forget_sessions(session: AsyncSession, before: float) -> None:
    """Sessions that were over by then, with their tokens."""
    await session.execute(delete(SessionTable).where(SessionTable.expires < before))


def _login(row: SessionTable) -> Login:
    return Login(
        id=row.id,
        account=row.account,
        created=row.created,
        seen=row.seen,
        expires=row.expires,
        ends=row.ends,
        address=row.address,
        device=row.device,
        revoked=row.revoked,
    )

"""How a login begins and ends: the session, its tokens and what the audit log says of it."""

from __future__ import annotations

import time

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.security import Identity, address_of, audited, identify
from perishield.api.services import Services
from perishield.api.session_out import SessionOut, UserOut
from perishield.log import Log
from perishield.model.access import Reach
from perishield.model.audit import AuditEntry
from perishield.store.accounts import Account, logged_in
from perishield.store.chain import append_audit
from perishield.store.database import Database
from perishield.store.sessions import Login, revoke

log = Log("auth")

COOKIE = "perishield_refresh"
COOKIE_PATH = "/api/auth"


async def begin_login(
    parts: Services, request: Request, response: Response, account: Account, *, cookie: bool, how: str
) -> SessionOut:
    """A new session. With `cookie` the refresh token goes to a cookie that scripts cannot read, else to the body."""
    async with parts.database.write() as session:
        login, refresh = await begun(parts, session, request, account, how)
    log.info("login.accepted", username=account.username, address=login.address, how=how)
    return await answer(parts, response, login, account, refresh, cookie=cookie)


async def begun(
    parts: Services, session: AsyncSession, request: Request, account: Account, how: str
) -> tuple[Login, str]:
    """The session and its refresh token, in the caller's transaction."""
    device = request.headers.get("user-agent", "")[:200]
    login, refresh = await parts.people.sessions.begin(session, account.id, address_of(request), device)
    await logged_in(session, account.id, login.created)
    await append_audit(session, _entry(request, account, login.id, how))
    return login, refresh


async def answer(
    parts: Services, response: Response, login: Login, account: Account, refresh: str | None, *, cookie: bool
) -> SessionOut:
    """What a client gets; without a refresh token the one that it has still counts."""
    token = parts.tokens.issue(account, login.id)
    user: UserOut = (await identify(parts, token)).out()
    made: SessionOut = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": parts.tokens.lifetime_s,
        "session_s": max(0, int(login.expires - time.time())),
        "user": user,
    }
    if refresh is not None and cookie:
        set_cookie(parts, response, refresh, int(login.expires - time.time()))
    elif refresh is not None:
        made["refresh_token"] = refresh
    return made


def set_cookie(parts: Services, response: Response, refresh: str, lasts_s: int) -> None:
    response.set_cookie(
        COOKIE,
        refresh,
        max_age=lasts_s,
        path=COOKIE_PATH,
        secure=parts.people.secure,
        httponly=True,
        samesite="strict",
    )


def clear_cookie(parts: Services, response: Response) -> None:
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=parts.people.secure, httponly=True, samesite="strict")


async def refuse_login(database: Database, request: Request, username: str, reason: str) -> None:
    """Write down that somebody was not let in."""
    log.warning("login.refused", username=username, address=address_of(request), reason=reason)
    nobody = Identity("", username, "", 0.0, Reach(frozenset()))
    entry = audited(request, nobody, "login.refused", kind="account", target=username[:255], reason=reason)
    async with database.write() as session:
        await append_audit(session, entry)


async def end_sessions(
    parts: Services, session: AsyncSession, *, account: str = "", login: str = "", but: str = ""
) -> list[str]:
    """End sessions in the caller's transaction; call `ended` once it is committed."""
    return await revoke(session, time.time(), account=account, login=login, but=but)


def ended(parts: Services, logins: list[str]) -> None:
    """Refuse what these sessions' access tokens ask from now on, and close their sockets."""
    parts.people.sessions.forget(logins, time.time())
    parts.people.access.tell()


def _entry(request: Request, account: Account, login: str, how: str) -> AuditEntry:
    who = Identity(account.id, account.username, account.role, 0.0, Reach(frozenset()))
    return audited(request, who, "login.accepted", kind="account", target=account.id, session=login, how=how)

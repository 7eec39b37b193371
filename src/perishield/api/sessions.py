"""Logins: a short access token, and a refresh token that is worth one renewal.

Whoever copies a refresh token and uses it makes its owner's next renewal a second use, or comes second himself: either
way the session ends. Ended sessions are kept in memory as long as an access token of theirs could still be shown.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.problems import ProblemError
from perishield.api.tokens import unauthorized
from perishield.model.people import AccountsPlan
from perishield.store.database import Database
from perishield.store.sessions import (
    Login,
    add_session,
    forget_sessions,
    refresh_token,
    revoke,
    revoked_since,
    rotate,
)

_GRACE_S = 20.0
"""Two tabs, or a repeated request whose answer was lost, may show the same token within this time."""
_LAPSED = "the login has ended; log in again"


class Sessions:
    """Begins, renews and ends logins."""

    def __init__(self, database: Database, plan: AccountsPlan) -> None:
        self._database = database
        self._idle_s = plan.idle_minutes * 60
        self._longest_s = plan.longest_days * 86_400
        self._access_s = plan.access_minutes * 60
        self._revoked: dict[str, float] = {}

    async def load(self) -> None:
        """Learn which sessions were ended, by this process or another."""
        now = time.time()
        async with self._database.read() as session:
            ended = await revoked_since(session, now - self._access_s - 60)
        self._revoked = dict(ended) | {
            login: when for login, when in self._revoked.items() if when > now - self._access_s - 60
        }

    async def sweep(self) -> None:
        """Forget sessions that have been over for a day."""
        async with self._database.write() as session:
            await forget_sessions(session, time.time() - 86_400)

    def ended(self, login: str) -> bool:
        return login in self._revoked

    async def begin(self, session: AsyncSession, account: str, address: str, device: str) -> tuple[Login, str]:
        """A new login and its refresh token, in the caller's transaction."""
        now = time.time()
        login = Login(
            id=uuid4().hex,
            account=account,
            created=now,
            seen=now,
            expires=now + min(self._idle_s, self._longest_s),
            ends=now + self._longest_s,
            address=address,
            device=device,
        )
        refresh = _token()
        await add_session(session, login, refresh)
        return login, refresh

    async def renew(self, token: str, address: str) -> tuple[Login, str | None]:
        """The session, and the refresh token that counts from now on (None: the one that another request has got).

        Raises ProblemError (401). A token that was used before ends its session.
        """
        now = time.time()
        async with self._database.write() as session:
            found = await refresh_token(session, token)
            if found is None or not found[0].alive(now):
                raise unauthorized(_LAPSED)
            login, used = found
            if not used:
                login = replace(login, seen=now, expires=min(now + self._idle_s, login.ends), address=address)
                fresh = _token()
                await rotate(session, login, token, fresh, now)
                return login, fresh
            if now - used < _GRACE_S:
                return login, None
            gone = await revoke(session, now, login=login.id)
        self.forget(gone, now)
        raise ReusedError(login)

    def forget(self, logins: list[str], now: float) -> None:
        """These were ended: refuse their access tokens from now on."""
        self._revoked |= dict.fromkeys(logins, now)


class ReusedError(ProblemError):
    """A refresh token came back after its use; its session is ended."""

    def __init__(self, login: Login) -> None:
        super().__init__(401, "this refresh token was used before, so the login was ended; log in again")
        self.login = login


def _token() -> str:
    return f"psr_{secrets.token_urlsafe(32)}"

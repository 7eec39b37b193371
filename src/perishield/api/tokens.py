"""Login tokens: JSON Web Tokens (RFC 7519) signed with HS256."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from perishield.api.problems import ProblemError
from perishield.store.accounts import Account

_ISSUER = "perishield"
_ALGORITHM = "HS256"
MACHINE = "machine"
"""Subject of the token that the node's own tools on this host use."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `expires`: Unix seconds."""

    subject: str
    username: str
    role: str
    expires: float
    session: str = ""


class Tokens:
    """Issues and reads tokens of one key."""

    def __init__(self, key: bytes, minutes: float) -> None:
        self._key = key
        self.lifetime_s = int(minutes * 60)

    def issue(self, account: Account, session: str = "") -> str:
        """A token of one login; without a session it is good for nothing but to be read."""
        return self._issue(account.id, account.username, account.role, self.lifetime_s, session)

    def issue_machine(self, lifetime_s: int) -> str:
        return self._issue(MACHINE, MACHINE, "viewer", lifetime_s)

    def read(self, token: str) -> Claims:
        """What the token says. Raises ProblemError (401, `unauthorized`)."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "iss", "sub"]},
            )
            return Claims(
                str(claims["sub"]),
                str(claims["name"]),
                str(claims["role"]),
                float(claims["exp"]),
                str(claims.get("sid", "")),
            )
        except jwt.ExpiredSignatureError as error:
            raise unauthorized("the login has expired; log in again") from error
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise unauthorized("this token is not valid; log in again") from error

    def _issue(self, subject: str, name: str, role: str, lifetime_s: int, session: str = "") -> str:
        now = int(time.time())
        claims = {"iss": _ISSUER, "sub": subject, "name": name, "role": role, "iat": now, "exp": now + lifetime_s}
        if session:
            claims["sid"] = session
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)


def unauthorized(message: str) -> ProblemError:
    return ProblemError(401, message, headers={"WWW-Authenticate": "Bearer"})

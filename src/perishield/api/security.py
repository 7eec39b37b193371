"""Who asks, and what they may: the only place where requests and sockets are let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from perishield.api.outputs import UserOut
from perishield.api.problems import ProblemError
from perishield.api.services import Services, services_of
from perishield.api.tokens import MACHINE, unauthorized
from perishield.store.accounts import account_by_id

ADMIN = "admin"

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The `access_token` of a login or setup.")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `expires`: Unix seconds at which the login ends."""

    id: str
    username: str
    role: str
    expires: float

    def out(self) -> UserOut:
        return {"id": self.id, "username": self.username, "role": self.role}


async def identify(services: Services, token: str) -> Identity:
    """Who bears this token. Raises ProblemError (401, `unauthorized`)."""
    claims = services.tokens.read(token)
    if claims.subject == MACHINE:
        return Identity(MACHINE, MACHINE, claims.role, claims.expires)
    async with services.database.read() as session:
        account = await account_by_id(session, claims.subject)
    if account is None:
        raise unauthorized("this account is gone; log in with another")
    return Identity(account.id, account.username, account.role, claims.expires)


async def require_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Somebody who has logged in."""
    if credentials is None:
        raise unauthorized("log in first")
    return await identify(services_of(request), credentials.credentials)


async def require_admin(user: Annotated[Identity, Depends(require_user)]) -> Identity:
    """Somebody who may change things."""
    if user.role != ADMIN:
        raise ProblemError(403, "only administrators may do this")
    return user


async def require_signature(request: Request) -> None:
    """A link that this node signed, not yet expired. Every parameter of the address belongs to the signature."""
    params = dict(request.query_params)
    if len(params) != len(request.query_params.multi_items()):
        raise ProblemError(403, "this link is not valid; ask the API for a new one")
    services_of(request).links.check(request.scope["path"], params)


async def require_signature_or_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Either will do: scripts bring a token, `<img>` brings a signed link."""
    if "signature" in request.query_params:
        await require_signature(request)
    else:
        await require_user(request, credentials)


User = Annotated[Identity, Depends(require_user)]
Parts = Annotated[Services, Depends(services_of)]

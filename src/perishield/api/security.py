"""Who asks, and what they may: the only place where requests and sockets are let in.

Every route that is not public names an action by `may(Action.X)`. Whoever gets through has a reach that is narrowed to
the cameras at which that action is allowed; a camera in the path that lies beyond it is answered like one that is not
there.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from perishield.api.problems import ProblemError, not_found
from perishield.api.services import Services, services_of
from perishield.api.session_out import UserOut
from perishield.api.sight import CLEAR, let_see, let_see_by
from perishield.api.tokens import MACHINE, unauthorized
from perishield.api.viewings import WATCHED
from perishield.model.access import Action, Reach
from perishield.model.audit import AuditEntry
from perishield.model.people import ADMINISTRATOR
from perishield.store.accounts import account_by_id, digest
from perishield.store.api_keys import get_api_key, key_used
from perishield.store.sessions import get_session

ADMIN = ADMINISTRATOR
KEY_PREFIX = "psk_"
_KEY_USED_EVERY_S = 60.0

_bearer = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="The `access_token` of a login or setup, or an API key."
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `expires`: Unix seconds at which the login ends. `id` of a machine's key: `key:ID`."""

    id: str
    username: str
    role: str
    expires: float
    reach: Reach
    session: str = ""
    enrol: bool = False
    """Their role asks for a second factor that they do not have yet: until then they may do nothing else."""
    full_name: str = ""

    def out(self) -> UserOut:
        return {
            "id": self.id,
            "username": self.username,
            "full_name": self.full_name,
            "role": self.role,
            "actions": sorted(self.reach.actions),
            "everywhere": sorted(action for action in self.reach.actions if self.reach.cameras_for(action) is None),
            "all_cameras": self.reach.cameras is None,
            "totp_enrolment": self.enrol,
        }


def unmasked(reach: Reach) -> frozenset[str] | None:
    """The cameras at which a caller sees what privacy masks cover; None: all."""
    return reach.cameras_for(Action.PRIVACY_UNMASK)


async def identify(services: Services, token: str) -> Identity:
    """Who bears this token. Raises ProblemError (401, `unauthorized`)."""
    if token.startswith(KEY_PREFIX):
        return await _identify_key(services, token)
    access = services.people.access
    claims = services.tokens.read(token)
    if claims.subject == MACHINE:
        return Identity(MACHINE, MACHINE, claims.role, claims.expires, access.reach(claims.role))
    if not claims.session or services.people.sessions.ended(claims.session):
        raise unauthorized("this login was ended; log in again")
    async with services.database.read() as session:
        account = await account_by_id(session, claims.subject)
    if account is None:
        raise unauthorized("this account is gone; log in with another")
    if account.disabled:
        raise unauthorized("this account is disabled; ask an administrator")
    role = access.role(account.role)
    return Identity(
        account.id,
        account.username,
        account.role,
        claims.expires,
        access.reach(account.role),
        session=claims.session,
        enrol=role is not None and role.totp and not account.totp_on and not account.issuer,
        full_name=account.full_name,
    )


async def still_in(services: Services, identity: Identity) -> Identity:
    """Who somebody is now that has been connected for a while. Raises ProblemError (401) when they are out."""
    access, now = services.people.access, time.time()
    if identity.id == MACHINE:
        return replace(identity, reach=access.reach(identity.role))
    async with services.database.read() as session:
        if identity.id.startswith("key:"):
            key = await get_api_key(session, identity.id.removeprefix("key:"))
            if key is None or key.revoked or (key.expires and key.expires <= now):
                raise unauthorized("this API key does not count any more")
            return replace(identity, reach=access.key_reach(key))
        login = await get_session(session, identity.session)
        account = await account_by_id(session, identity.id)
    if login is None or not login.alive(now) or account is None or account.disabled:
        raise unauthorized("this login was ended; log in again")
    return replace(identity, role=account.role, reach=access.reach(account.role), expires=login.ends)


async def require_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Somebody who has logged in. `may` is what routes ask for; this alone is for one's own account."""
    services = services_of(request)
    try:
        if credentials is None:
            raise unauthorized("log in first")
        user = await identify(services, credentials.credentials)
    except ProblemError:
        services.people.rates.take(f"address:{address_of(request)}")
        raise
    services.people.rates.take(user.id)
    let_see(unmasked(user.reach))
    return user


@cache
def may(action: Action, *, everywhere: bool = False) -> Callable[[Request, Identity], Awaitable[Identity]]:
    """A dependency that lets in who may do this: `who: Annotated[Identity, Depends(may(Action.ALARMS_HANDLE))]`.

    `everywhere`: only who may do it at every camera.
    """

    async def check(request: Request, user: Annotated[Identity, Depends(require_user)]) -> Identity:
        return await permitted(request, user, action, everywhere=everywhere)

    check.action = action  # type: ignore[attr-defined]
    return check


async def permitted(
    connection: HTTPConnection, user: Identity, action: Action | None, *, everywhere: bool = False
) -> Identity:
    """The caller with the reach that this action has. Raises ProblemError (403, or 404 for a camera out of reach)."""
    if user.enrol:
        raise ProblemError(403, "your role asks for a second factor; set one up first", code="totp_enrolment")
    if action is None:
        return user
    if action not in user.reach.actions:
        raise ProblemError(
            403,
            f"this needs the permission {action.value!r}, which your role lacks",
            why="needs_action",
            action=action.value,
        )
    narrowed = replace(user, reach=user.reach.narrowed(action))
    if everywhere and narrowed.reach.cameras is not None:
        raise ProblemError(
            403,
            f"this needs the permission {action.value!r} for all cameras",
            why="needs_everywhere",
            action=action.value,
        )
    camera = connection.path_params.get("camera")
    if isinstance(camera, str):
        if not narrowed.reach.sees(camera):
            raise not_found("camera", camera)
        await viewed(connection, narrowed, action, camera)
    return narrowed


async def viewed(connection: HTTPConnection, user: Identity, action: Action, camera: str) -> None:
    """Write down that somebody looks at a camera or its recordings, if that is what the action is."""
    if action in WATCHED and user.id != MACHINE:
        entry = audited(connection, user, action.value, kind="camera", target=camera[:255], camera=camera[:63])
        await services_of(connection).people.viewings.note(entry)


def audited(
    connection: HTTPConnection,
    user: Identity,
    action: str,
    *,
    kind: str = "",
    target: str = "",
    camera: str = "",
    **detail: object,
) -> AuditEntry:
    """An entry for `store.chain.append_audit`, with who asks and from where. `detail` must hold no secret."""
    return AuditEntry(
        at=time.time(),
        actor=user.id,
        actor_name=user.username,
        action=action,
        kind=kind,
        target=target,
        camera=camera,
        address=address_of(connection),
        request=str(connection.scope.get("state", {}).get("request_id", "")),
        detail=detail,
    )


def address_of(connection: HTTPConnection) -> str:
    """Of the host at the other end of the connection; a proxy's, where one stands between."""
    return connection.client.host[:64] if connection.client else ""


async def require_signature(request: Request) -> None:
    """A link that this node signed, not yet expired. Every parameter of the address belongs to the signature."""
    params = dict(request.query_params)
    if len(params) != len(request.query_params.multi_items()):
        raise ProblemError(403, "this link is not valid; ask the API for a new one")
    services_of(request).links.check(request.scope["path"], params)
    let_see_by(params.get(CLEAR))


@cache
def signed_or_may(
    action: Action,
) -> Callable[[Request, HTTPAuthorizationCredentials | None], Awaitable[Identity | None]]:
    """Either will do: scripts bring a token, `<img>` brings a signed link (then nobody is known)."""

    async def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Identity | None:
        if "signature" in request.query_params:
            await require_signature(request)
            return None
        return await permitted(request, await require_user(request, credentials), action)

    check.action = action  # type: ignore[attr-defined]
    return check


async def _identify_key(services: Services, token: str) -> Identity:
    key_id, _, secret = token.removeprefix(KEY_PREFIX).partition("_")
    now = time.time()
    async with services.database.read() as session:
        key = await get_api_key(session, key_id[:16])
    if key is None or not hmac.compare_digest(key.hash, digest(secret)) or key.revoked:
        raise unauthorized("this API key does not count; make another one")
    if key.expires and key.expires <= now:
        raise unauthorized("this API key has expired; make another one")
    if now - key.used >= _KEY_USED_EVERY_S:
        async with services.database.write() as session:
            await key_used(session, key.id, now)
    reach = services.people.access.key_reach(key)
    return Identity(f"key:{key.id}", key.name, "key", key.expires or now + 86_400 * 365, reach)


User = Annotated[Identity, Depends(require_user)]
Parts = Annotated[Services, Depends(services_of)]

"""What both WebSockets do alike: let in by the first message, hear, send, and end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from perishield.api.problems import ProblemError
from perishield.api.security import Identity, identify, permitted, still_in, unmasked
from perishield.api.services import Services, services_of
from perishield.api.sight import let_see
from perishield.log import Log
from perishield.model.access import Action

log = Log("socket")

UNAUTHORIZED = 4401
FORBIDDEN = 4403
RESTARTED = 1012
NOT_FOUND = 4404
MASKED = 4406
BUSY = 1013
LARGEST_MESSAGE = 64 * 1024
_LOGIN_S = 5.0
_LOOK_AGAIN_S = 30.0


@asynccontextmanager
async def admitted(socket: WebSocket, action: Action | None) -> AsyncIterator[Identity | None]:
    """Who is at the other end, or None where the socket was closed: 4401 without a valid login, 4403 where it does not
    allow this, 4404 for a camera in the path that is out of reach, 1013 when full. `action` None: a login is enough.
    """
    services = services_of(socket)
    await socket.accept()
    with services.slots.stranger() as free:
        identity = await _log_in(socket, services, action) if free else None
    if not free:
        await close(socket, BUSY, "too many connections")
    if identity is None:
        yield None
        return
    with services.slots.member() as free:
        if not free:
            await close(socket, BUSY, "too many connections")
        yield identity if free else None


async def _log_in(socket: WebSocket, services: Services, action: Action | None) -> Identity | None:
    try:
        async with asyncio.timeout(_LOGIN_S):
            message = await _hear(socket)
            if message is None or message.get("type") != "auth" or not isinstance(message.get("token"), str):
                raise ProblemError(401, "the first message is not a login")
            identity = await identify(services, message["token"])
        identity = await permitted(socket, identity, action)
        let_see(unmasked(identity.reach))
        # An access token is short; a socket lasts as long as its login.
        now = await still_in(services, identity)
        return replace(identity, expires=now.expires)
    except WebSocketDisconnect:
        return None
    except TimeoutError:
        await close(socket, UNAUTHORIZED, "no login within 5 s")
    except ProblemError as error:
        code = {401: UNAUTHORIZED, 404: NOT_FOUND}.get(error.status, FORBIDDEN)
        await close(socket, code, error.message)
    return None


async def converse(
    socket: WebSocket, identity: Identity, sending: Coroutine[Any, Any, None], hear: Callable[[dict[str, Any]], None]
) -> None:
    """Send and hear until either side ends it, the login ends (4401), or what it allows has changed (1012)."""

    async def hearing() -> None:
        while True:
            message = await _hear(socket)
            if message is not None:
                hear(message)

    watching = asyncio.create_task(_out(services_of(socket), identity))
    tasks = [asyncio.create_task(sending), asyncio.create_task(hearing()), watching]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    if done == {watching} and not watching.exception():
        await close(socket, *watching.result())
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result


async def _out(services: Services, identity: Identity) -> tuple[int, str]:
    """Wait until somebody who is connected must go, and say why."""
    access, reach = services.people.access, identity.reach
    while (left := identity.expires - time.time()) > 0:
        # Whatever changes after this look wakes the wait.
        changed = asyncio.create_task(access.changed(min(left, _LOOK_AGAIN_S)))
        try:
            now = await still_in(services, identity)
            # Its cameras may be those of one action; what is compared has them all.
            if (now.reach.actions, now.reach.grants) != (reach.actions, reach.grants):
                return RESTARTED, "what you may do has changed; connect again"
            await changed
        except ProblemError as error:
            return UNAUTHORIZED, error.message
        finally:
            changed.cancel()
    return UNAUTHORIZED, "the login has expired"


async def _hear(socket: WebSocket) -> dict[str, Any] | None:
    """The next message, or None for one that is not a JSON object. Raises WebSocketDisconnect."""
    raw = await socket.receive()
    if raw["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(raw.get("code", 1005))
    try:
        message = json.loads(raw.get("text") or "")
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


async def close_unknown(socket: WebSocket, camera: str) -> None:
    await close(socket, NOT_FOUND, f"camera {camera[:63]!r}: there is none")


async def close_masked(socket: WebSocket, camera: str) -> None:
    await close(socket, MASKED, f"camera {camera[:63]!r}: has privacy masks, and live video cannot be masked")


async def close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        # A close frame holds 123 bytes of reason (RFC 6455, section 5.5).
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
    except (WebSocketDisconnect, RuntimeError) as error:
        log.debug("socket.gone", message=str(error))

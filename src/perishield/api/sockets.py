"""What both WebSockets do alike: let in by the first message, hear, send, and end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from perishield.api.problems import ProblemError
from perishield.api.security import Identity, identify
from perishield.api.services import Services, services_of
from perishield.log import Log

log = Log("socket")

UNAUTHORIZED = 4401
NOT_FOUND = 4404
BUSY = 1013
LARGEST_MESSAGE = 64 * 1024
_LOGIN_S = 5.0


@asynccontextmanager
async def admitted(socket: WebSocket) -> AsyncIterator[Identity | None]:
    """Who is at the other end, or None where the socket was closed: 4401 without a valid login, 1013 when full."""
    services = services_of(socket)
    await socket.accept()
    with services.slots.stranger() as free:
        identity = await _log_in(socket, services) if free else None
    if not free:
        await close(socket, BUSY, "too many connections")
    if identity is None:
        yield None
        return
    with services.slots.member() as free:
        if not free:
            await close(socket, BUSY, "too many connections")
        yield identity if free else None


async def _log_in(socket: WebSocket, services: Services) -> Identity | None:
    try:
        async with asyncio.timeout(_LOGIN_S):
            message = await _hear(socket)
            if message is None or message.get("type") != "auth" or not isinstance(message.get("token"), str):
                raise ProblemError(401, "the first message is not a login")
            return await identify(services, message["token"])
    except WebSocketDisconnect:
        return None
    except TimeoutError:
        await close(socket, UNAUTHORIZED, "no login within 5 s")
    except ProblemError as error:
        await close(socket, UNAUTHORIZED, error.message)
    return None


async def converse(
    socket: WebSocket, identity: Identity, sending: Coroutine[Any, Any, None], hear: Callable[[dict[str, Any]], None]
) -> None:
    """Send and hear until either side ends it, or the login expires (4401)."""

    async def hearing() -> None:
        while True:
            message = await _hear(socket)
            if message is not None:
                hear(message)

    tasks = [asyncio.create_task(sending), asyncio.create_task(hearing())]
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=max(0.0, identity.expires - time.time()), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    if not done:
        await close(socket, UNAUTHORIZED, "the login has expired")
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result


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


async def close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        # A close frame holds 123 bytes of reason (RFC 6455, section 5.5).
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
    except (WebSocketDisconnect, RuntimeError) as error:
        log.debug("socket.gone", message=str(error))

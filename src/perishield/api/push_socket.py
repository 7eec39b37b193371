"""`/ws`: alarms, tracks and states as they happen."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.websockets import WebSocket

from perishield.api.outputs import process_out
from perishield.api.push import TOPICS, Listener, encode
from perishield.api.services import Services, services_of
from perishield.api.sockets import admitted, converse

router = APIRouter()

_MOST_CAMERAS = 4096


@router.websocket("/ws")
async def push_socket(socket: WebSocket) -> None:
    services = services_of(socket)
    async with admitted(socket) as identity:
        if identity is None:
            return
        with services.push.listening() as listener:
            listener.offer(encode({"type": "ready"}))
            await converse(socket, identity, _send(socket, listener), lambda heard: answer(services, listener, heard))


async def _send(socket: WebSocket, listener: Listener) -> None:
    while True:
        await socket.send_text(await listener.next())


def answer(services: Services, listener: Listener, message: dict[str, Any]) -> None:
    """Do what a client asks. What it cannot mean is answered with an error and changes nothing."""
    kind = message.get("type")
    if kind == "ping":
        listener.offer(encode({"type": "pong"}))
    elif kind == "subscribe":
        _subscribe(services, listener, message)
    else:
        _refuse(listener, "this message's type is none of: subscribe, ping")


def _subscribe(services: Services, listener: Listener, message: dict[str, Any]) -> None:
    topics, cameras = message.get("topics"), message.get("cameras")
    if not isinstance(topics, list) or not all(isinstance(topic, str) and topic in TOPICS for topic in topics):
        _refuse(listener, f"topics is a list of: {', '.join(sorted(TOPICS))}")
        return
    if cameras is not None and (
        not isinstance(cameras, list)
        or len(cameras) > _MOST_CAMERAS
        or not all(isinstance(camera, str) for camera in cameras)
    ):
        _refuse(listener, "cameras is a list of camera ids, or null for all")
        return
    listener.topics = frozenset(topics)
    listener.cameras = None if cameras is None else frozenset(cameras)
    # Whoever comes later must know how things stand, not only what changes from now on.
    if "streams" in listener.topics:
        for stream in services.streams.all():
            if listener.wants("streams", stream["camera"]):
                listener.offer(encode({"type": "stream", "data": stream}))
    if "processes" in listener.topics:
        for process in services.processes.all():
            listener.offer(encode({"type": "process", "data": process_out(process)}))
    if "site" in listener.topics:
        listener.offer(encode({"type": "site", "revision": services.site.site.revision}))


def _refuse(listener: Listener, detail: str) -> None:
    listener.offer(encode({"type": "error", "code": "invalid", "detail": detail}))

"""`/ws`: alarms, tracks and states as they happen; `docs/guides/api.md` tells what is said.

A client that names the last message it had (`resume`) hears `resumed` and then what it missed, in order; for topics
where the server does not know that any more it hears `reset`, and reads their state anew.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.websockets import WebSocket

from perishield.api.outputs import process_out
from perishield.api.push import KEPT, TOPICS, Listener
from perishield.api.services import Services, services_of
from perishield.api.sockets import admitted, converse

router = APIRouter()

_MOST_CAMERAS = 4096


@router.websocket("/ws")
async def push_socket(socket: WebSocket) -> None:
    services = services_of(socket)
    async with admitted(socket, None) as identity:
        if identity is None:
            return
        with services.push.listening(identity.reach) as listener:
            listener.answer({"type": "ready", "boot": services.push.boot, "seq": services.push.seq})
            await converse(socket, identity, _send(socket, listener), lambda heard: answer(services, listener, heard))


async def _send(socket: WebSocket, listener: Listener) -> None:
    while True:
        await socket.send_text(await listener.next())


def answer(services: Services, listener: Listener, message: dict[str, Any]) -> None:
    """Do what a client asks. What it cannot mean is answered with an error and changes nothing."""
    kind = message.get("type")
    if kind == "ping":
        listener.answer({"type": "pong"})
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
    resume = message.get("resume")
    if resume is not None and not _is_place(resume):
        _refuse(listener, "resume is the boot and the seq of the last message that came: {boot: text, seq: number}")
        return
    listener.narrow(frozenset(topics), None if cameras is None else frozenset(cameras))
    if resume is None:
        listener.answer({"type": "subscribed", **_place(services), "topics": sorted(listener.topics)})
    else:
        _resume(services, listener, resume)
    _tell_states(services, listener)


def _is_place(resume: object) -> bool:
    return (
        isinstance(resume, dict)
        and isinstance(resume.get("boot"), str)
        and type(resume.get("seq")) is int
        and resume["seq"] >= 0
    )


def _place(services: Services) -> dict[str, Any]:
    return {"boot": services.push.boot, "seq": services.push.seq}


def _resume(services: Services, listener: Listener, resume: dict[str, Any]) -> None:
    push, seq = services.push, resume["seq"]
    numbered = listener.topics & KEPT.keys()
    same = resume["boot"] == push.boot
    whole = frozenset(topic for topic in numbered if same and push.complete(topic, seq))
    lost = numbered - whole
    missed = [each for each in push.since(seq, whole) if listener.wants(each.topic, each.camera)]
    # First what is lost: its state as read from then on is never older than what follows.
    if lost:
        reason = "the server has started anew" if not same else "this is no longer in memory"
        listener.answer({"type": "reset", **_place(services), "topics": sorted(lost), "reason": reason})
    if whole or not lost:
        listener.answer(
            {"type": "resumed", "boot": push.boot, "seq": seq, "topics": sorted(whole), "count": len(missed)}
        )
    listener.replay(missed)


def _tell_states(services: Services, listener: Listener) -> None:
    """Whoever comes later must know how things stand, not only what changes from now on."""
    if "streams" in listener.topics:
        for stream in services.streams.all():
            if listener.wants("streams", stream["camera"]):
                listener.state({"type": "stream", "data": stream})
        for health in services.health.all():
            if listener.wants("streams", health["camera"]):
                listener.state({"type": "health", "data": health})
    if "processes" in listener.topics:
        for process in services.processes.all():
            listener.state({"type": "process", "data": process_out(process)})
    if "site" in listener.topics:
        listener.state({"type": "site", "revision": services.site.site.revision})


def _refuse(listener: Listener, detail: str) -> None:
    listener.answer({"type": "error", "code": "invalid", "detail": detail})

"""`/ws/playback`: recordings of several cameras in step, for Media Source Extensions; see docs/guides/playback.md.

The client says how far it has come, the server keeps each camera a bounded time and number of bytes ahead of that.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket

from perishield.api.playback import FASTEST, KEYFRAMES_FROM, SLOWEST, Playback, mime
from perishield.api.playback_body import MOST_CAMERAS, CameraName, RangeIn
from perishield.api.privacy import Privacy
from perishield.api.problems import ProblemError
from perishield.api.push import encode
from perishield.api.security import viewed
from perishield.api.services import services_of
from perishield.api.sockets import admitted, close, converse
from perishield.api.times import Moment, iso
from perishield.model.access import Action
from perishield.model.media import TIMESCALE
from perishield.recording.playback_feed import Item, Kind

router = APIRouter()

SENSELESS = 4400
LONGEST_S = 31 * 86_400.0
AHEAD_S = 10.0
WINDOW = 4 << 20
_LEAD_S = 3600
"""Media time 0 lies this much before the range, so that no key frame before it has a negative time."""
_OPEN_WITHIN_S = 10.0
_NOTHING = "no footage from here on; it was not recorded or is already deleted"
_HEADER = struct.Struct(">BBHI")


class Open(RangeIn):
    type: str
    cameras: list[CameraName] = Field(min_length=1, max_length=MOST_CAMERAS)
    speed: float = Field(default=1.0, ge=SLOWEST, le=FASTEST)


_open = TypeAdapter(Open)
_moment = TypeAdapter(Moment)
_speed = TypeAdapter(Annotated[float, Field(ge=SLOWEST, le=FASTEST)])
_seconds = TypeAdapter(Annotated[float, Field(ge=0, le=1e9)])
_count = TypeAdapter(Annotated[int, Field(ge=0, le=1 << 53)])


class Channel:
    """One camera of a wall: what was sent of it and what has arrived."""

    def __init__(self, index: int, items: AsyncGenerator[Item, None], position: float) -> None:
        self.index = index
        self.items = items
        self.sent = 0
        self.acknowledged = 0
        self.position = position
        self.until = position
        """Media seconds: what the player is at, and what it was sent up to."""
        self.done = False

    def may_send(self, speed: float) -> bool:
        ahead = AHEAD_S * max(1.0, speed)
        return not self.done and self.sent - self.acknowledged < WINDOW and self.until < self.position + ahead


class Session:
    """Plays to one socket: `hear` takes the client's words at any time, `run` sends."""

    def __init__(
        self, socket: WebSocket, playback: Playback, privacy: Privacy, sees: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._socket = socket
        self._privacy = privacy
        self._playback = playback
        self._sees = sees
        self._opened: Open | None = None
        self._origin = 0.0
        self._speed = 1.0
        self._paused = False
        self._generation = -1
        self._channels: list[Channel] = []
        self._start: float | None = None
        """Where to begin anew, in Unix seconds; None while all goes on."""
        self._senseless = ""
        self._news = asyncio.Event()

    def hear(self, message: dict[str, Any]) -> None:
        try:
            self._obey(message)
        except (ValidationError, ValueError, TypeError, ProblemError) as error:
            self._senseless = f"{str(message.get('type'))[:20]}: {str(error).splitlines()[0]}"
        self._news.set()

    def _obey(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "open" if self._opened is None:
                opened = _open.validate_python(message)
                for camera in opened.cameras:
                    self._privacy.refuse(camera, "recorded video")
                if not 0 < opened.end - opened.start <= LONGEST_S:
                    raise ValueError("to lies after from, and at most 31 days after it")
                self._opened, self._speed, self._start = opened, opened.speed, opened.start
                self._origin = float(max(0, math.floor(opened.start) - _LEAD_S))
            case "ack":
                self._acknowledge(message)
            case "seek" if self._opened is not None:
                at = _moment.validate_python(message.get("at"))
                self._start = min(max(at, self._opened.start), self._opened.end)
            case "speed" if self._opened is not None:
                before, self._speed = self._speed, _speed.validate_python(message.get("speed"))
                if (before >= KEYFRAMES_FROM or self._speed >= KEYFRAMES_FROM) and before != self._speed:
                    self._start = self._now(self._opened) if self._start is None else self._start
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False
            case _:
                raise ValueError("there is no such message now")

    def _acknowledge(self, message: dict[str, Any]) -> None:
        generation = message.get("generation", self._generation)
        index = _count.validate_python(message.get("index"))
        arrived = _count.validate_python(message.get("bytes"))
        position = _seconds.validate_python(message.get("position_s"))
        if generation != self._generation or index >= len(self._channels):
            return
        channel = self._channels[index]
        channel.acknowledged = min(channel.sent, max(channel.acknowledged, arrived))
        channel.position = position

    def _now(self, opened: Open) -> float:
        """Where the wall is, in Unix seconds: where the camera is that has come farthest."""
        position = max((channel.position for channel in self._channels), default=0.0)
        return min(max(self._origin + position, opened.start), opened.end)

    async def run(self) -> None:
        """Until the client leaves or says something that makes no sense."""
        try:
            async with asyncio.timeout(_OPEN_WITHIN_S):
                while self._opened is None and not self._senseless:
                    await self._wait()
        except TimeoutError:
            self._senseless = "open: did not come"
        try:
            while not self._senseless:
                if self._start is not None and self._opened is not None:
                    await self._begin(self._opened, self._start)
                channel = None if self._paused else self._next()
                if channel is None:
                    await self._wait()
                else:
                    await self._advance(channel)
        finally:
            await self._drop()
        await close(self._socket, SENSELESS, self._senseless)

    async def _wait(self) -> None:
        await self._news.wait()
        self._news.clear()

    def _next(self) -> Channel | None:
        """The camera that is least far ahead, so that all are in step."""
        able = [channel for channel in self._channels if channel.may_send(self._speed)]
        return min(able, key=lambda channel: channel.until, default=None)

    async def _begin(self, opened: Open, start: float) -> None:
        await self._drop()
        self._start = None
        self._generation += 1
        position = start - self._origin
        if self._generation == 0:
            times = {"origin": iso(self._origin), "from": iso(opened.start), "to": iso(opened.end)}
            await self._say({"type": "opened", **times, "cameras": opened.cameras})
        fast = self._speed >= KEYFRAMES_FROM
        await self._say({"type": "position", "media_s": round(position, 6), "keyframes_only": fast})
        self._channels = [
            Channel(index, await self._items(camera, start, opened.end), position)
            for index, camera in enumerate(opened.cameras)
        ]

    async def _items(self, camera: str, start: float, end: float) -> AsyncGenerator[Item, None]:
        """Of a camera out of reach as little as of one that is not there."""
        if await self._sees(camera):
            return self._playback.items(camera, self._origin, start, end, self._speed)
        return _no_items()

    async def _drop(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            await channel.items.aclose()

    async def _advance(self, channel: Channel) -> None:
        item = await anext(channel.items, None)
        if self._start is not None:
            # What was read meanwhile belongs to the past.
            return
        if item is None:
            channel.done = True
            if not channel.sent:
                await self._say({"type": "error", "index": channel.index, "code": "missing", "message": _NOTHING})
            await self._say({"type": "end", "index": channel.index})
            return
        channel.until = max(channel.until, item.until / TIMESCALE)
        if item.kind is Kind.GAP:
            begin, end = item.media / TIMESCALE, item.until / TIMESCALE
            await self._say({"type": "gap", "index": channel.index, "from_s": round(begin, 6), "to_s": round(end, 6)})
            return
        if item.kind is Kind.INIT:
            await self._say(
                {
                    "type": "init",
                    "index": channel.index,
                    "mime": mime(item.mime, item.sound),
                    "width": item.width,
                    "height": item.height,
                    "media_s": round(item.media / TIMESCALE, 6),
                }
            )
        channel.sent += len(item.data)
        await self._socket.send_bytes(_HEADER.pack(item.kind, channel.index, 0, self._generation) + item.data)

    async def _say(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(encode({**message, "generation": self._generation}))


async def _no_items() -> AsyncGenerator[Item, None]:
    nothing: tuple[Item, ...] = ()
    for item in nothing:
        yield item


@router.websocket("/ws/playback")
async def playback_socket(socket: WebSocket) -> None:
    services = services_of(socket)
    async with admitted(socket, Action.RECORDINGS_VIEW) as identity:
        if identity is None:
            return

        async def sees(camera: str) -> bool:
            if identity.reach.sees(camera):
                await viewed(socket, identity, Action.RECORDINGS_VIEW, camera)
                return True
            return False

        session = Session(socket, services.playback, services.privacy, sees)
        await converse(socket, identity, session.run(), session.hear)

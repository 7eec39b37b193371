"""Messages inside the server, from whoever knows to whoever listens on a WebSocket; the slow lose tracks first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS = frozenset({"alarms", "streams", "tracks", "site", "processes"})
_EVERYWHERE = frozenset({"site", "processes"})
"""Topics that no choice of cameras narrows."""
_MOST_WAITING = 256
_MOST_TRACKS = 64


class Listener:
    """One client's queue, bounded: a stalled client costs this much memory and not more."""

    def __init__(self, most: int = _MOST_WAITING, most_tracks: int = _MOST_TRACKS) -> None:
        self.topics: frozenset[str] = frozenset()
        self.cameras: frozenset[str] | None = None
        self._tracks = 0
        self._most = most
        self._most_tracks = most_tracks
        self._waiting: deque[tuple[bool, str]] = deque()
        self._missed = 0
        self._news = asyncio.Event()

    def wants(self, topic: str, camera: str) -> bool:
        if topic not in self.topics:
            return False
        return self.cameras is None or topic in _EVERYWHERE or camera in self.cameras

    def offer(self, text: str, *, track: bool = False) -> None:
        if track and self._tracks >= self._most_tracks:
            self._drop_oldest_track()
        elif len(self._waiting) >= self._most:
            if self._tracks:
                self._drop_oldest_track()
            else:
                self._waiting.popleft()
                self._missed += 1
        self._waiting.append((track, text))
        self._tracks += track
        self._news.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def next(self) -> str:
        """The oldest message; after losses, first a notice of how many there were."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return encode({"type": "lagged", "missed": missed})
        track, text = self._waiting.popleft()
        self._tracks -= track
        return text

    def _drop_oldest_track(self) -> None:
        for index, (track, _) in enumerate(self._waiting):
            if track:
                del self._waiting[index]
                self._tracks -= 1
                self._missed += 1
                return


class Push:
    """The listeners of this process."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def send(self, topic: str, camera: str, make: Callable[[], Mapping[str, Any]]) -> None:
        """Tell all who want it; the message is made and encoded once, and only when somebody does."""
        text: str | None = None
        for listener in self._listeners:
            if listener.wants(topic, camera):
                if text is None:
                    text = encode(make())
                listener.offer(text, track=topic == "tracks")


def encode(message: Mapping[str, Any]) -> str:
    """JSON text."""
    return msgspec.json.encode(message).decode()

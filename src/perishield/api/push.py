"""Messages inside the server, from whoever knows to whoever listens on a WebSocket; the slow lose tracks first.

Every message but tracks is numbered: `seq` grows by one, `boot` names this start of the server. The last of every
topic are kept once for all listeners, and a listener's queue points at them. So a client that comes back gets what it
missed, a slow one costs no memory of its own, and only what has left the memory is lost; then it is told of what.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from perishield.model.access import Action, Reach

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = {"alarms": 1024, "streams": 2048, "site": 64, "processes": 256}
"""Numbered topics, and how many messages of each can be asked for again."""
OLDEST_S = 1800.0
"""Older ones are not told again: the signed links in them would be about to expire."""
TOPICS = frozenset(KEPT) | {"tracks"}
NEEDED = {
    "alarms": frozenset({Action.ALARMS_VIEW}),
    "streams": frozenset({Action.LIVE_VIEW, Action.SYSTEM_VIEW}),
    "tracks": frozenset({Action.LIVE_VIEW}),
    "processes": frozenset({Action.SYSTEM_VIEW}),
    "site": frozenset[Action](),
}
"""Any one of these lets a topic be heard; `site` tells no more than that something changed."""
_EVERYWHERE = frozenset({"site", "processes"})
"""Topics that no choice of cameras narrows."""
_MOST_ANSWERS = 64
_MOST_TRACKS = 64


@dataclass(frozen=True, slots=True)
class Numbered:
    """A message that can be asked for again. `at`: monotonic seconds."""

    at: float
    seq: int
    topic: str
    camera: str
    text: str


class Listener:
    """One client's queue. Bounded: answers and tracks by their number, numbered messages by what the server keeps."""

    def __init__(self, reach: Reach, most_answers: int = _MOST_ANSWERS, most_tracks: int = _MOST_TRACKS) -> None:
        self.topics: frozenset[str] = frozenset()
        self.cameras: frozenset[str] | None = None
        self._reach = reach
        self._most_answers = most_answers
        self._most_tracks = most_tracks
        # Numbered messages stand under their number, all others under numbers below zero.
        self._waiting: OrderedDict[int, str] = OrderedDict()
        self._others = 0
        self._answers: deque[int] = deque()
        self._states: list[int] = []
        self._tracks: deque[int] = deque()
        self._missed = 0
        self._missed_topics: set[str] = set()
        self._missed_from = self._missed_to = 0
        self._news = asyncio.Event()

    def allowed(self, topic: str) -> bool:
        needed = NEEDED[topic]
        return not needed or bool(needed & self._reach.actions)

    def wants(self, topic: str, camera: str) -> bool:
        if topic not in self.topics:
            return False
        if topic in _EVERYWHERE:
            return self.allowed(topic)
        if self.cameras is not None and camera not in self.cameras:
            return False
        return any(self._reach.allows(action, camera) for action in NEEDED[topic])

    def narrow(self, topics: frozenset[str], cameras: frozenset[str] | None) -> None:
        """Hear these topics, as far as they are allowed, of these cameras (None: all within reach)."""
        self.topics = frozenset(topic for topic in topics if self.allowed(topic))
        self.cameras = cameras
        # How things stand is told anew after this.
        for key in self._states:
            self._waiting.pop(key, None)
        self._states.clear()

    def offer(self, message: Numbered) -> None:
        self._waiting[message.seq] = message.text
        self._news.set()

    def answer(self, message: Mapping[str, Any]) -> None:
        """What this client alone is told. One that asks and does not read loses the oldest answers."""
        while self._answers and self._answers[0] not in self._waiting:
            self._answers.popleft()
        if len(self._answers) >= self._most_answers:
            del self._waiting[self._answers.popleft()]
            self._missed += 1
        self._answers.append(self._put(encode(message)))

    def state(self, message: Mapping[str, Any]) -> None:
        """How something stands; replaced as a whole by the next choice of topics."""
        self._states.append(self._put(encode(message)))

    def track(self, text: str) -> None:
        while self._tracks and self._tracks[0] not in self._waiting:
            self._tracks.popleft()
        if len(self._tracks) >= self._most_tracks:
            del self._waiting[self._tracks.popleft()]
            self._missed += 1
        self._tracks.append(self._put(text))

    def gone(self, message: Numbered) -> None:
        """The server forgets this message: where it still waited, it is lost."""
        if self._waiting.pop(message.seq, None) is None:
            return
        self._missed += 1
        self._missed_topics.add(message.topic)
        self._missed_from = self._missed_from or message.seq
        self._missed_to = message.seq

    def replay(self, messages: list[Numbered]) -> None:
        """Put these, in order, in the place of all numbered messages that still wait."""
        for key in [key for key in self._waiting if key > 0]:
            del self._waiting[key]
        self._missed, self._missed_from, self._missed_to = 0, 0, 0
        self._missed_topics.clear()
        for message in messages:
            self.offer(message)

    def __len__(self) -> int:
        return len(self._waiting)

    async def next(self) -> str:
        """The oldest message; after losses, first a notice of what they were."""
        while not self._waiting and not self._missed:
            self._news.clear()
            await self._news.wait()
        if self._missed:
            return self._losses()
        return self._waiting.popitem(last=False)[1]

    def _losses(self) -> str:
        told: dict[str, Any] = {"type": "lagged", "missed": self._missed}
        if self._missed_topics:
            told |= {"topics": sorted(self._missed_topics), "from": self._missed_from, "to": self._missed_to}
        self._missed, self._missed_from, self._missed_to = 0, 0, 0
        self._missed_topics.clear()
        return encode(told)

    def _put(self, text: str) -> int:
        self._others -= 1
        self._waiting[self._others] = text
        self._news.set()
        return self._others


class Push:
    """The listeners of this process, and the numbered messages they can ask for again."""

    def __init__(self, kept: Mapping[str, int] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.boot = secrets.token_hex(8)
        self.seq = 0
        self._listeners: set[Listener] = set()
        self._most = dict(kept or KEPT)
        self._clock = clock
        self._kept: dict[str, deque[Numbered]] = {topic: deque() for topic in KEPT}
        self._forgotten = dict.fromkeys(KEPT, 0)

    @contextmanager
    def listening(self, reach: Reach) -> Iterator[Listener]:
        """A listener that hears no more than this reach allows."""
        listener = Listener(reach)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def send(self, topic: str, camera: str, make: Callable[[], Mapping[str, Any]]) -> None:
        """Tell all who want it. The message is made and encoded once; tracks only when somebody wants them."""
        if topic in self._kept:
            self._number(topic, camera, make())
            return
        text: str | None = None
        for listener in self._listeners:
            if listener.wants(topic, camera):
                text = text or encode(make())
                listener.track(text)

    def complete(self, topic: str, seq: int) -> bool:
        """Whether all messages of this topic behind that number are still there."""
        first = next((message for message in self._kept[topic] if message.seq > seq), None)
        fresh = first is None or self._clock() - first.at <= OLDEST_S
        return fresh and self._forgotten[topic] <= seq <= self.seq

    def since(self, seq: int, topics: frozenset[str]) -> list[Numbered]:
        """Messages of these topics behind that number, in order."""
        found = (message for topic in topics & self._kept.keys() for message in self._kept[topic] if message.seq > seq)
        return sorted(found, key=lambda message: message.seq)

    def _number(self, topic: str, camera: str, message: Mapping[str, Any]) -> None:
        self.seq += 1
        text = encode({**message, "seq": self.seq, "boot": self.boot})
        numbered = Numbered(self._clock(), self.seq, topic, camera, text)
        kept = self._kept[topic]
        kept.append(numbered)
        if len(kept) > self._most[topic]:
            oldest = kept.popleft()
            self._forgotten[topic] = oldest.seq
            for listener in self._listeners:
                listener.gone(oldest)
        for listener in self._listeners:
            if listener.wants(topic, camera):
                listener.offer(numbered)


def encode(message: Mapping[str, Any]) -> str:
    """JSON text."""
    return msgspec.json.encode(message).decode()

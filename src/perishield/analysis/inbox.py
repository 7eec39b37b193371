"""Chunk references on their way from the event loop to the threads that decode: bounded, per camera, newest win."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from perishield.model.media import TIMESCALE, ChunkRef


@dataclass(slots=True)
class _Queue:
    refs: deque[ChunkRef] = field(default_factory=deque)
    epoch: int = -1
    busy: bool = False
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Work on one stream: its next chunks, or none where those claimed before are not done yet.

    `behind_s`: seconds of video that still wait.
    """

    stream: str
    refs: list[ChunkRef]
    behind_s: float


class Inbox:
    """Where chunks wait. When a camera's queue is full, what lies before its newest key frame is dropped and counted:
    its decoder goes on from there.

    A stream is claimed by one thread at a time, which keeps its chunks in order; streams take turns.
    """

    def __init__(self, most: int = 120) -> None:
        self.dropped: Counter[str] = Counter()
        self._most = most
        self._queues: dict[str, _Queue] = {}
        self._news = threading.Condition()

    def offer(self, ref: ChunkRef) -> None:
        """Take in a chunk; one of an older epoch comes from a worker that lost its camera, and is dropped."""
        with self._news:
            queue = self._queues.setdefault(ref.camera, _Queue())
            if ref.epoch < queue.epoch:
                self.dropped[ref.camera] += 1
                return
            queue.epoch = ref.epoch
            queue.refs.append(ref)
            if len(queue.refs) > self._most:
                self.dropped[ref.camera] += self._shorten(queue.refs)
            self._news.notify()

    def claim(
        self, timeout_s: float, at_once: int = 4, ready: Callable[[str], bool] = lambda stream: True
    ) -> Claim | None:
        """Up to `at_once` chunks of a stream that nobody works on and that is `ready`; None after `timeout_s`.

        The caller gives the stream back by `release`.
        """
        with self._news:
            found = self._find(ready)
            if found is None:
                self._news.wait(timeout_s)
                found = self._find(ready)
            if found is None:
                return None
            queue = self._queues.pop(found)
            self._queues[found] = queue
            queue.busy = True
            refs = [] if queue.unfinished else [queue.refs.popleft() for _ in range(min(at_once, len(queue.refs)))]
            return Claim(found, refs, sum(ref.duration for ref in queue.refs) / TIMESCALE)

    def release(self, stream: str, *, unfinished: bool = False) -> None:
        """The claimed chunks are done, or, `unfinished`, must be gone on with before others are claimed."""
        with self._news:
            queue = self._queues.get(stream)
            if queue is not None:
                queue.busy, queue.unfinished = False, unfinished
                self._news.notify()

    def forget(self, stream: str) -> bool:
        """The stream is not watched any more. False where a thread still works on it."""
        with self._news:
            queue = self._queues.pop(stream, None)
            self.dropped.pop(stream, None)
            return queue is None or not queue.busy

    def wake(self) -> None:
        """Have those who wait look again: there is room, or an end."""
        with self._news:
            self._news.notify_all()

    def _find(self, ready: Callable[[str], bool]) -> str | None:
        for stream, queue in self._queues.items():
            if not queue.busy and (queue.unfinished or queue.refs) and ready(stream):
                return stream
        return None

    def _shorten(self, refs: deque[ChunkRef]) -> int:
        keys = [index for index, ref in enumerate(refs) if ref.key and index > 0]
        gone = keys[-1] if keys else len(refs) - self._most
        for _ in range(gone):
            refs.popleft()
        return gone

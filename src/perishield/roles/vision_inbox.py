"""Chunk references on their way from the event loop to the worker thread: bounded, per camera, newest win."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from perishield.model.media import TIMESCALE, ChunkRef


@dataclass(slots=True)
class _Queue:
    refs: deque[ChunkRef] = field(default_factory=deque)
    epoch: int = -1


class Inbox:
    """Where chunks wait. When a camera's queue is full, what lies before its newest key frame is dropped and counted:
    its decoder goes on from there."""

    def __init__(self, most: int = 120) -> None:
        self.dropped = 0
        self._most = most
        self._queues: dict[str, _Queue] = {}
        self._news = threading.Condition()

    def offer(self, ref: ChunkRef) -> None:
        """Take in a chunk; one of an older epoch comes from a worker that lost its camera, and is dropped."""
        with self._news:
            queue = self._queues.setdefault(ref.camera, _Queue())
            if ref.epoch < queue.epoch:
                self.dropped += 1
                return
            queue.epoch = ref.epoch
            queue.refs.append(ref)
            if len(queue.refs) > self._most:
                self._shorten(queue.refs)
            self._news.notify()

    def take(self, timeout_s: float, at_once: int = 16) -> list[tuple[list[ChunkRef], float]]:
        """Up to `at_once` chunks of every camera that has some, each with the seconds of video that still wait."""
        with self._news:
            if not any(queue.refs for queue in self._queues.values()):
                self._news.wait(timeout_s)
            taken = []
            for queue in self._queues.values():
                refs = [queue.refs.popleft() for _ in range(min(at_once, len(queue.refs)))]
                if refs:
                    taken.append((refs, sum(ref.duration for ref in queue.refs) / TIMESCALE))
            return taken

    def forget(self, camera: str) -> None:
        """The camera is not watched any more."""
        with self._news:
            self._queues.pop(camera, None)

    def wake(self) -> None:
        """Let `take` return at once."""
        with self._news:
            self._news.notify()

    def _shorten(self, refs: deque[ChunkRef]) -> None:
        keys = [index for index, ref in enumerate(refs) if ref.key and index > 0]
        gone = keys[-1] if keys else len(refs) - self._most
        for _ in range(gone):
            refs.popleft()
        self.dropped += gone

"""Pictures of many cameras on their way into one inference.

What is urgent comes first, cameras of one urgency take turns (deficit round robin, Shreedhar and Varghese, SIGCOMM
1995, where every picture costs the same and a camera's weight is its quantum), and a camera's own pictures keep their
order. Both bounds, pictures a camera and bytes in all, are kept by dropping the oldest: the newest wins.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Urgency(IntEnum):
    """The lower, the sooner."""

    FOLLOWED = 0
    """The gate is open and something is being followed."""
    OPEN = 1
    IDLE = 2
    """A lone key frame while nothing moves."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[T]):
    item: T
    urgency: Urgency
    size: int
    since: float


@dataclass(slots=True, eq=False)
class _Line(Generic[T]):
    """One camera's pictures, and how many more it may hand in before the next camera's turn."""

    waiting: deque[_Waiting[T]] = field(default_factory=deque)
    weight: int = 1
    credit: int = 0
    size: int = 0


class Batcher(Generic[T]):
    """Any thread may put, one takes.

    `most_each`: pictures of one camera that may wait. `most_bytes`: of all cameras together. `starve_s`: who waits
    longer is as urgent as any. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        *,
        most_each: int = 8,
        most_bytes: int = 256 << 20,
        starve_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._most_each = most_each
        self._most_bytes = most_bytes
        self._starve_s = starve_s
        self._clock = clock
        self._lines: dict[str, _Line[T]] = {}
        self._turns: deque[str] = deque()
        self._size = 0
        self._count = 0
        self._news = threading.Condition()

    def has_room(self, camera: str) -> bool:
        """Whether one more picture would drop none."""
        with self._news:
            line = self._lines.get(camera)
            return self._size < self._most_bytes and (line is None or len(line.waiting) < self._most_each)

    def put(self, camera: str, item: T, urgency: Urgency, *, weight: int = 1, size: int = 0) -> None:
        """Hand in a picture of `size` bytes. `weight`: how many a camera may have looked at in its turn."""
        with self._news:
            line = self._lines.get(camera)
            if line is None:
                line = self._lines[camera] = _Line()
                self._turns.append(camera)
            line.weight = max(1, weight)
            line.waiting.append(_Waiting(item, urgency, size, self._clock()))
            line.size += size
            self._size += size
            self._count += 1
            while len(line.waiting) > self._most_each:
                self._drop(camera)
            while self._size > self._most_bytes and self._count > 1:
                self._drop(self._heaviest())
            self._news.notify()

    def take(self, most: int, timeout_s: float, wait_s: float = 0.0) -> list[T]:
        """Up to `most` pictures. Waits up to `timeout_s` for one, then until the oldest has waited for `wait_s` in the
        hope of more."""
        with self._news:
            if not self._count:
                self._news.wait(timeout_s)
            while 0 < self._count < most:
                left = self._oldest() + wait_s - self._clock()
                if left <= 0:
                    break
                if not self._news.wait(left):
                    break
            return [self._next() for _ in range(min(most, self._count))]

    def forget(self, camera: str) -> None:
        """The camera is not watched any more."""
        with self._news:
            line = self._lines.pop(camera, None)
            if line is not None:
                self._turns.remove(camera)
                self._size -= line.size
                self._count -= len(line.waiting)

    def wake(self) -> None:
        """Let `take` return."""
        with self._news:
            self._news.notify_all()

    def _oldest(self) -> float:
        return min(line.waiting[0].since for line in self._lines.values() if line.waiting)

    def _next(self) -> T:
        """The picture whose turn it is."""
        late = self._clock() - self._starve_s
        urgencies = {name: _urgency(line, late) for name, line in self._lines.items() if line.waiting}
        best = min(urgencies.values())
        camera = next(name for name in self._turns if urgencies.get(name) == best)
        line = self._lines[camera]
        if line.credit <= 0:
            line.credit = line.weight
        line.credit -= 1
        taken = self._pop(line)
        if line.credit == 0 or not line.waiting:
            line.credit = 0
            self._turns.remove(camera)
            self._turns.append(camera)
        return taken.item

    def _heaviest(self) -> str:
        """Whose oldest picture is missed the least: idle before open, light before heavy weights, many bytes first."""
        waiting = [(name, line) for name, line in self._lines.items() if line.waiting]
        return max(waiting, key=lambda pair: (_urgency(pair[1], 0.0), -pair[1].weight, pair[1].size))[0]

    def _drop(self, camera: str) -> None:
        self._pop(self._lines[camera])
        self.dropped[camera] += 1

    def _pop(self, line: _Line[T]) -> _Waiting[T]:
        gone = line.waiting.popleft()
        line.size -= gone.size
        self._size -= gone.size
        self._count -= 1
        return gone


def _urgency(line: _Line[T], late: float) -> Urgency:
    """That of the most urgent picture: those before it must go first, since order is kept."""
    if line.waiting[0].since <= late:
        return Urgency.FOLLOWED
    return min(waiting.urgency for waiting in line.waiting)

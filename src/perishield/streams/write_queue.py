"""Between the event loop, which must not wait, and a disk, which may: a bounded queue and one writing thread.

Chunks gather on the loop and are handed over in batches; what has become of a batch comes back in one call. The bytes
of a chunk are in the page cache before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from perishield.log import Log
from perishield.streams.disk_writer import DiskWriter, Ending, Piece
from perishield.streams.media_root import MediaRoot

log = Log("streams")

REFUSED = 1 << 62
"""As `floor`: no camera is written for now."""

_AT_ONCE_S = 0.01
_BATCH = 2 << 20
"""So many bytes are handed over without waiting for more: cameras that show key frames in step bring much at once."""
_Order = Piece | Ending


class Writing(Protocol):
    """What segment writers give their orders to."""

    root: MediaRoot
    floor: int | None
    """Cameras of lower priority are not written for now; None: all are."""

    @property
    def crowded(self) -> bool: ...

    def admits(self, size: int) -> bool: ...

    def put(self, order: _Order, *, at_once: bool) -> None: ...


class WriteAtOnce:
    """Carries out every order in the calling thread: for tools and tests, never on an event loop."""

    def __init__(self, root: MediaRoot) -> None:
        self.root = root
        self.floor: int | None = None
        self._disk = DiskWriter(root)

    @property
    def crowded(self) -> bool:
        return False

    def admits(self, size: int) -> bool:
        return True

    def put(self, order: _Order, *, at_once: bool) -> None:
        if isinstance(order, Piece):
            self._disk.write(order)
            order.done(order)
        else:
            self._disk.end(order)
            order.done(order)


class Budget:
    """Bytes that may wait for all disks together; `used` do."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class WriteQueue:
    """Orders for one pool, carried out by a thread that begins with the first of them.

    What waits for the disk counts against `budget`, of which one queue gets at most three quarters, so that a disk
    that hangs leaves room for another. `on_written` is called from that thread after a batch with chunks in it.
    """

    def __init__(self, root: MediaRoot, budget: Budget, on_written: Callable[[], None] = lambda: None) -> None:
        self.root = root
        self.budget = budget
        self.limit = budget.limit * 3 // 4
        self.floor: int | None = None
        self.queued = 0
        """Bytes not yet written."""
        self.refused = 0
        """Chunks for which there was no room."""
        self._loop = asyncio.get_running_loop()
        self._on_written = on_written
        self._gathered: list[_Order] = []
        self._fresh = 0
        self._handed: deque[float] = deque()
        self._last = 0.0
        self._soon: asyncio.Handle | None = None
        self._orders: queue.SimpleQueue[list[_Order] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waited_s(self) -> float:
        """For how long the oldest batch has waited."""
        return time.monotonic() - self._handed[0] if self._handed else 0.0

    @property
    def fill(self) -> float:
        """The share of its room that is in use."""
        return self.queued / self.limit if self.queued else 0.0

    @property
    def crowded(self) -> bool:
        """Half of its room is in use."""
        return self.queued * 2 > self.limit

    def admits(self, size: int) -> bool:
        """Whether there is room for a chunk of that size."""
        budget = self.budget
        if (self.queued + size <= self.limit and budget.used + size <= budget.limit) or not self.queued:
            return True
        self.refused += 1
        return False

    def put(self, order: _Order, *, at_once: bool) -> None:
        """Have it done with the next batch, or very soon."""
        self._gathered.append(order)
        self.queued += order.size
        self.budget.used += order.size
        self._fresh += order.size
        if self._fresh >= _BATCH:
            self.hand_over()
        elif at_once and self._soon is None:
            # Not sooner than a hundredth of a second after the batch before: a thread is woken for each.
            wait = self._last + _AT_ONCE_S - time.monotonic()
            self._soon = (
                self._loop.call_later(wait, self.hand_over) if wait > 0 else self._loop.call_soon(self.hand_over)
            )

    def hand_over(self) -> None:
        """Give the thread what has gathered; to be called several times a second."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        batch = self._gathered
        if not batch:
            return
        self._gathered, self._fresh = [], 0
        self._last = time.monotonic()
        self._handed.append(self._last)
        self._idle.clear()
        if self._thread.ident is None:
            self._thread.start()
        self._orders.put(batch)

    async def drain(self, timeout_s: float) -> bool:
        """Until everything is written; False where that takes too long."""
        self.hand_over()
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Let the thread end after what it has been given. A thread that hangs in the disk ends with the process."""
        self._orders.put(None)

    def _run(self) -> None:
        disk = DiskWriter(self.root)
        while (batch := self._orders.get()) is not None:
            wrote = False
            for order in batch:
                try:
                    if type(order) is Piece:
                        disk.write(order)
                        wrote = True
                    elif type(order) is Ending:
                        disk.end(order)
                except Exception:
                    log.exception("segment.order_failed", camera=order.file.camera)
            if wrote:
                self._on_written()
            try:
                self._loop.call_soon_threadsafe(self._deliver, batch)
            except RuntimeError:
                return

    def _deliver(self, batch: list[_Order]) -> None:
        self._handed.popleft()
        for order in batch:
            self.queued -= order.size
            self.budget.used -= order.size
            try:
                order.done(order)  # type: ignore[arg-type]
            except Exception:
                log.exception("segment.outcome_failed", camera=order.file.camera)
        if not self._handed and not self._gathered:
            self._idle.set()

"""A bound on bytes a second, shared by everything that copies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """Lets `rate` bytes a second pass, in the order of asking; 0: any number. Idle, it saves up one second's worth.

    `take` blocks its thread. `stop` lets everybody go at once, for the end of the process.
    """

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.rate = rate
        self.passed = 0
        self._clock = clock
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._lock = threading.Lock()
        self._free_at = clock() - 1.0

    def take(self, size: int) -> None:
        """Wait until these bytes may move."""
        with self._lock:
            self.passed += size
            if self.rate <= 0:
                return
            now = self._clock()
            # What was not used is saved for a second, no longer.
            start = max(self._free_at, now - 1.0)
            self._free_at = start + size / self.rate
            pause = self._free_at - now
        if pause > 0:
            self._wait(pause)

    def stop(self) -> None:
        self._stopped.set()

"""One timer for all who want to be called at the same interval: a hundred cameras cost one wake-up, not a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from perishield.log import Log

log = Log("sources")

_pulses: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Pulse]] = WeakKeyDictionary()


class Pulse:
    """Calls everybody every `period_s`, late where the loop is late, never twice to catch up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, period_s: float) -> None:
        self._loop = loop
        self._period_s = period_s
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, callback: Callable[[], None]) -> object:
        key = object()
        self._callbacks[key] = callback
        if self._timer is None:
            self._timer = self._loop.call_later(self._period_s, self._beat)
        return key

    def remove(self, key: object) -> None:
        self._callbacks.pop(key, None)
        if not self._callbacks and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        self._timer = self._loop.call_later(self._period_s, self._beat)
        for callback in tuple(self._callbacks.values()):
            try:
                callback()
            except Exception:
                log.exception("pulse.callback_failed")


@contextmanager
def every(period_s: float, callback: Callable[[], None]) -> Iterator[None]:
    """Have `callback` called every `period_s` on the running loop within the block; it must be quick."""
    loop = asyncio.get_running_loop()
    pulses = _pulses.setdefault(loop, {})
    pulse = pulses.get(period_s)
    if pulse is None:
        pulse = pulses[period_s] = Pulse(loop, period_s)
    key = pulse.add(callback)
    try:
        yield
    finally:
        pulse.remove(key)

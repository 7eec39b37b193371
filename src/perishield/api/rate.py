"""How many requests a caller may send: a bucket of tokens for each that fills at a steady rate."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from perishield.api.problems import ProblemError

_BURST_S = 4.0
_MOST = 10_000


class Rates:
    """`per_s` 0: no limit. Four seconds' worth may come at once."""

    def __init__(self, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = max(1.0, per_s * _BURST_S)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request. Raises ProblemError (429, `rate_limited`) with the seconds to wait."""
        if self._per_s <= 0:
            return
        now = self._clock()
        level, when = self._buckets.pop(caller, (self._burst, now))
        level = min(self._burst, level + (now - when) * self._per_s)
        self._buckets[caller] = (level - 1, now) if level >= 1 else (level, now)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        if level < 1:
            wait = max(1, math.ceil((1 - level) / self._per_s))
            raise ProblemError(
                429,
                f"too many requests; try again in {wait} s",
                headers={"Retry-After": str(wait)},
                retry_after_s=wait,
            )

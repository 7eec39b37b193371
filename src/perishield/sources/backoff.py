"""How long to wait before the next try."""

from __future__ import annotations

import random

from perishield.model.errors import PeriShieldError, SourceError

_GROWTH = (1, 2, 5, 10, 30)
_JITTER = 0.2
_GOOD_AFTER_S = 60.0


class BackOff:
    """1, 2, 5, 10, 30, 30... times `first_s`, jittered by a fifth so that cameras do not come back in step; begins
    again after a minute of good data. An error may ask for a longer pause.
    """

    __slots__ = ("_first_s", "_tries")

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._tries = 0

    def pause(self, error: PeriShieldError, lived_s: float) -> float:
        """Seconds to wait after `error`, which ended a connection that had delivered for `lived_s`."""
        if lived_s >= _GOOD_AFTER_S:
            self._tries = 0
        pause = self._first_s * _GROWTH[min(self._tries, len(_GROWTH) - 1)]
        self._tries += 1
        pause *= 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311
        return max(pause, error.retry_after_s if isinstance(error, SourceError) else 0.0)

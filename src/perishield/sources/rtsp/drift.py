"""Keeps stream time beside the host's clock where a camera's RTP clock runs fast or slow.

Quartz drifts by seconds a day; some firmware counts at quite another rate than it tells. Frames come late as often as
networks please, but never early: over half a minute, the farthest that stream time was ahead of the host shows the
camera's own clock.
"""

from __future__ import annotations

WINDOW_S = 30.0
_TOLERATED_S = 1.0
_SETTLED_S = 0.2
_STEEPEST = 0.05
_RETURN_S = 60.0
_LARGEST_FACTOR = 4.0


class Drift:
    """Of one connection. `rate` is what the camera's clock is said to run at, a second."""

    __slots__ = ("_baseline", "_behind", "_best", "_correcting", "_ends", "_nominal", "_previous", "_rate", "_window_s")

    def __init__(self, rate: int, *, window_s: float = WINDOW_S) -> None:
        self._nominal = rate
        self._rate = float(rate)
        self._window_s = window_s
        self._ends = 0.0
        self._best = 0.0
        self._baseline: float | None = None
        self._previous = 0.0
        self._correcting = False
        self._behind = 0

    def look(self, lead_s: float, now: float) -> int:
        """The rate to count at from here on, or 0 to leave it. `lead_s`: stream time less the host's at the last frame;
        `now`: monotonic seconds.
        """
        if not self._ends:
            # Long enough for what a server sends in advance, short enough to see where things began.
            self._ends, self._best = now + self._window_s / 6, lead_s
            return 0
        self._best = max(self._best, lead_s)
        if now < self._ends:
            return 0
        best = self._best
        self._ends, self._best = now + self._window_s, lead_s
        if self._baseline is None:
            self._baseline = self._previous = best
            return 0
        return self._judge(best, self._baseline)

    def _judge(self, best: float, baseline: float) -> int:
        off, skew = best - baseline, (best - self._previous) / self._window_s
        self._previous = best
        self._behind = self._behind + 1 if off < -_TOLERATED_S else 0
        if self._correcting and abs(off) < _SETTLED_S:
            self._correcting = False
            return self._set(self._rate * (1 + skew), 0.0)
        # A network that is late for a while looks like a slow camera: that one must last.
        if not (self._correcting or off > _TOLERATED_S or self._behind > 1):
            return 0
        self._correcting = True
        return self._set(self._rate * (1 + skew), off / _RETURN_S)

    def _set(self, true_rate: float, bend: float) -> int:
        true_rate = min(max(true_rate, self._nominal / _LARGEST_FACTOR), self._nominal * _LARGEST_FACTOR)
        self._rate = true_rate * (1 + min(max(bend, -_STEEPEST), _STEEPEST))
        return round(self._rate)

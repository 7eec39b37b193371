"""From RTP timestamps to stream time and to wall-clock time (RFC 3550 sections 5.1 and 6.4.1).

Camera clocks jump, freeze, start anywhere and wrap every 13 hours. Stream time follows their steps while these are
plausible and the host's monotonic clock where they are not; wall-clock time is the camera's where it proves itself.
"""

from __future__ import annotations

from typing import Final

from perishield.model.media import TIMESCALE
from perishield.sources.arrival_clock import ArrivalClock

_FARTHEST_FORWARD: Final = 10 * TIMESCALE
_FARTHEST_BACK: Final = TIMESCALE
_TOLERANCE: Final = TIMESCALE

_FARTHEST_FROM_HOST_S: Final = 2.0
_LARGEST_STEP_S: Final = 0.1
_REPORTS_TO_TRUST: Final = 3


def signed_difference(later: int, earlier: int) -> int:
    """later - earlier modulo 2**32, as a signed number."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class RtpClock:
    """Stream ticks of one connection's RTP timestamps, beginning with `start`.

    Steps of more than 10 s forward or 1 s backward that the monotonic clock does not confirm are jumps: they are
    counted, and stream time goes on by what the monotonic clock says. Timestamps that stand still are replaced by
    arrival times.
    """

    __slots__ = ("_arrival", "_highest", "_last", "_nominal", "_plain", "_ticks", "jumps", "rate")

    def __init__(self, start: int, *, rate: int = TIMESCALE, nominal: int = TIMESCALE // 25) -> None:
        self.jumps = 0
        self.rate = rate
        self._last = -1
        self._ticks = start
        self._highest = start
        self._nominal = nominal
        self._arrival = 0.0
        self._plain = False

    def ticks(self, timestamp: int, arrival: float) -> int:
        """Presentation time; `arrival` is monotonic seconds."""
        if self._plain and 0 < (step := timestamp - self._last) < TIMESCALE:
            # What nearly every frame of every camera is.
            self._nominal = step
            self._last, self._arrival = timestamp, arrival
            ticks = self._ticks = self._ticks + step
            self._highest = max(self._highest, ticks)
            return ticks
        if self._last < 0:
            self._last, self._arrival = timestamp, arrival
            self._plain = self.rate == TIMESCALE
            return self._ticks
        step = ((timestamp - self._last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if self.rate != TIMESCALE:
            step = step * TIMESCALE // self.rate
        if 0 < step <= _FARTHEST_FORWARD:
            if step < TIMESCALE:
                self._nominal = step
        elif step == 0:
            step = max(1, self._elapsed(arrival))
        elif step < -_FARTHEST_BACK or step > _FARTHEST_FORWARD:
            elapsed = self._elapsed(arrival)
            if abs(step - elapsed) > _TOLERANCE:
                self.jumps += 1
                step = self._highest - self._ticks + max(self._nominal, elapsed)
        self._ticks += step
        self._last, self._arrival = timestamp, arrival
        self._highest = max(self._highest, self._ticks)
        return self._ticks

    @property
    def position(self) -> tuple[int, int]:
        """RTP timestamp and stream time of the last frame."""
        return self._last, self._ticks

    @property
    def lead_s(self) -> float:
        """Stream time less the host's monotonic clock, in seconds, at the last frame."""
        return self._ticks / TIMESCALE - self._arrival

    def retune(self, rate: int) -> None:
        """Count `rate` steps of the camera's clock as a second from here on."""
        self.rate = rate
        self._plain = False

    def _elapsed(self, arrival: float) -> int:
        return int((arrival - self._arrival) * TIMESCALE)


class WallClock:
    """Unix seconds of frames. `trusted` says that they are the camera's own, from its sender reports.

    A camera is trusted once three reports in a row lie within 2 s of the host and agree with each other within
    0.1 s; the first that does not ends it. Until then arrival tells.
    """

    __slots__ = ("_agreeing", "_arrivals", "_offset", "_read_at", "_report", "_ticks", "rate", "trusted")

    def __init__(self, rate: int = TIMESCALE) -> None:
        self.trusted = False
        self.rate = rate
        self._agreeing = 0
        self._report: tuple[float, int] | None = None
        self._arrivals = ArrivalClock()
        self._read_at = -1.0
        self._ticks = 0
        self._offset = 0.0

    def report(self, wall: float, timestamp: int, host: float) -> None:
        """A sender report: `wall` at RTP `timestamp`, read when the host's clock showed `host`."""
        agrees = abs(wall - host) < _FARTHEST_FROM_HOST_S
        if agrees and self._report is not None:
            expected = self._report[0] + signed_difference(timestamp, self._report[1]) / self.rate
            agrees = abs(wall - expected) < _LARGEST_STEP_S
        self._agreeing = self._agreeing + 1 if agrees else 0
        self._report = (wall, timestamp)
        self.trusted = self._agreeing >= _REPORTS_TO_TRUST

    @property
    def reported(self) -> tuple[float, int] | None:
        """The last sender report: Unix seconds by the camera's clock, and the RTP timestamp that goes with them."""
        return self._report

    @property
    def arrival_offset(self) -> float | None:
        """Monotonic seconds at which stream time 0 came in, or would have."""
        return self._arrivals.offset

    def wall(self, timestamp: int, ticks: int, arrival: float, monotonic: float) -> float:
        """Of the frame with RTP `timestamp` at stream time `ticks` that arrived at Unix time `arrival`.

        `monotonic` is the same moment by the clock that nobody sets: frames are laid out by that one, so that they
        follow the host's clock at once when it leaps.
        """
        if monotonic != self._read_at:
            self._turn(timestamp, ticks, arrival, monotonic)
        self._ticks = ticks
        return self._offset + ticks / TIMESCALE

    def _turn(self, timestamp: int, ticks: int, arrival: float, monotonic: float) -> None:
        """A new read begins: what lies between stream time and wall clock is settled once for all frames in it."""
        if self._read_at >= 0:
            # Of the frames of one read the last was the least late.
            self._arrivals.wall(self._ticks, self._read_at)
        estimate = self._arrivals.wall(ticks, monotonic) + arrival - monotonic
        self._read_at = monotonic
        if self.trusted and self._report is not None:
            estimate = self._report[0] + signed_difference(timestamp, self._report[1]) / self.rate
        self._offset = estimate - ticks / TIMESCALE

"""Stream time of sound (RFC 3550 sections 5.1 and 6.4.1).

Three clocks meet here and none is right: RTP timestamps, whose rate some cameras tell wrongly; the number of samples,
which stands still where sound is left out or lost; and the video's, which is stream time. Within the track samples and
timestamps are followed; the whole is moved slowly towards where the pictures are.
"""

from __future__ import annotations

from perishield.model.media import TIMESCALE
from perishield.sources.rtsp.clock import signed_difference

_AGREE = 0.02
_TO_SETTLE = 4
_LONGEST_STEP = 10 * TIMESCALE
_SLEW = 1 / 128
"""Share of its length by which a frame may be moved."""
_DEAD_BAND = TIMESCALE // 200
_LEAP = TIMESCALE // 2
"""Farther apart than this, time is set instead of moved."""


class AudioClock:
    """Ticks of one connection's frames. `rate` is that of the timestamps; it is learned where the SDP's is wrong.

    `jumps` counts timestamps that could not be followed.
    """

    __slots__ = ("_agreeing", "_odd_rate", "_odds", "_raw", "_settled", "_shift", "_stamp", "_step", "jumps", "rate")

    def __init__(self, rate: int) -> None:
        self.rate: float = rate
        self.jumps = 0
        self._stamp = -1
        self._step = 0
        self._raw = 0.0
        self._shift: float | None = None
        self._settled = False
        self._agreeing = 0
        self._odds = 0
        self._odd_rate = 0.0

    @property
    def raw(self) -> float:
        """Ticks of the last packet on the track's own time."""
        return self._raw

    def advance(self, stamp: int, duration: int, lost: int) -> None:
        """The next packet: its timestamp, ticks of sound in it, packets lost before it."""
        if self._stamp >= 0:
            self._raw += self._measured(stamp, lost)
        self._stamp = stamp
        self._step = duration

    def _measured(self, stamp: int, lost: int) -> float:
        """Ticks from the last packet to this one."""
        samples = self._step * (lost + 1)
        units = signed_difference(stamp, self._stamp)
        stamped = units * TIMESCALE / self.rate
        if not 0 < stamped <= _LONGEST_STEP:
            self.jumps += 1
            return samples
        if lost or self._settled:
            return stamped if self._settled else samples
        if abs(stamped - samples) <= _AGREE * samples:
            self._agreeing += 1
            self._odds = 0
            self._settled = self._agreeing >= _TO_SETTLE
        else:
            self._learn(units * TIMESCALE / max(1, samples))
        return samples

    def _learn(self, rate: float) -> None:
        """Timestamps of a steady rate that is not the one told: then it is this."""
        self._agreeing = 0
        if abs(rate - self._odd_rate) <= _AGREE * rate:
            self._odds += 1
        else:
            self._odd_rate, self._odds = rate, 1
        if self._odds >= 2 * _TO_SETTLE and 500 <= rate <= 400_000:
            self.rate = rate
            self._settled = True

    def align(self, target: float, *, packets: int = 1, at_once: bool = False) -> None:
        """Stream time of the last packet is `target`, as far as anything tells; `at_once` where it tells for sure.

        `packets` have come since this was last said.
        """
        if self._shift is None or at_once:
            self._shift = target - self._raw
            return
        error = target - self._raw - self._shift
        if abs(error) > _LEAP:
            self._shift += error
        elif abs(error) > _DEAD_BAND:
            most = self._step * packets * _SLEW
            self._shift += max(-most, min(most, error))

    @property
    def ticks(self) -> int | None:
        """Stream time of the last packet; None before it was aligned."""
        return None if self._shift is None else round(self._raw + self._shift)

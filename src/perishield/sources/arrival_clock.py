"""Wall-clock time of frames whose sender tells none."""

from __future__ import annotations

from typing import Final

from perishield.model.media import TIMESCALE

_DRIFT: Final = 1 / 256


class ArrivalClock:
    """A frame's time is its stream time laid over the earliest arrivals, so that network jitter and batched reading do
    not show in it; slow drift between the sender's clock and ours is followed.

    Arrivals are of one clock all the time: the monotonic one where the host's own may be set meanwhile.
    """

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset: float | None = None

    @property
    def offset(self) -> float | None:
        """When tick 0 came in, by the least delayed frames."""
        return self._offset

    def wall(self, ticks: int, arrival: float) -> float:
        """Seconds, by the clock of `arrival`, of the frame at stream time `ticks` that arrived then."""
        seconds = ticks / TIMESCALE
        seen = arrival - seconds
        offset = self._offset
        offset = seen if offset is None or seen < offset else offset + (seen - offset) * _DRIFT
        self._offset = offset
        return offset + seconds

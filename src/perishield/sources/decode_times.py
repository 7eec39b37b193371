"""Decode times from presentation times, for streams that send frames out of order."""

from __future__ import annotations

from bisect import insort
from typing import Final

from perishield.model.media import TIMESCALE

_DEEPEST: Final = 4


class DecodeTimes:
    """Frames come in decoding order; the n-th decode time is the n-th smallest presentation time, `reorder` frames
    later. So decode times increase, and none is later than its frame's presentation time as long as `reorder` is true;
    where it proves too small (an SPS need not tell it) it grows.
    """

    __slots__ = ("_frame_ticks", "_last", "_waiting", "reorder")

    def __init__(self) -> None:
        self.reorder = 0
        self._frame_ticks = TIMESCALE // 25
        self._waiting: list[int] = []
        self._last = -1

    def configure(self, reorder: int | None, frame_ticks: int) -> None:
        """Take over what the sequence says; begins anew."""
        self.reorder = reorder or 0
        self._frame_ticks = frame_ticks or self._frame_ticks
        self._waiting.clear()

    def restart(self) -> None:
        """Frames are missing from here on; decode times still go on increasing."""
        self._waiting.clear()

    @property
    def delay(self) -> int:
        """Ticks by which the first decode time precedes the first presentation time."""
        return self.reorder * self._frame_ticks

    @property
    def last(self) -> int:
        """The last decode time handed out, or -1."""
        return self._last

    def times(self, pts: int) -> tuple[int, int]:
        """(dts, pts) of the next frame; dts is above every earlier one, pts never below dts."""
        if not self.reorder and pts > self._last:
            self._last = pts
            return pts, pts
        dts = pts
        if self.reorder:
            waiting = self._waiting
            if not waiting:
                waiting.extend(pts - self._frame_ticks * ahead for ahead in range(self.reorder, 0, -1))
            insort(waiting, pts)
            dts = waiting.pop(0)
        if dts <= self._last:
            dts = self._last + 1
        if pts < dts:
            pts = dts
            if self.reorder < _DEEPEST:
                self.reorder += 1
                self._waiting.append(dts)
                self._waiting.sort()
        self._last = dts
        return dts, pts

"""Fast playback without more bytes a second: key frames alone, and only as many as the footage's own rate pays for."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.media import TIMESCALE
from perishield.streams.fmp4 import chunk_head

_SLOWEST_S = 1.0
"""At least one picture in so many seconds of watching, be it ever so large."""
_LEAST_TICKS = 900


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """An access unit that stands alone. `media`: its decode time in ticks; `composition`: pts - dts."""

    media: int
    composition: int
    data: bytes


class Thinner:
    """Chooses key frames for a `speed`, and holds each until it is known how long it lasts.

    A second of watching may take as many bytes as a second of the footage has, saved up for a second at most.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._saved = 0.0
        self._last: int | None = None
        self._held: KeyFrame | None = None

    def takes(self, media: int, size: int, rate: float) -> bool:
        """Whether to show the key frame of `size` bytes at `media` ticks of footage with `rate` bytes a second."""
        if self._last is None:
            self._last = media
            return True
        watched = max(0, media - self._last) / TIMESCALE / self._speed
        affordable = self._saved + watched * rate
        if affordable < size and watched < _SLOWEST_S:
            return False
        self._saved = min(max(affordable - size, -rate), rate)
        self._last = media
        return True

    def hold(self, frame: KeyFrame | None) -> KeyFrame | None:
        """Keep that one, and give out the one before."""
        before, self._held = self._held, frame
        return before


def key_frame_chunk(frame: KeyFrame, until: int) -> bytes:
    """moof and mdat of one key frame that is shown until the tick `until`."""
    lasts = max(_LEAST_TICKS, until - frame.media)
    composition = (frame.composition,) if frame.composition else ()
    head = chunk_head(1 + (frame.media >> 4), frame.media, True, (lasts,), (len(frame.data),), composition)
    return head + frame.data

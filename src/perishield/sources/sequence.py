"""What a sequence parameter set tells about a stream."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.media import TIMESCALE
from perishield.sources.bits import BitstreamError

LARGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class Sequence:
    """`width` and `height` are the displayed size, cropping applied.

    `reorder` is the number of frames that may precede another in decoding order and follow it in output order: None
    where the stream does not say. `frame_ticks` is a frame's nominal duration, 0 where unknown.
    """

    width: int
    height: int
    mime: str
    reorder: int | None
    frame_ticks: int

    def __post_init__(self) -> None:
        if not (0 < self.width <= LARGEST_SIDE and 0 < self.height <= LARGEST_SIDE):
            raise BitstreamError(f"picture of {self.width}x{self.height}")


def frame_ticks(units: int, timescale: int) -> int:
    """Stream ticks of `units / timescale` seconds, or 0 where that is no frame duration (below 1 or above 240 fps)."""
    if units <= 0 or timescale <= 0:
        return 0
    ticks = TIMESCALE * units // timescale
    return ticks if TIMESCALE // 240 <= ticks <= TIMESCALE else 0

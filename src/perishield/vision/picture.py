"""A decoded picture and the ways to look at it without needless conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded frame and when it was taken.

    `stream_time` is its presentation time in stream ticks; `wall` and `arrival` are Unix seconds, UTC, of this frame.
    """

    camera: str
    epoch: int
    stream_time: int
    wall: float
    arrival: float
    key: bool
    frame: VideoFrame

    @property
    def width(self) -> int:
        return self.frame.width

    @property
    def height(self) -> int:
        return self.frame.height

    def luma(self) -> NDArray[np.uint8]:
        """Brightness, (height, width): a strided view of the decoder's own plane where its format allows that."""
        return luma(self.frame)


def luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """The Y plane of a frame, (height, width); converted only where it is not 8 bits a sample."""
    if frame.format.name not in _PLANAR:
        frame = frame.reformat(format="gray", threads=1)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    view: NDArray[np.uint8] = rows[:, : frame.width]
    return view


class Shrinker:
    """Scales pictures to one size and format by area averaging; keeps libswscale's tables between pictures."""

    def __init__(self, width: int, height: int, form: str) -> None:
        self.width = width
        self.height = height
        self._form = form
        self._scaler = VideoReformatter()

    def frame(self, frame: VideoFrame) -> VideoFrame:
        return self._scaler.reformat(
            frame, width=self.width, height=self.height, format=self._form, interpolation="AREA", threads=1
        )

    def luma(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(height, width) brightness."""
        return luma(self.frame(frame))

    def colour(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(height, width, 3), for the formats `rgb24` and `bgr24`."""
        small = self.frame(frame)
        plane = small.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
        view: NDArray[np.uint8] = rows[:, : self.width * 3].reshape(self.height, self.width, 3)
        return view

"""What a key frame's thumbnail says of the camera that took it: light, contours, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 180
_FAINT = np.float32(4.0)
"""Gradient, in grey levels a pixel of the halved thumbnail, at which a contour counts half: noise lies below it."""
_BRIGHT = 232
_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One thumbnail, measured.

    `contours`: complex64 (90, 160); the angle is twice that of the gradient (a contour is the same whether it is
    brighter inside or outside), the length 0..1 how distinct it is. `slopes`: complex64 (180, 320), the plain gradient
    at full size. `layout`: float32 (9, 16), mean brightness. `bright`: share of pixels that are as good as white.
    """

    luma: NDArray[np.uint8]
    contours: NDArray[np.complex64]
    slopes: NDArray[np.complex64]
    layout: NDArray[np.float32]
    bright: float
    light: float
    """Brightness that 99 of 100 pixels do not exceed."""
    spread: float
    """Standard deviation of brightness."""
    chroma: tuple[float, float] | None
    """Mean of the blue and the red difference, less 128; None where unknown."""

    @property
    def colourless(self) -> bool:
        """As infrared pictures are."""
        return self.chroma is not None and max(map(abs, self.chroma)) < 1.5


def measured(luma: NDArray[np.uint8], chroma: tuple[float, float] | None = None) -> Look:
    """Measure a thumbnail of brightness, uint8 (180, 320)."""
    fine = luma.astype(np.float32)
    half = fine.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))
    slopes = _gradient(half)
    strength = np.square(slopes.real) + np.square(slopes.imag)
    contours = np.square(slopes) / (strength + np.square(_FAINT))
    return Look(
        luma=luma,
        contours=contours.astype(np.complex64, copy=False),
        slopes=_gradient(fine),
        layout=half.reshape(9, 10, 16, 10).mean(axis=(1, 3)),
        bright=float(np.count_nonzero(luma >= _BRIGHT)) / luma.size,
        light=float(np.partition(luma.ravel(), luma.size * 99 // 100)[luma.size * 99 // 100]),
        spread=float(fine.std()),
        chroma=chroma,
    )


def chroma_of(frame: VideoFrame) -> tuple[float, float] | None:
    """Mean blue and red difference of a decoded frame, less 128, from every eighth row; None for other formats."""
    if frame.format.name not in _PLANAR:
        return None
    means = []
    for plane in frame.planes[1:3]:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
        means.append(float(rows[::8, : plane.width : 4].mean()) - 128.0)
    return means[0], means[1]


def _gradient(plane: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Central differences, right and down; nothing at the border."""
    slopes = np.zeros(plane.shape, np.complex64)
    slopes.real[1:-1, 1:-1] = plane[1:-1, 2:] - plane[1:-1, :-2]
    slopes.imag[1:-1, 1:-1] = plane[2:, 1:-1] - plane[:-2, 1:-1]
    return slopes

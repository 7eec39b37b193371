"""How the whole picture has moved, where a camera shakes.

Phase correlation (Kuglin and Hines, 1975) of two thumbnails, refined below the pixel by the parabola through the peak.
Only shifts are estimated: a mast in the wind pans and tilts by a few pixels, it neither rolls nor zooms much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LARGEST = 0.15
_CLEAR = 3.0
_STILL_PX = 0.1


@dataclass(frozen=True, slots=True)
class Shift:
    """What was at p (pixels) in the former picture is at `scale` * p + (x, y) in this one."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0


STILL = Shift()


class CameraMotion:
    """Estimates shifts from one grey thumbnail to the next; all of one size."""

    def __init__(self) -> None:
        self._former: NDArray[np.complex128] | None = None
        self._window: NDArray[np.float64] = np.zeros((0, 0))

    def restart(self) -> None:
        """The next picture has no former one (another recording, a gap)."""
        self._former = None

    def shift(self, thumbnail: NDArray[np.uint8], width: int, height: int) -> Shift:
        """The shift since the last thumbnail (h, w), in pixels of a picture of `width` x `height`.

        `STILL` where there is no former picture, where the two have no clear shift (it was more than 15 % of the
        picture, or most of it has changed), or where it is below a tenth of a thumbnail's pixel.
        """
        rows, columns = thumbnail.shape
        if self._window.shape != thumbnail.shape:
            # Without a window the picture's borders, which do not move, are the strongest pattern.
            self._window = np.outer(np.hanning(rows), np.hanning(columns))
            self._former = None
        grey = thumbnail.astype(np.float64)
        spectrum = np.fft.rfft2((grey - grey.mean()) * self._window)
        former, self._former = self._former, spectrum
        if former is None:
            return STILL
        cross = spectrum * former.conj()
        size = np.abs(cross)
        if not size.max() > 0:
            return STILL
        # The floor keeps frequencies that hold nothing but noise from having the same say as the others.
        surface = np.fft.irfft2(cross / (size + 0.01 * size.mean()), s=thumbnail.shape)
        y, x = np.unravel_index(int(surface.argmax()), surface.shape)
        peak = float(surface[y, x])
        if peak < _CLEAR * self._second(surface, int(y), int(x)):
            return STILL
        down = self._refined(surface[:, x], int(y))
        right = self._refined(surface[y, :], int(x))
        if abs(down) > _LARGEST * rows or abs(right) > _LARGEST * columns:
            return STILL
        if abs(down) < _STILL_PX and abs(right) < _STILL_PX:
            return STILL
        return Shift(right * width / columns, down * height / rows)

    @staticmethod
    def _second(surface: NDArray[np.float64], y: int, x: int) -> float:
        """The highest value that does not belong to the peak."""
        rolled = np.roll(surface, (2 - y, 2 - x), axis=(0, 1))
        return max(float(rolled[5:].max()), float(rolled[:5, 5:].max()), 1e-12)

    @staticmethod
    def _refined(line: NDArray[np.float64], at: int) -> float:
        """Where the peak lies between pixels; beyond the middle is a negative shift."""
        count = len(line)
        before, here, after = float(line[at - 1]), float(line[at]), float(line[(at + 1) % count])
        bend = before - 2 * here + after
        place = at + (0.5 * (before - after) / bend if bend < 0 else 0.0)
        return place - count if place > count / 2 else place

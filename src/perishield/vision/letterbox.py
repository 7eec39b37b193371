"""Fits a picture into a network's input without changing its proportions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from perishield.vision.picture import Picture, Shrinker

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fit:
    """input = picture * scale + (left, top)."""

    scale: float
    left: int
    top: int
    width: int
    height: int

    def back(self, boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Boxes (n, 4) xyxy in input pixels as pixels of the picture, clipped to it."""
        moved = (boxes - np.array([self.left, self.top] * 2, np.float32)) / np.float32(self.scale)
        result: NDArray[np.float32] = np.clip(moved, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
        return result


def fit(width: int, height: int, input_width: int, input_height: int, *, centred: bool) -> Fit:
    """How a picture of that size lies in the input."""
    scale = min(input_width / width, input_height / height)
    inner_width = max(1, min(input_width, round(width * scale)))
    inner_height = max(1, min(input_height, round(height * scale)))
    left = (input_width - inner_width) // 2 if centred else 0
    top = (input_height - inner_height) // 2 if centred else 0
    return Fit(scale, left, top, inner_width, inner_height)


class Letterbox:
    """Pictures as network inputs, float32 (3, height, width), padded with grey 114."""

    def __init__(
        self, width: int, height: int, *, order: Literal["rgb24", "bgr24"], unit_range: bool, centred: bool
    ) -> None:
        self.width = width
        self.height = height
        self._order = order
        self._divisor = np.float32(255.0 if unit_range else 1.0)
        self._centred = centred
        self._shrinkers: dict[tuple[int, int], tuple[Fit, Shrinker]] = {}

    def fit_of(self, picture: Picture) -> Fit:
        return self._known(picture)[0]

    def put(self, picture: Picture, target: NDArray[np.float32]) -> Fit:
        """Write a picture into `target`, float32 (3, height, width)."""
        place, shrink = self._known(picture)
        colour = shrink.colour(picture.frame)
        target.fill(np.float32(114.0) / self._divisor)
        inner = target[:, place.top : place.top + place.height, place.left : place.left + place.width]
        np.divide(colour.transpose(2, 0, 1), self._divisor, out=inner, casting="unsafe", dtype=np.float32)
        return place

    def _known(self, picture: Picture) -> tuple[Fit, Shrinker]:
        size = (picture.width, picture.height)
        known = self._shrinkers.get(size)
        if known is None:
            place = fit(*size, self.width, self.height, centred=self._centred)
            known = self._shrinkers[size] = (place, Shrinker(place.width, place.height, self._order))
        return known

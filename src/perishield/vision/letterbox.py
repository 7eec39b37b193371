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
    """input = picture * (scale, scale_y) + (left, top)."""

    scale: float
    scale_y: float
    left: int
    top: int
    width: int
    height: int

    def back(self, boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Boxes (n, 4) xyxy in input pixels as pixels of the picture, clipped to it."""
        scales = np.array([self.scale, self.scale_y] * 2, np.float32)
        moved = (boxes - np.array([self.left, self.top] * 2, np.float32)) / scales
        result: NDArray[np.float32] = np.clip(moved, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
        return result


Mode = Literal["centre", "top_left", "stretch"]


def fit(width: int, height: int, input_width: int, input_height: int, mode: Mode) -> Fit:
    """How a picture of that size lies in the input; all but `stretch` keep its proportions."""
    if mode == "stretch":
        return Fit(input_width / width, input_height / height, 0, 0, input_width, input_height)
    scale = min(input_width / width, input_height / height)
    inner_width = max(1, min(input_width, round(width * scale)))
    inner_height = max(1, min(input_height, round(height * scale)))
    left = (input_width - inner_width) // 2 if mode == "centre" else 0
    top = (input_height - inner_height) // 2 if mode == "centre" else 0
    return Fit(scale, scale, left, top, inner_width, inner_height)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputForm:
    """How a network wants its pictures: (sample / divisor - mean) / std, in that order of colours."""

    order: Literal["rgb", "bgr"] = "rgb"
    divisor: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mode: Mode = "centre"
    pad: int = 114


class Letterbox:
    """Pictures as network inputs, float32 (3, height, width)."""

    def __init__(self, width: int, height: int, form: InputForm) -> None:
        self.width = width
        self.height = height
        self._form = form
        self._divisor = np.float32(form.divisor)
        self._mean = np.array(form.mean, np.float32)[:, None, None]
        self._std = np.array(form.std, np.float32)[:, None, None]
        self._plain = form.mean == (0.0, 0.0, 0.0) and form.std == (1.0, 1.0, 1.0)
        self._shrinkers: dict[tuple[int, int], tuple[Fit, Shrinker]] = {}

    def fit_of(self, picture: Picture) -> Fit:
        return self._known(picture)[0]

    def put(self, picture: Picture, target: NDArray[np.float32]) -> Fit:
        """Write a picture into `target`, float32 (3, height, width)."""
        place, shrink = self._known(picture)
        colour = shrink.colour(picture.frame)
        if (place.width, place.height) != (self.width, self.height):
            target.fill(np.float32(self._form.pad) / self._divisor)
        inner = target[:, place.top : place.top + place.height, place.left : place.left + place.width]
        np.divide(colour.transpose(2, 0, 1), self._divisor, out=inner, casting="unsafe", dtype=np.float32)
        if not self._plain:
            target -= self._mean
            target /= self._std
        return place

    def _known(self, picture: Picture) -> tuple[Fit, Shrinker]:
        size = (picture.width, picture.height)
        known = self._shrinkers.get(size)
        if known is None:
            place = fit(*size, self.width, self.height, self._form.mode)
            known = self._shrinkers[size] = (place, Shrinker(place.width, place.height, f"{self._form.order}24"))
        return known

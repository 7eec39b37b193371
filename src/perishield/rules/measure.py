"""Lengths and speeds on the picture, and on the ground where the camera is calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from perishield.model.geometry import Point
from perishield.model.rules import LengthUnit

TYPICAL_M = 1.7
"""A person's height: how high somebody shows on calibrated ground is told by it, and metres on other ground."""


class Ground(Protocol):
    """A camera's ground, asked in pixels of a picture of one size."""

    def project(self, points: Sequence[Point]) -> Sequence[Point]:
        """Metres on the plan."""
        ...

    def scale_at(self, point: Point) -> float:
        """Metres per pixel at this foot point."""
        ...

    def valid(self, point: Point) -> bool: ...


Survey = Callable[[int, int], Ground]
"""The ground of one camera for pictures of that width and height."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Picture height in pixels, and the ground where it is known."""

    picture: int
    ground: Ground | None = None

    def metres(self, a: Point, b: Point) -> float | None:
        """Between two foot points (pixels); None where the ground is not known."""
        if self.ground is None or not (self.ground.valid(a) and self.ground.valid(b)):
            return None
        first, second = self.ground.project([a, b])
        length = math.dist(first, second)
        return length if math.isfinite(length) else None

    def height_m(self, at: Point, height: float) -> float | None:
        """Of something upright, `height` pixels high, that stands at this foot point."""
        if self.ground is None or not self.ground.valid(at):
            return None
        metres = height * self.ground.scale_at(at)
        return metres if math.isfinite(metres) else None

    def length(self, a: Point, b: Point, unit: LengthUnit, height: float) -> float:
        """From `a` to `b` (pixels) in that unit, for an object `height` pixels high.

        Metres on ground that is not known are told by the object's height, taken for a person's.
        """
        if unit == "m":
            metres = self.metres(a, b)
            return metres if metres is not None else math.dist(a, b) / max(height, 1.0) * TYPICAL_M
        return math.dist(a, b) / (self.picture if unit == "share" else max(height, 1.0))

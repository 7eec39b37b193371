"""The way that one object took."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.geometry import Box, Point

Step = tuple[float, float, float]
"""Seconds since the way began, and the foot's point as a share of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """`start` and `end` are Unix seconds; `score` is the best detection's; `box` the last, in shares of the picture.

    `velocity`: of the foot at the end, shares of the picture a second. `metres_per_s` where the ground is calibrated.
    """

    camera: str
    epoch: int
    track: int
    label: str
    score: float
    hits: int
    start: float
    end: float
    path: tuple[Step, ...]
    box: Box
    velocity: Point = (0.0, 0.0)
    metres_per_s: float | None = None

    def bounds(self) -> Box:
        """What the path spans."""
        across, down = [x for _, x, _ in self.path], [y for _, _, y in self.path]
        return min(across), min(down), max(across), max(down)

"""What a rule sees of a track: one anchor point per picture in which the object was really detected."""

from __future__ import annotations

from dataclasses import dataclass

from perishield.model.alarms import EventKind
from perishield.model.geometry import Box, Point, foot
from perishield.model.rules import Anchor


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a track was in one picture. `point` in pixels, inside the picture; `height` of its box in pixels."""

    ticks: int
    wall: float
    point: Point
    height: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule was broken at this instant and point (pixels), interpolated between two pictures."""

    kind: EventKind
    ticks: int
    wall: float
    point: Point
    direction: str = ""


def anchor_point(box: Box, anchor: Anchor, width: int, height: int) -> Point:
    """The point of a box that rules judge, clamped to the picture's pixels.

    Detectors report boxes that reach beyond the picture, and who is cut off by its lower edge stands on that edge as
    far as the picture tells.
    """
    x, y = foot(box) if anchor == "foot" else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)


def between(a: Sighting, b: Sighting, share: float) -> Sighting:
    """The sighting at `share` (0..1) of the way from `a` to `b`."""
    return Sighting(
        ticks=round(a.ticks + (b.ticks - a.ticks) * share),
        wall=a.wall + (b.wall - a.wall) * share,
        point=(a.point[0] + (b.point[0] - a.point[0]) * share, a.point[1] + (b.point[1] - a.point[1]) * share),
        height=a.height + (b.height - a.height) * share,
    )

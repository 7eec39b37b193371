"""What a rule sees of a track: one anchor point per picture in which the object was really detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from perishield.model.alarms import EventKind
from perishield.model.geometry import Box, Point, foot
from perishield.model.remarks import Remark
from perishield.model.rules import Anchor


class Sighting(NamedTuple):
    """Where a track was in one picture. `point` in pixels, inside the picture; `height` of its box in pixels."""

    ticks: int
    wall: float
    point: Point
    height: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule was broken at this instant and point (pixels), interpolated between two pictures.

    `stayed_s`: how long it had lasted. `count`: how many there were. `box` in pixels, where it is not the track's own.
    """

    kind: EventKind
    ticks: int
    wall: float
    point: Point
    direction: str = ""
    stayed_s: float = 0.0
    count: int = 0
    box: Box | None = None
    doubts: tuple[Remark, ...] = ()


class Member(NamedTuple):
    """One track in one picture, for rules that judge the whole picture. `counts`: it passes the rule's limits."""

    track: int
    at: Sighting
    box: Box
    counts: bool


class Note(Protocol):
    """Told why something that looked like an event was none."""

    def __call__(self, reason: str, /) -> None: ...


def unheard(_reason: str, /) -> None:
    """For whoever does not want to know."""


def moved_to(a: Sighting | None, b: Sighting, ticks: int) -> Sighting:
    """Where the track was at `ticks`: between `a` and `b`, or at `b` where nothing is known of before."""
    if a is None or not a.ticks <= ticks < b.ticks:
        return b
    return between(a, b, (ticks - a.ticks) / (b.ticks - a.ticks))


def anchor_point(box: Box, anchor: Anchor, width: int, height: int) -> Point:
    """The point of a box that rules judge, clamped to the picture's pixels.

    Detectors report boxes that reach beyond the picture, and who is cut off by its lower edge stands on that edge as
    far as the picture tells.
    """
    x, y = foot(box) if anchor == "foot" else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    if 0.0 <= x <= width - 1.0 and 0.0 <= y <= height - 1.0:
        return x, y
    return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)


def between(a: Sighting, b: Sighting, share: float) -> Sighting:
    """The sighting at `share` (0..1) of the way from `a` to `b`."""
    return Sighting(
        ticks=round(a.ticks + (b.ticks - a.ticks) * share),
        wall=a.wall + (b.wall - a.wall) * share,
        point=(a.point[0] + (b.point[0] - a.point[0]) * share, a.point[1] + (b.point[1] - a.point[1]) * share),
        height=a.height + (b.height - a.height) * share,
    )

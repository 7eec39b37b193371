"""A polygon that nobody may enter, or leave."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from perishield.model.alarms import EventKind
from perishield.model.geometry import Point, area, crossing, distance, inside, scaled
from perishield.model.rules import Zone
from perishield.rules.line_watch import CLEAR_PICTURES, LEAST_MARGIN_PX, MARGIN
from perishield.rules.sighting import Finding, Sighting, between

_BORDER = 0.01
_BEYOND = 0.02


class ZoneShape:
    """A polygon in pixels of one picture size.

    Corners within 1 % of the picture's border lie beyond it, and an edge along the border is no boundary: a foot
    clamped to the last row of pixels stands inside a zone that reaches to the border.
    """

    def __init__(self, polygon: Sequence[Point], width: int, height: int) -> None:
        outer = [(_beyond(x), _beyond(y)) for x, y in polygon]
        self._polygon = scaled(outer, width, height)
        edges = list(itertools.pairwise((*self._polygon, self._polygon[0])))
        rims = [_rims(point) for point in outer]
        self._edges = [edge for edge, a, b in zip(edges, rims, (*rims[1:], rims[0]), strict=True) if not a & b]
        around = sum(abs(complex(*b) - complex(*a)) for a, b in edges)
        # A margin wider than the zone itself would leave no place in it that is clear of its boundary.
        self.widest_margin = area(self._polygon) / around / 2 if around else 0.0

    def inside(self, point: Point) -> bool:
        return inside(point, self._polygon)

    def distance(self, point: Point) -> float:
        """Pixels from the nearest point of the boundary; infinite where the zone is the whole picture."""
        return min((distance(point, start, end) for start, end in self._edges), default=float("inf"))

    def last_crossing(self, a: Sighting, b: Sighting) -> Sighting | None:
        """Where the way from `a` to `b` last meets the boundary."""
        shares = [crossing(a.point, b.point, start, end) for start, end in self._edges]
        met = [share for share in shares if share is not None]
        return between(a, b, max(met)) if met else None


def _beyond(value: float) -> float:
    if value <= _BORDER:
        return -_BEYOND
    return 1 + _BEYOND if value >= 1 - _BORDER else value


def _rims(point: Point) -> set[str]:
    x, y = point
    return {name for name, there in (("left", x < 0), ("right", x > 1), ("top", y < 0), ("bottom", y > 1)) if there}


class ZoneJudge:
    """Judges every track by one zone, on pictures of one size."""

    def __init__(self, rule: Zone, width: int, height: int) -> None:
        self._on = rule.on
        self._shape = ZoneShape(rule.polygon, width, height)

    def watch(self) -> ZoneWatch:
        """For a new track."""
        return ZoneWatch(self._shape, self._on)


class ZoneWatch:
    """One track at one zone: outside or inside, known once the anchor is clear of the boundary."""

    __slots__ = ("_clear", "_inside", "_last", "_met", "_on", "_shape", "_within")

    def __init__(self, shape: ZoneShape, on: Sequence[str]) -> None:
        self._shape = shape
        self._on = on
        self._last: Sighting | None = None
        self._met: Sighting | None = None
        self._inside: bool | None = None
        self._within = False
        self._clear = 0

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms."""
        if self._last is not None:
            self._met = self._shape.last_crossing(self._last, now) or self._met
        self._last = now
        margin = min(max(MARGIN * now.height, LEAST_MARGIN_PX), self._shape.widest_margin)
        if self._shape.distance(now.point) <= margin:
            self._clear = 0
            return []
        within = self._shape.inside(now.point)
        self._clear = self._clear + 1 if within == self._within else 1
        self._within = within
        if self._inside is None:
            self._inside = within
        return self._settle(now) if self._clear >= CLEAR_PICTURES else []

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        return self._settle(self._last) if self._clear and self._last is not None else []

    def _settle(self, now: Sighting) -> list[Finding]:
        within = self._within
        if within == self._inside:
            return []
        self._inside = within
        at = self._met or now
        if ("enter" if within else "exit") not in self._on:
            return []
        return [Finding(EventKind.ZONE_ENTER if within else EventKind.ZONE_EXIT, at.ticks, at.wall, at.point)]

"""A polygon that nobody may enter, leave, or be in for long."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from perishield.model.alarms import EventKind
from perishield.model.geometry import Point, area, crossing, distance, inside, scaled
from perishield.model.rules import Rule, Zone
from perishield.rules.line_watch import CLEAR_PICTURES, ROUNDING
from perishield.rules.sighting import Finding, Note, Sighting, between, unheard
from perishield.rules.stay import Stay

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
        xs, ys = [x for x, _ in self._polygon], [y for _, y in self._polygon]
        self.box = (min(xs), min(ys), max(xs), max(ys))

    def beyond(self, point: Point, margin: float) -> bool:
        """Whether the point is outside, and farther than that from the box around the zone."""
        x, y = point
        left, top, right, bottom = self.box
        return x < left - margin or x > right + margin or y < top - margin or y > bottom + margin

    def middle(self) -> Point:
        """Of the box around the zone."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def inside(self, point: Point) -> bool:
        return inside(point, self._polygon)

    def avoids(self, a: Point, b: Point) -> bool:
        """Whether the way from `a` to `b` lies wholly on one outer side of the box around the zone."""
        left, top, right, bottom = self.box
        return (
            (a[0] < left and b[0] < left)
            or (a[0] > right and b[0] > right)
            or (a[1] < top and b[1] < top)
            or (a[1] > bottom and b[1] > bottom)
        )

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


class Presence:
    """One track at one polygon: outside or inside, known once the anchor is clear of the boundary.

    Two clear pictures in a row settle it, or one before the track is lost. As with lines, nothing changes within the
    circle about the last place that was measured, with the distance from the boundary as its radius.
    """

    __slots__ = (
        "_clear", "_free", "_met", "_middle", "_note", "_rule", "_shape", "_touched", "_within", "inside", "last",
    )  # fmt: skip

    def __init__(self, shape: ZoneShape, rule: Rule, note: Note = unheard) -> None:
        self._shape = shape
        self._rule = rule
        self._note = note
        self._met: Sighting | None = None
        self._within = False
        self._clear = 0
        self._touched = False
        self._middle: Point = (0.0, 0.0)
        self._free = 0.0
        self.last: Sighting | None = None
        self.inside: bool | None = None

    def observe(self, now: Sighting) -> Sighting | None:
        """Where and when it went in or out, if this picture settles that it did."""
        shape, last = self._shape, self.last
        rule = self._rule
        margin, floor, most = rule.band * now.height, rule.band_px, shape.widest_margin
        margin = max(floor, margin)
        margin = min(most, margin)
        if (
            self._clear >= CLEAR_PICTURES
            and not self._touched
            and self._within == self.inside
            and math.dist(self._middle, now.point) + margin < self._free
        ):
            self.last = now
            self._clear += 1
            return None
        far = shape.beyond(now.point, margin)
        if last is not None and not (far and shape.beyond(last.point, margin) and shape.avoids(last.point, now.point)):
            met = shape.last_crossing(last, now)
            if met is not None:
                self._met, self._touched = met, True
        self.last = now
        distance = shape.distance(now.point)
        self._middle, self._free = now.point, max(distance - ROUNDING, 0.0)
        if distance <= margin:
            self._clear = 0
            return None
        within = not far and shape.inside(now.point)
        self._clear = self._clear + 1 if within == self._within else 1
        self._within = within
        if self.inside is None:
            self.inside = within
        return self._settle(now) if self._clear >= CLEAR_PICTURES else None

    def lost(self) -> Sighting | None:
        """The same, now that the track is out of sight."""
        if self._clear and self.last is not None:
            return self._settle(self.last)
        if self._touched and self.inside is not None:
            self._note("band")
        return None

    def _settle(self, now: Sighting) -> Sighting | None:
        touched, self._touched = self._touched, False
        if self._within == self.inside:
            if touched:
                self._note("band")
            return None
        self.inside = self._within
        return self._met or now


class ZoneJudge:
    """Judges every track by one zone, on pictures of one size."""

    def __init__(self, rule: Zone, width: int, height: int) -> None:
        self.rule = rule
        self.shape = ZoneShape(rule.polygon, width, height)

    def watch(self, note: Note = unheard) -> ZoneWatch:
        """For a new track."""
        return ZoneWatch(self, note)


class ZoneWatch:
    """One track at one zone."""

    __slots__ = ("_judge", "_presence", "_stay")

    def __init__(self, judge: ZoneJudge, note: Note) -> None:
        self._judge = judge
        self._presence = Presence(judge.shape, judge.rule, note)
        self._stay = Stay()

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms."""
        presence = self._presence
        last, known = presence.last, presence.inside
        changed = presence.observe(now)
        found = self._changed(changed) if changed is not None else []
        if presence.inside:
            if known is None:
                self._stay.begin(now)
            rule = self._judge.rule
            if "inside" in rule.on:
                found += self._stay.due(EventKind.ZONE_INSIDE, last, now, rule.stay_s, rule.every_s)
        return found

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        changed = self._presence.lost()
        return self._changed(changed) if changed is not None else []

    def _changed(self, at: Sighting) -> list[Finding]:
        within = bool(self._presence.inside)
        if within:
            self._stay.begin(at)
        stayed = self._stay.end(at) if not within else 0.0
        if ("enter" if within else "exit") not in self._judge.rule.on:
            return []
        kind = EventKind.ZONE_ENTER if within else EventKind.ZONE_EXIT
        return [Finding(kind, at.ticks, at.wall, at.point, stayed_s=stayed)]

"""Crossings of one line by one track, free of jitter.

A crossing is real once the anchor has been clear of the line before it and is clear of it again after it, on balance
on the other side. *Clear* means farther than a margin from every point of the line. What happens in between (steps
over the line and back, wherever the pictures happen to cut the way) only adds up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from perishield.model.geometry import Point, crossing, distance, foot_on, prolonged, scaled, side
from perishield.rules.sighting import Note, Sighting, between, unheard

CLEAR_PICTURES = 2
"""Pictures in a row that confirm a crossing: a box that is wrong once cannot."""
ROUNDING = 1e-6
"""Pixels that a sum of distances may be wrong by."""
_BORDER = 0.01
_BEYOND = 0.02
_SAME_INSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class Crossing:
    """`sign` is +1 from the line's left to its right, -1 the other way."""

    at: Sighting
    sign: int


class LineShape:
    """A polyline in pixels of one picture size.

    An end within 1 % of the picture's border was meant to reach it: the line is prolonged beyond, so that a foot
    clamped to the last row of pixels cannot slip past its end.
    """

    def __init__(self, line: Sequence[Point], width: int, height: int) -> None:
        points = list(scaled(line, width, height))
        reach = _BEYOND * max(width, height)
        if _at_border(line[0]):
            points[0] = prolonged(points[1], points[0], reach)
        if _at_border(line[-1]):
            points[-1] = prolonged(points[-2], points[-1], reach)
        self._segments = list(itertools.pairwise(points))
        self._left, self._right = min(x for x, _ in points), max(x for x, _ in points)
        self._top, self._bottom = min(y for _, y in points), max(y for _, y in points)

    def passes(self, a: Point, b: Point) -> bool:
        """Whether the way from `a` to `b` lies wholly on one outer side of the box around the line."""
        return (
            (a[0] < self._left and b[0] < self._left)
            or (a[0] > self._right and b[0] > self._right)
            or (a[1] < self._top and b[1] < self._top)
            or (a[1] > self._bottom and b[1] > self._bottom)
        )

    def distance(self, point: Point) -> float:
        """Pixels from the nearest point of the line."""
        return min(distance(point, start, end) for start, end in self._segments)

    def nearest(self, point: Point) -> Point:
        """The point of the line that is nearest to it."""
        start, end = min(self._segments, key=lambda segment: distance(point, *segment))
        return foot_on(point, start, end)

    def crossings(self, a: Sighting, b: Sighting) -> list[Crossing]:
        """Every crossing on the straight way from `a` to `b`, in order; one at a bend counts once."""
        if self.passes(a.point, b.point):
            return []
        found: list[tuple[float, int]] = []
        for start, end in self._segments:
            share = crossing(a.point, b.point, start, end)
            if share is None:
                continue
            sign = 1 if side(b.point, start, end) > side(a.point, start, end) else -1
            if not any(other == sign and abs(at - share) < _SAME_INSTANT for at, other in found):
                found.append((share, sign))
        if not found:
            return []
        return [Crossing(between(a, b, share), sign) for share, sign in sorted(found)]


def _at_border(point: Point) -> bool:
    return not (_BORDER < point[0] < 1 - _BORDER and _BORDER < point[1] < 1 - _BORDER)


class LineWatch:
    """One track at one line. `band`: share of the box's height within which the anchor is not clear of it.

    Between two events the anchor is mostly far from the line: within the circle about the last place that was
    measured, with the distance as its radius, there is no line to cross or to be near to.
    """

    __slots__ = ("_armed", "_band", "_clear", "_floor", "_free", "_last", "_middle", "_note", "_pending", "_shape")

    def __init__(self, shape: LineShape, band: float, floor: float, note: Note = unheard) -> None:
        self._shape = shape
        self._band = band
        self._floor = floor
        self._note = note
        self._last: Sighting | None = None
        self._armed = False
        self._clear = 0
        self._pending: list[Crossing] = []
        self._middle: Point = (0.0, 0.0)
        self._free = 0.0
        """Radius about `_middle` that is free of the line; less `ROUNDING`."""

    def observe(self, now: Sighting) -> Crossing | None:
        """The crossing that this picture confirms: the last one of those that led to the other side."""
        margin, floor = self._band * now.height, self._floor
        margin = max(floor, margin)
        if self._armed and not self._pending and math.dist(self._middle, now.point) + margin < self._free:
            # What follows below comes to the same where nothing is crossed and the anchor is clear.
            self._last = now
            self._clear += 1
            return None
        crossings = self._shape.crossings(self._last, now) if self._last is not None else []
        self._last = now
        if crossings:
            self._pending += crossings
            self._clear = 0
        distance = self._shape.distance(now.point)
        self._middle, self._free = now.point, max(distance - ROUNDING, 0.0)
        clear = distance > margin
        self._clear = self._clear + 1 if clear else 0
        if not self._clear or (self._armed and self._pending and self._clear < CLEAR_PICTURES):
            return None
        if self._armed and not self._pending:
            return None
        return self._settle()

    def lost(self) -> Crossing | None:
        """The crossing to believe when the object is seen no more after one last picture clear of the line.

        Whoever climbs down behind a wall, or leaves the picture, is often seen beyond the line just once.
        """
        if self._armed and self._clear:
            return self._settle()
        if self._armed and self._pending:
            self._note("band")
        return None

    def _settle(self) -> Crossing | None:
        balance = sum(crossing.sign for crossing in self._pending)
        decisive = [crossing for crossing in self._pending if crossing.sign * balance > 0]
        if self._armed and self._pending and not balance:
            self._note("band")
        confirmed = decisive[-1] if decisive and self._armed else None
        self._pending.clear()
        self._armed = True
        return confirmed

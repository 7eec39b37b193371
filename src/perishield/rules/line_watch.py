"""Crossings of one line by one track, free of jitter.

A crossing is real once the anchor has been clear of the line before it and is clear of it again after it, on balance
on the other side. *Clear* means farther than a margin from every point of the line. What happens in between (steps
over the line and back, wherever the pictures happen to cut the way) only adds up.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from perishield.model.geometry import Point, crossing, distance, prolonged, scaled, side
from perishield.rules.sighting import Sighting, between

MARGIN = 0.06
"""Share of the box's height that the anchor must be clear of the line: about 10 cm for a person."""
LEAST_MARGIN_PX = 1.5
CLEAR_PICTURES = 2
"""Pictures in a row that confirm a crossing: a box that is wrong once cannot."""
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

    def distance(self, point: Point) -> float:
        """Pixels from the nearest point of the line."""
        return min(distance(point, start, end) for start, end in self._segments)

    def crossings(self, a: Sighting, b: Sighting) -> list[Crossing]:
        """Every crossing on the straight way from `a` to `b`, in order; one at a bend counts once."""
        found: list[tuple[float, int]] = []
        for start, end in self._segments:
            share = crossing(a.point, b.point, start, end)
            if share is None:
                continue
            sign = 1 if side(b.point, start, end) > side(a.point, start, end) else -1
            if not any(other == sign and abs(at - share) < _SAME_INSTANT for at, other in found):
                found.append((share, sign))
        return [Crossing(between(a, b, share), sign) for share, sign in sorted(found)]


def _at_border(point: Point) -> bool:
    return not (_BORDER < point[0] < 1 - _BORDER and _BORDER < point[1] < 1 - _BORDER)


class LineWatch:
    """One track at one line."""

    __slots__ = ("_armed", "_clear", "_last", "_pending", "_shape")

    def __init__(self, shape: LineShape) -> None:
        self._shape = shape
        self._last: Sighting | None = None
        self._armed = False
        self._clear = 0
        self._pending: list[Crossing] = []

    def observe(self, now: Sighting) -> Crossing | None:
        """The crossing that this picture confirms: the last one of those that led to the other side."""
        crossings = self._shape.crossings(self._last, now) if self._last is not None else []
        self._last = now
        if crossings:
            self._pending += crossings
            self._clear = 0
        margin = max(MARGIN * now.height, LEAST_MARGIN_PX)
        self._clear = self._clear + 1 if self._shape.distance(now.point) > margin else 0
        if not self._clear or (self._armed and self._pending and self._clear < CLEAR_PICTURES):
            return None
        return self._settle()

    def lost(self) -> Crossing | None:
        """The crossing to believe when the object is seen no more after one last picture clear of the line.

        Whoever climbs down behind a wall, or leaves the picture, is often seen beyond the line just once.
        """
        return self._settle() if self._armed and self._clear else None

    def _settle(self) -> Crossing | None:
        balance = sum(crossing.sign for crossing in self._pending)
        decisive = [crossing for crossing in self._pending if crossing.sign * balance > 0]
        confirmed = decisive[-1] if decisive and self._armed else None
        self._pending.clear()
        self._armed = True
        return confirmed

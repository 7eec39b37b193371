"""Points, lines and polygons on a picture.

Origin top left, x to the right, y down. What users draw is kept normalised to the picture (0..1 on both axes), since
the streams of one camera differ in size; what is judged is in pixels of the analysed picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
Box = tuple[float, float, float, float]


def side(point: Point, start: Point, end: Point) -> float:
    """Cross product of the line start->end with start->point.

    Positive: the point lies to the right of somebody who walks from `start` to `end` as seen on the screen
    (y down); negative: to the left; zero: on the line.

    >>> side((5, 10), (0, 0), (10, 0)) > 0
    True
    """
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def crossing(a: Point, b: Point, start: Point, end: Point) -> float | None:
    """Fraction (0..1) of the way from `a` to `b` at which it meets the segment start->end, or None.

    The line itself belongs to its left side: a path from the right that ends on it has crossed, one that goes on from
    there to the left crosses no second time, and one that comes from the left and turns back on it never crosses. So
    a path cut anywhere, even on the line, crosses exactly as often as the whole. Both ends belong to the segment.

    >>> crossing((5, -1), (5, 3), (0, 0), (10, 0))
    0.25
    """
    side_a, side_b = side(a, start, end), side(b, start, end)
    if (side_a > 0) == (side_b > 0):
        return None
    share = side_a / (side_a - side_b) if side_a != side_b else 0.0
    met = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    reach = along_x * along_x + along_y * along_y
    if reach == 0:
        return None
    position = ((met[0] - start[0]) * along_x + (met[1] - start[1]) * along_y) / reach
    return share if -1e-9 <= position <= 1 + 1e-9 else None


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Even-odd rule; a point on the boundary belongs to the polygon below or right of it, never to two neighbours."""
    x, y = point
    within = False
    previous = polygon[-1]
    for current in polygon:
        if (current[1] > y) != (previous[1] > y):
            reach = (previous[0] - current[0]) * (y - current[1]) / (previous[1] - current[1]) + current[0]
            if x < reach:
                within = not within
        previous = current
    return within


def foot_on(point: Point, start: Point, end: Point) -> Point:
    """The point of the segment start->end that is nearest to `point`."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    reach = along_x * along_x + along_y * along_y
    position = ((point[0] - start[0]) * along_x + (point[1] - start[1]) * along_y) / reach if reach else 0.0
    position = min(max(position, 0.0), 1.0)
    return start[0] + position * along_x, start[1] + position * along_y


def distance(point: Point, start: Point, end: Point) -> float:
    """From the nearest point of the segment start->end.

    >>> distance((13, 4), (0, 0), (10, 0))
    5.0
    """
    x, y = foot_on(point, start, end)
    return math.hypot(point[0] - x, point[1] - y)


def prolonged(start: Point, end: Point, by: float) -> Point:
    """`end` moved `by` farther away from `start`."""
    length = math.dist(start, end)
    if length == 0:
        return end
    return end[0] + (end[0] - start[0]) / length * by, end[1] + (end[1] - start[1]) / length * by


def area(polygon: Sequence[Point]) -> float:
    """Unsigned area (shoelace)."""
    total = 0.0
    previous = polygon[-1]
    for current in polygon:
        total += previous[0] * current[1] - current[0] * previous[1]
        previous = current
    return abs(total) / 2


def scaled(points: Sequence[Point], width: float, height: float) -> tuple[Point, ...]:
    """Normalised points in pixels of a picture of that size."""
    return tuple((x * width, y * height) for x, y in points)


def foot(box: Box) -> Point:
    """Where a box stands: the middle of its lower edge."""
    return ((box[0] + box[2]) / 2, box[3])

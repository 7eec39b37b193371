"""The ground that a camera looks at, as a plane measured in metres.

A homography takes points of the picture to the site's plan (Hartley and Zisserman, "Multiple View Geometry", 2nd
edition, chapters 2 and 8). The plan is seen from above: x to the right (east), y upwards (north), both in metres.
`tracking.ground_fit` makes a `GroundPlane` from pairs of points; this module only uses one, without numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from perishield.model.geometry import Box, Point, foot

Matrix = tuple[float, float, float, float, float, float, float, float, float]
"""3 x 3, row by row."""

_COARSEST = 3.0
_SQUARE = 0.15
_SHORTEST_LENS, _LONGEST_LENS = 0.3, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundPoint:
    """The same place twice: `picture` normalised (0..1 on both axes), `site` in metres on the plan."""

    picture: Point
    site: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundPlane:
    """A camera's calibration.

    `matrix` takes normalised points of the picture to metres, scaled so that its denominator is positive in front of
    the camera. `error_m`: root mean square of what the calibrated points miss on the plan.
    """

    points: tuple[GroundPoint, ...]
    matrix: Matrix
    error_m: float

    def __call__(self, width: int, height: int) -> Ground:
        """In pixels of a picture of that size."""
        return Ground(self, width, height)


class Ground:
    """A camera's ground, asked in pixels of a picture of `width` x `height`.

    >>> corners = ((0, 1), (1, 1), (0, 0), (1, 0))
    >>> points = tuple(GroundPoint(picture=(x, y), site=(8 * x, 6 - 6 * y)) for x, y in corners)
    >>> ground = Ground(GroundPlane(points=points, matrix=(8, 0, 0, 0, -6, 6, 0, 0, 1), error_m=0), 800, 600)
    >>> ground.project([(400, 300)])
    [(4.0, 3.0)]
    >>> ground.scale_at((400, 300))
    0.01
    """

    def __init__(self, plane: GroundPlane, width: int, height: int) -> None:
        h = plane.matrix
        self._matrix: Matrix = (
            *(h[0] / width, h[1] / height, h[2]),
            *(h[3] / width, h[4] / height, h[5]),
            *(h[6] / width, h[7] / height, h[8]),
        )
        self._width = width
        self._height = height
        farthest = min(h[6] * point.picture[0] + h[7] * point.picture[1] + h[8] for point in plane.points)
        self._least_depth = farthest / _COARSEST
        self._picture = _inverse(self._matrix)
        self._upright = self._camera()

    def valid(self, point: Point) -> bool:
        """Whether the ground at this foot point is known: below the horizon, not far beyond the calibrated points.

        Metres per pixel grow without bound towards the horizon; they are believed up to three times those of the
        farthest calibrated point.
        """
        return self._depth(point) >= self._least_depth

    def project(self, points: Sequence[Point]) -> list[Point]:
        """Where on the plan (metres) these foot points (pixels) stand. A point on the horizon is infinitely far."""
        return [self._metres(point) for point in points]

    def scale_at(self, point: Point) -> float:
        """Metres on the ground per pixel of the picture, along the picture's x axis, at this foot point."""
        return math.hypot(*self._moved(point, (1.0, 0.0)))

    def velocity(self, point: Point, pixels_per_s: Point) -> Point:
        """Metres a second on the plan of who moves by `pixels_per_s` at this foot point."""
        return self._moved(point, pixels_per_s)

    def speed(self, point: Point, pixels_per_s: Point) -> float:
        """Metres a second."""
        return math.hypot(*self._moved(point, pixels_per_s))

    def width(self, box: Box) -> float | None:
        """Metres that a box is wide where it stands; None where the ground is not known."""
        at = foot(box)
        return (box[2] - box[0]) * self.scale_at(at) if self.valid(at) else None

    def height(self, box: Box) -> float | None:
        """Metres that what stands upright in a box is high, estimated.

        None where the ground is not known or where the calibration does not tell what is upright: that takes a
        camera that looks at the ground from the side, with square pixels and its optical axis in the middle.
        """
        at = foot(box)
        if self._upright is None or not self.valid(at):
            return None
        x, y = self._metres(at)
        g, (up, nearer) = self._picture, self._upright
        low, depth = g[3] * x + g[4] * y + g[5], g[6] * x + g[7] * y + g[8]
        # The head is the foot raised by z metres, and shows at the row (low + z up) / (depth + z nearer).
        rise = up - box[1] * nearer
        high = (box[1] * depth - low) / rise if rise else 0.0
        return high if 0 < high < math.inf and depth + high * nearer > 0 else None

    def upright(self, at: Point, metres: float) -> float | None:
        """Pixels that what stands upright at this foot point, so many metres high, measures; None as in `height`."""
        if self._upright is None or not self.valid(at):
            return None
        x, y = self._metres(at)
        g, (up, nearer) = self._picture, self._upright
        low, depth = g[3] * x + g[4] * y + g[5] + metres * up, g[6] * x + g[7] * y + g[8] + metres * nearer
        pixels = at[1] - low / depth if depth > 0 else 0.0
        return pixels if 0 < pixels < math.inf else None

    def _depth(self, point: Point) -> float:
        h = self._matrix
        return h[6] * point[0] + h[7] * point[1] + h[8]

    def _metres(self, point: Point) -> Point:
        h, (x, y) = self._matrix, point
        depth = self._depth(point)
        if depth == 0:
            return math.inf, math.inf
        return (h[0] * x + h[1] * y + h[2]) / depth, (h[3] * x + h[4] * y + h[5]) / depth

    def _moved(self, point: Point, by: Point) -> Point:
        """The derivative of the projection."""
        h = self._matrix
        depth = self._depth(point)
        if depth == 0:
            return math.inf, math.inf
        x, y = self._metres(point)
        fall = h[6] * by[0] + h[7] * by[1]
        return (h[0] * by[0] + h[1] * by[1] - x * fall) / depth, (h[3] * by[0] + h[4] * by[1] - y * fall) / depth

    def _camera(self) -> tuple[float, float] | None:
        """How a metre upwards shows: the third column of the projection (lower two), from those that the ground gives.

        The columns are K r1, K r2 and K t of one scale; with an unknown focal length only, that r1 and r2 are
        perpendicular and of one length gives it twice, and both must agree.
        """
        g, (cx, cy) = self._picture, (self._width / 2, self._height / 2)
        a = (g[0] - cx * g[6], g[3] - cy * g[6], g[6])
        b = (g[1] - cx * g[7], g[4] - cy * g[7], g[7])
        across, along = a[0] * b[0] + a[1] * b[1], a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2
        depth_across, depth_along = a[2] * b[2], a[2] ** 2 - b[2] ** 2
        # Twice the product, so that turning the plan's axes does not weigh one equation more than the other.
        total = 4 * across**2 + along**2
        inverse_square = -(4 * across * depth_across + along * depth_along) / total if total else 0.0
        if inverse_square <= 0:
            return None
        focal = inverse_square**-0.5
        if not _SHORTEST_LENS <= focal / self._width <= _LONGEST_LENS:
            return None
        r1, r2 = (a[0] / focal, a[1] / focal, a[2]), (b[0] / focal, b[1] / focal, b[2])
        length1, length2 = math.hypot(*r1), math.hypot(*r2)
        if (
            abs(length1 / length2 - 1) > _SQUARE
            or abs(r1[0] * r2[0] + r1[1] * r2[1] + r1[2] * r2[2]) > _SQUARE * length1 * length2
        ):
            return None
        scale = (length1 * length2) ** -0.5
        # x to the right, y up on the plan, so x cross y points at the sky.
        up, nearer = r1[2] * r2[0] - r1[0] * r2[2], r1[0] * r2[1] - r1[1] * r2[0]
        return scale * (focal * up + cy * nearer), scale * nearer


def determinant(m: Matrix) -> float:
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6])


def _inverse(m: Matrix) -> Matrix:
    d = determinant(m)
    return (
        *((m[4] * m[8] - m[5] * m[7]) / d, (m[2] * m[7] - m[1] * m[8]) / d, (m[1] * m[5] - m[2] * m[4]) / d),
        *((m[5] * m[6] - m[3] * m[8]) / d, (m[0] * m[8] - m[2] * m[6]) / d, (m[2] * m[3] - m[0] * m[5]) / d),
        *((m[3] * m[7] - m[4] * m[6]) / d, (m[1] * m[6] - m[0] * m[7]) / d, (m[0] * m[4] - m[1] * m[3]) / d),
    )

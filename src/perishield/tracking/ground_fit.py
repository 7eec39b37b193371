"""A camera's ground from pairs of points: the direct linear transform.

Normalised as Hartley and Zisserman, "Multiple View Geometry", 2nd edition, algorithm 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perishield.model.errors import GroundError
from perishield.model.geometry import Point, distance
from perishield.model.ground import GroundPlane, GroundPoint, Matrix

_FEWEST = 4
_THINNEST = 0.02
_LARGEST_ERROR = 0.1
_FLATTEST = 0.01

Floats = NDArray[np.float64]


def fit_ground(points: Sequence[GroundPoint]) -> GroundPlane:
    """The plane that fits best.

    Raises GroundError that names what is wrong with the points: too few, on one line, mirrored, on both sides of the
    horizon, or contradicting each other.
    """
    if len(points) < _FEWEST:
        raise GroundError(f"ground: {len(points)} pairs of points; at least four are needed, more make it surer")
    picture = np.array([point.picture for point in points], np.float64)
    site = np.array([point.site for point in points], np.float64)
    if not (np.isfinite(picture).all() and np.isfinite(site).all()):
        raise GroundError("ground: a coordinate is not finite; give numbers")
    _refuse_thin([point.picture for point in points], "in the picture")
    _refuse_thin([point.site for point in points], "on the plan")
    matrix = _transform(picture, site)
    depth = picture @ matrix[2, :2] + matrix[2, 2]
    if depth.sum() < 0:
        matrix, depth = -matrix, -depth
    if depth.min() <= _FLATTEST * depth.max():
        raise GroundError(
            "ground: points lie on both sides of the horizon, or a pair is swapped; look at the order of the points"
        )
    if np.linalg.det(matrix) > 0:
        raise GroundError(
            "ground: the plan is mirrored; it is seen from above, x to the right (east) and y up (north): "
            "look at the signs of y and at the order of the points"
        )
    matrix = matrix / depth.max()
    found = (picture @ matrix[:2, :2].T + matrix[:2, 2]) / (depth / depth.max())[:, None]
    missed = np.hypot(*(found - site).T)
    error = float(np.sqrt((missed**2).mean()))
    extent = float(np.hypot(*(site.max(axis=0) - site.min(axis=0))))
    if error > _LARGEST_ERROR * extent:
        worst = int(missed.argmax())
        raise GroundError(
            f"ground: the points miss each other by {error:.2f} m, point {worst + 1} most ({missed[worst]:.2f} m); "
            "move or leave out the wrong one",
            point=worst + 1,
        )
    h = matrix.ravel().tolist()
    rows: Matrix = (h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8])
    return GroundPlane(points=tuple(points), matrix=rows, error_m=error)


def _refuse_thin(points: Sequence[Point], where: str) -> None:
    """A homography needs four points of which no three are on one line; more points must hold such a four."""
    longest = max(math.dist(a, b) for a in points for b in points)
    least = _THINNEST * longest
    if not longest or not _spread(points, least):
        raise GroundError(
            f"ground: no four points {where} span an area, or three of the four are nearly on one line; "
            "spread them over the ground"
        )


def _spread(points: Sequence[Point], least: float) -> bool:
    """Whether four of the points are such that none is within `least` of the line through two others."""
    count = len(points)
    flat = {
        frozenset((i, j, k))
        for i in range(count)
        for j in range(i + 1, count)
        for k in range(j + 1, count)
        if _flat(points[i], points[j], points[k], least)
    }
    return any(
        not flat & {frozenset(three) for three in ((i, j, k), (i, j, m), (i, k, m), (j, k, m))}
        for i in range(count)
        for j in range(i + 1, count)
        for k in range(j + 1, count)
        for m in range(k + 1, count)
    )


def _flat(a: Point, b: Point, c: Point, least: float) -> bool:
    return min(distance(a, b, c), distance(b, c, a), distance(c, a, b)) <= least


def _transform(source: Floats, target: Floats) -> Floats:
    """The 3 x 3 homography with the least algebraic error over normalised points."""
    from_centre, to_centre = _normaliser(source), _normaliser(target)
    x, y = _apply(from_centre, source).T
    u, v = _apply(to_centre, target).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        [
            np.stack([-x, -y, -one, zero, zero, zero, u * x, u * y, u], axis=1),
            np.stack([zero, zero, zero, -x, -y, -one, v * x, v * y, v], axis=1),
        ]
    )
    best = np.linalg.svd(rows)[2][-1].reshape(3, 3)
    result: Floats = np.linalg.inv(to_centre) @ best @ from_centre
    return result


def _normaliser(points: Floats) -> Floats:
    """Moves the points' centre to the origin and their mean distance from it to the square root of two."""
    centre = points.mean(axis=0)
    scale = math.sqrt(2) / float(np.hypot(*(points - centre).T).mean())
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])


def _apply(matrix: Floats, points: Floats) -> Floats:
    result: Floats = points @ matrix[:2, :2].T + matrix[:2, 2]
    return result

"""Who is who: similarity of boxes and the best one-to-one assignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perishield.tracking.kalman import Floats

Indices = NDArray[np.intp]
_SHAPE_LIMIT = 1.8
_LOOSE_SHAPE_LIMIT = 4.0


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box in `a` (n, 4) with every one in `b` (m, 4), xyxy: (n, m)."""
    left = np.maximum(a[:, None, 0], b[None, :, 0])
    top = np.maximum(a[:, None, 1], b[None, :, 1])
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - left
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - top
    shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    result: Floats = shared / (area_a[:, None] + area_b[None, :] - shared + 1e-9)
    return result


def nearness_matrix(a: Floats, b: Floats, reach: Floats, loose: NDArray[np.bool_]) -> Floats:
    """How near the centres of `a` (n, 4) and `b` (m, 4), centre-size, are: 1 at the same place, 0 out of reach.

    `reach` (n,) is the farthest distance in box heights. Boxes whose heights or widths differ too much are out of
    reach too; rows marked in `loose` (n,) may differ more (blobs of motion tear and merge).
    This carries an object over pictures too far apart for its boxes to overlap.
    """
    size = np.maximum(a[:, None, 3], b[None, :, 3])
    distance = np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1]) / (size + 1e-9)
    near = 1.0 - distance / reach[:, None]
    limit = np.where(loose, _LOOSE_SHAPE_LIMIT, _SHAPE_LIMIT)[:, None]
    for axis in (2, 3):
        larger = np.maximum(a[:, None, axis], b[None, :, axis])
        smaller = np.minimum(a[:, None, axis], b[None, :, axis])
        # Widths swing with the gait, heights do not.
        near[larger > smaller * (limit * 1.5 if axis == 2 else limit)] = 0.0
    return np.maximum(near, 0.0)


def assign(similarity: Floats, least: float) -> tuple[Indices, Indices]:
    """Pairs (rows, columns) of the assignment with the largest total similarity, each pair at least `least`."""
    good = similarity >= least
    if not good.any():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    if good.sum(axis=0).max() <= 1 and good.sum(axis=1).max() <= 1:
        rows, columns = np.nonzero(good)
        return rows, columns
    import lap

    some_rows, some_columns = np.flatnonzero(good.any(axis=1)), np.flatnonzero(good.any(axis=0))
    part = np.ix_(some_rows, some_columns)
    good = good[part]
    _, column_of_row, _ = lap.lapjv(np.where(good, 1.0 - similarity[part], 1.0), extend_cost=True)
    rows = np.flatnonzero(column_of_row >= 0)
    columns = column_of_row[rows].astype(np.intp)
    really = good[rows, columns]
    return some_rows[rows[really]], some_columns[columns[really]]

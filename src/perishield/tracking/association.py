"""Who is who: similarity of boxes and the best one-to-one assignment.

Of all pairs of objects and detections only a few can be meant at all, so pairs are kept as three lists (row, column,
similarity) and not as matrices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perishield.model.vision import Detections
from perishield.tracking.kalman import Floats

Indices = NDArray[np.intp]


def usable(detections: Detections, low: float) -> tuple[Floats, Floats, Indices]:
    """Boxes (n, 4), scores and classes of what has an area, a class and a score of at least `low`."""
    boxes = detections.boxes.astype(np.float64).reshape(-1, 4)
    scores = np.asarray(detections.scores, np.float64)
    classes = np.asarray(detections.classes, np.intp)
    good = (scores >= low) & (classes >= 0) & (classes < len(detections.names))
    if not np.isfinite(boxes).all():
        good &= np.isfinite(boxes).all(axis=1)
        boxes[~good] = 0.0
    left, top, right, bottom = boxes.T
    good &= (right > left) & (bottom > top)
    return (boxes, scores, classes) if good.all() else (boxes[good], scores[good], classes[good])


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box in `a` (n, 4) with every one in `b` (m, 4), xyxy: (n, m)."""
    result = np.zeros((len(a), len(b)))
    rows, columns, overlap = overlapping(a, b)
    result[rows, columns] = overlap
    return result


def overlapping(a: Floats, b: Floats) -> tuple[Indices, Indices, Floats]:
    """Pairs of boxes in `a` (n, 4) and `b` (m, 4), xyxy, that touch: rows, columns, intersection over union."""
    # Single precision halves the cost of what is done for every pair; it is right to a thousandth of a pixel.
    one, other = a.astype(np.float32), b.astype(np.float32)
    left, top, right, bottom = one.T[:, :, None]
    b_left, b_top, b_right, b_bottom = np.ascontiguousarray(other.T)
    edge = np.maximum(left, b_left)
    wide = np.minimum(right, b_right)
    wide -= edge
    tall = np.minimum(bottom, b_bottom)
    tall -= np.maximum(top, b_top, out=edge)
    # One comparison for both: of two signed lengths the smaller one is positive where both are.
    touching = (np.minimum(wide, tall, out=edge) > 0).ravel().nonzero()[0]
    rows = touching // max(len(b), 1)
    columns = touching - rows * len(b)
    inner = wide.ravel()[touching].astype(np.float64)
    inner *= tall.ravel()[touching]
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    inner /= area_a[rows] + area_b[columns] - inner
    return rows, columns, inner


def nearness_matrix(a: Floats, b: Floats, reach: Floats, unlike: Floats) -> Floats:
    """How near the centres of `a` (n, 4) and `b` (m, 4), centre-size, are: 1 at the same place, 0 out of reach.

    `reach` (n,) is the farthest distance in box heights. Boxes whose heights differ by more than the factor `unlike`
    (n,), or whose widths by half as much again, are out of reach too.
    This carries an object over pictures too far apart for its boxes to overlap.
    """
    x, y, width, height = a.T[:, :, None]
    b_x, b_y, b_width, b_height = b.T
    taller = np.maximum(height, b_height)
    near = 1.0 - np.hypot(x - b_x, y - b_y) / (taller * reach[:, None] + 1e-9)
    limit = unlike[:, None]
    near[taller > np.minimum(height, b_height) * limit] = 0.0
    # Widths swing with the gait, heights do not.
    near[np.maximum(width, b_width) > np.minimum(width, b_width) * (limit * 1.5)] = 0.0
    result: Floats = np.maximum(near, 0.0)
    return result


def assign(similarity: Floats, least: float) -> tuple[Indices, Indices]:
    """Pairs (rows, columns) of the assignment with the largest total similarity, each pair at least `least` > 0."""
    rows, columns = (similarity >= least).nonzero()
    chosen = assign_pairs(rows, columns, similarity[rows, columns])
    return rows[chosen], columns[chosen]


def assign_pairs(rows: Indices, columns: Indices, similarity: Floats) -> Indices:
    """Which of the pairs make the one-to-one assignment with the largest total similarity; all are above 0.

    Most objects and detections have one candidate only, and are matched without any search; the rest is solved
    exactly (Jonker and Volgenant).
    """
    if not len(rows):
        return rows
    contested = (np.bincount(rows)[rows] > 1) | (np.bincount(columns)[columns] > 1)
    hard = contested.nonzero()[0]
    if not len(hard):
        return np.arange(len(rows))
    import lap

    row, width = _dense(rows[hard])
    column, height = _dense(columns[hard])
    size = max(width, height)
    pair = np.full((size, size), -1, np.intp)
    pair[row, column] = hard
    cost = np.zeros((size, size))
    cost[row, column] = -similarity[hard]
    _, column_of_row, _ = lap.lapjv(cost)
    solved = pair[np.arange(size), column_of_row]
    return np.concatenate([(~contested).nonzero()[0], solved[solved >= 0]])


def _dense(numbers: Indices) -> tuple[Indices, int]:
    """The same numbers without gaps, in their order, and how many there are."""
    known = np.zeros(int(numbers.max()) + 1, np.intp)
    known[numbers] = 1
    place = known.cumsum()
    return place[numbers] - 1, int(place[-1])

"""Of boxes that mean the same object, keep the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def iou(one: NDArray[np.float32], many: NDArray[np.float32]) -> NDArray[np.float32]:
    """Overlap over union of each of (n, 4) with each of (m, 4) `xyxy` boxes: (n, m)."""
    low = np.maximum(one[:, None, :2], many[None, :, :2])
    high = np.minimum(one[:, None, 2:], many[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    area_one = np.prod(np.maximum(one[:, 2:] - one[:, :2], 0), axis=1)
    area_many = np.prod(np.maximum(many[:, 2:] - many[:, :2], 0), axis=1)
    union = area_one[:, None] + area_many[None, :] - shared
    result: NDArray[np.float32] = (shared / np.maximum(union, 1e-9)).astype(np.float32)
    return result


def keep_best(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int16],
    overlap: float = 0.5,
    most: int = 300,
) -> NDArray[np.intp]:
    """Indices of the boxes that survive greedy suppression within their class, best score first.

    `boxes` (n, 4) xyxy, `scores` (n,), `classes` (n,). A box falls when its IoU with a better one of its class is
    above `overlap`.
    """
    order = np.argsort(-scores, kind="stable")[: most * 8]
    ranked, kinds = boxes[order], classes[order]
    clash = (iou(ranked, ranked) > overlap) & (kinds[:, None] == kinds[None, :])
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    kept: NDArray[np.intp] = order[alive][:most]
    return kept

"""From blobs to bodies: parts that belong together, bodies that touch, and the shadows they trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Box
from perishield.vision.blobs import Blobs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_AREA = 14
_MOST = 40
_CLAIM = 0.55
"""Share of an expected body that a blob must cover to be taken for it."""
_FLAT = 1.7
_SLENDER = 5.5
_STEM = 0.3
"""Share of its fullest column that a column needs to belong to the body and not to its shadow."""


def solid(found: Blobs) -> list[Box]:
    """The boxes of what is large and distinct enough, largest first."""
    good = np.flatnonzero((found.areas >= _LEAST_AREA) & (found.weights >= 1.5 * found.areas))
    order = good[np.argsort(-found.areas[good])][:_MOST]
    return [_box(found.boxes[index]) for index in order]


def joined(parts: Sequence[Box], expected: Sequence[Box]) -> list[Box]:
    """Parts right above one another as one body: the trunk behind a rail, legs below a dark jacket.

    Not where different bodies of `expected` (known to be there) claim them.
    """
    boxes = [(box, _claims(box, expected)) for box in parts]
    one = 0
    while one < len(boxes):
        box, claims = boxes[one]
        for other in range(one + 1, len(boxes)):
            near, others = boxes[other]
            if _one_body(box, near) and not (claims and others and claims.isdisjoint(others)):
                hull = (min(box[0], near[0]), min(box[1], near[1]), max(box[2], near[2]), max(box[3], near[3]))
                del boxes[other]
                boxes[one] = (hull, claims | others)
                one = -1
                break
        one += 1
    return [box for box, _ in boxes]


def parted(boxes: Sequence[Box], expected: Sequence[Box], mask: NDArray[np.bool_]) -> tuple[list[Box], list[bool]]:
    """Blobs that hold several expected bodies, cut along these; and for each box whether it was cut."""
    result: list[Box] = []
    cut: list[bool] = []
    for box in boxes:
        within = sorted(_claims(box, expected))
        if len(within) < 2 or _area(box) < 1.2 * max(_area(expected[index]) for index in within):
            result.append(box)
            cut.append(False)
            continue
        for index in within:
            body = expected[index]
            clipped = (max(box[0], body[0]), max(box[1], body[1]), min(box[2], body[2]), min(box[3], body[3]))
            tight = _tight(mask, clipped)
            if tight is not None:
                result.append(tight)
                cut.append(True)
    return result, cut


def stem(mask: NDArray[np.bool_], box: Box) -> Box:
    """The box without flat tails: a shadow on the ground is long and low, a body is not."""
    x1, y1, x2, y2 = (round(side) for side in box)
    part = mask[y1:y2, x1:x2]
    if x2 - x1 < 4 or 2 * (x2 - x1) < y2 - y1:
        return box
    heights = part.sum(axis=0)
    full = np.convolve(heights, (1, 1, 1), "same") >= 3 * _STEM * heights.max()
    peak = int(heights.argmax())
    gaps = np.flatnonzero(~full)
    left = int(gaps[gaps < peak].max(initial=-1)) + 1
    right = int(gaps[gaps > peak].min(initial=len(full)))
    rows = np.flatnonzero(part[:, left:right].any(axis=1))
    if len(rows) == 0:
        return box
    return float(x1 + left), float(y1 + rows[0]), float(x1 + right), float(y1 + rows[-1] + 1)


def is_shadow(box: Box, mask: NDArray[np.bool_], change: NDArray[np.float32], luma: NDArray[np.float32]) -> bool:
    """A blob that lies flat and dims what is usually seen there, all of it by about the same share.

    `change` is brightness minus what was expected. Bodies, also such as creep, are of several shades.
    """
    x1, y1, x2, y2 = (round(side) for side in box)
    if x2 - x1 < _FLAT * (y2 - y1):
        return False
    within = mask[y1:y2, x1:x2]
    dimmed = change[y1:y2, x1:x2][within]
    expected = np.maximum(luma[y1:y2, x1:x2][within] - dimmed, 4.0)
    shares = 1 + dimmed / expected
    return bool(np.mean(dimmed < 0) > 0.97 and 0.35 < shares.mean() < 0.95 and shares.std() < 0.13)


def is_streak(box: Box) -> bool:
    """Rain on the lens's way: far more slender than anybody."""
    return box[3] - box[1] > _SLENDER * (box[2] - box[0])


def _claims(box: Box, expected: Sequence[Box]) -> frozenset[int]:
    return frozenset(
        index for index, body in enumerate(expected) if _shared(box, body) >= _CLAIM * max(_area(body), 1.0)
    )


def _one_body(a: Box, b: Box) -> bool:
    width_a, width_b = a[2] - a[0], b[2] - b[0]
    shared = min(a[2], b[2]) - max(a[0], b[0])
    if shared < 0.5 * min(width_a, width_b):
        return False
    gap = max(a[1], b[1]) - min(a[3], b[3])
    height = max(a[3], b[3]) - min(a[1], b[1])
    return gap <= max(2.0, 0.1 * height) and height <= 4.0 * max(width_a, width_b)


def _tight(mask: NDArray[np.bool_], box: Box) -> Box | None:
    x1, y1, x2, y2 = (max(0, round(side)) for side in box)
    part = mask[y1:y2, x1:x2]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if len(rows) == 0:
        return None
    return float(x1 + columns[0]), float(y1 + rows[0]), float(x1 + columns[-1] + 1), float(y1 + rows[-1] + 1)


def _shared(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _box(row: NDArray[np.int32]) -> Box:
    x1, y1, x2, y2 = (float(side) for side in row)
    return x1, y1, x2, y2

"""Connected pixels of a mask as boxes, by runs, in numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Blobs:
    """`boxes`: int32 (n, 4) xyxy, right and bottom exclusive. `areas`: int32 (n,) pixels of the mask before growing.
    `weights`: float32 (n,) sum of the weight plane over those."""

    boxes: NDArray[np.int32]
    areas: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)


def grown(mask: NDArray[np.bool_], across: int, down: int) -> NDArray[np.bool_]:
    """Dilation by a rectangle of (2 * across + 1) x (2 * down + 1) pixels."""
    wide = mask.copy()
    for shift in range(1, across + 1):
        wide[:, shift:] |= mask[:, :-shift]
        wide[:, :-shift] |= mask[:, shift:]
    tall = wide.copy()
    for shift in range(1, down + 1):
        tall[shift:] |= wide[:-shift]
        tall[:-shift] |= wide[shift:]
    return tall


def blobs(
    mask: NDArray[np.bool_], weight: NDArray[np.float32], across: int = 1, down: int = 2, most_runs: int = 8_000
) -> Blobs:
    """Group the pixels of `mask` (height, width) that touch once grown by `across` and `down`, corners included.

    Boxes are those of the pixels before growing. Where the mask falls into more than `most_runs` runs it is no
    picture of objects, and nothing is returned.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 1), bool)
    padded[:, :width] = grown(mask, across, down)
    flat = padded.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False).astype(bool))
    starts, ends = edges[0::2], edges[1::2]
    count = len(starts)
    if count == 0 or count > most_runs:
        return Blobs(np.empty((0, 4), np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
    stride = width + 1
    labels = _joined(starts, ends, stride)
    found, owner = np.unique(labels, return_inverse=True)
    rows, left, right = starts // stride, starts % stride, (ends - 1) % stride + 1
    boxes = np.empty((len(found), 4), np.int32)
    boxes[:, 0], boxes[:, 1] = width, height
    boxes[:, 2:] = 0
    np.minimum.at(boxes[:, 0], owner, left)
    np.minimum.at(boxes[:, 1], owner, rows)
    np.maximum.at(boxes[:, 2], owner, right)
    np.maximum.at(boxes[:, 3], owner, rows + 1)
    inside = np.flatnonzero(mask)
    rows_of, columns_of = inside // width, inside % width
    # Every pixel lies in the run that begins last before it.
    of = owner[np.searchsorted(starts, rows_of * stride + columns_of, "right") - 1]
    areas = np.bincount(of, minlength=len(found)).astype(np.int32)
    weights = np.bincount(of, weights=weight.ravel()[inside], minlength=len(found))
    # Growing by a rectangle moved each side by exactly that much, except where the picture ends.
    tight = boxes + np.array([across, down, -across, -down], np.int32)
    tight[:, 0] = np.where(boxes[:, 0] == 0, 0, tight[:, 0])
    tight[:, 1] = np.where(boxes[:, 1] == 0, 0, tight[:, 1])
    tight[:, 2] = np.where(boxes[:, 2] == width, width, tight[:, 2])
    tight[:, 3] = np.where(boxes[:, 3] == height, height, tight[:, 3])
    return Blobs(tight, areas, weights.astype(np.float32))


def _joined(starts: NDArray[np.intp], ends: NDArray[np.intp], stride: int) -> NDArray[np.intp]:
    """The least run index of each run's group; runs of neighbouring rows that touch belong together."""
    first = np.searchsorted(ends, starts + stride, "left")
    last = np.searchsorted(starts, ends + stride, "right")
    below = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), below)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(below) - below, below) + np.repeat(first, below)
    labels = np.arange(len(starts))
    while True:
        least = np.minimum(labels[upper], labels[lower])
        joined = labels.copy()
        np.minimum.at(joined, labels[upper], least)
        np.minimum.at(joined, labels[lower], least)
        joined = joined[joined]
        if np.array_equal(joined, labels):
            return labels
        labels = joined

"""YOLOX heads (Ge et al., 2021, arXiv:2107.08430): output (n, anchors, 5 + classes).

Each row holds centre x, centre y, width, height, objectness, class scores; scores are past their sigmoid. As exported
by default, centres are relative to their grid cell and sizes are logarithms, both in strides; exports with
`--decode_in_inference` hold input pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDES = (8, 16, 32)


def anchors(width: int, height: int) -> int:
    """Number of rows that a head of these strides gives for an input size."""
    return sum((width // stride) * (height // stride) for stride in STRIDES)


def grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell corners (anchors, 2) in cells, and strides (anchors, 1), in the order of the rows."""
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


class YoloxHead:
    """Turns one picture's rows into boxes. `in_pixels`: the network has applied the grid itself."""

    def __init__(self, width: int, height: int, *, in_pixels: bool) -> None:
        self._cells, self._strides = grid(width, height)
        self._in_pixels = in_pixels

    def boxes(
        self, rows: NDArray[np.float32], least: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]:
        """(boxes xyxy in input pixels, scores, classes) of (anchors, 5 + classes), scores from `least` up."""
        sure = np.flatnonzero(rows[:, 4] >= least)
        chosen = rows[sure]
        classes = chosen[:, 5:].argmax(axis=1)
        scores = chosen[:, 4] * chosen[np.arange(len(chosen)), 5 + classes]
        good = scores >= least
        chosen, scores, classes, sure = chosen[good], scores[good], classes[good], sure[good]
        centre, size = chosen[:, :2], chosen[:, 2:4]
        if not self._in_pixels:
            centre = (centre + self._cells[sure]) * self._strides[sure]
            size = np.exp(np.minimum(size, 10.0)) * self._strides[sure]
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        return boxes.astype(np.float32), scores.astype(np.float32), classes.astype(np.int16)

"""YOLOv8, v9 and 11 detection heads as Ultralytics exports them: output (n, 4 + classes, anchors).

Each column holds centre x, centre y, width, height in input pixels and a score per class, past its sigmoid; there is
no objectness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Yolov8Head:
    """Turns one picture's columns into boxes."""

    def boxes(
        self, columns: NDArray[np.float32], least: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]:
        """(boxes xyxy in input pixels, scores, classes) of (4 + classes, anchors), scores from `least` up."""
        best = columns[4:].max(axis=0)
        sure = np.flatnonzero(best >= least)
        classes = columns[4:, sure].argmax(axis=0)
        centre, size = columns[:2, sure].T, columns[2:4, sure].T
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        return boxes.astype(np.float32), best[sure].astype(np.float32), classes.astype(np.int16)

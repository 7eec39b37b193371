"""The detector that needs no model: it sees that something goes through the picture, and calls it no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE
from perishield.model.vision import MOTION, Detections
from perishield.vision.background import Background
from perishield.vision.blobs import Blobs, blobs
from perishield.vision.movers import Mover, Movers
from perishield.vision.picture import Shrinker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.picture import Picture

_WIDTH = 320
_LEAST_AREA = 14
_FLOOD = 0.35
"""Share of the picture that cannot be objects any more: the light was switched, or the camera was turned."""
_WARM_UP_PICTURES = 6


class MotionDetector:
    """Finds what travels through the picture. Scores above 0.6 have travelled; lower ones merely differ.

    Keeps a background per camera, so the pictures of one camera must come in order.
    """

    name = MOTION
    model = ""
    batch = 8

    def __init__(self) -> None:
        self._cameras: dict[str, _CameraMotion] = {}

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        found = []
        for picture in pictures:
            known = self._cameras.get(picture.camera)
            if known is None or not known.fits(picture):
                known = self._cameras[picture.camera] = _CameraMotion(picture)
            found.append(known.detect(picture))
        return found

    def forget(self, camera: str) -> None:
        self._cameras.pop(camera, None)


class _CameraMotion:
    def __init__(self, picture: Picture) -> None:
        self._size = (picture.width, picture.height)
        self._epoch = picture.epoch
        self._width = min(_WIDTH, picture.width // 2 * 2)
        self._height = max(2, round(self._width * picture.height / picture.width / 2) * 2)
        self._shrink = Shrinker(self._width, self._height, "gray")
        self._background: Background | None = None
        self._movers = Movers()
        self._time_s = 0.0

    def fits(self, picture: Picture) -> bool:
        return self._size == (picture.width, picture.height) and self._epoch == picture.epoch

    def detect(self, picture: Picture) -> Detections:
        time_s = picture.stream_time / TIMESCALE
        luma = self._shrink.luma(picture.frame).astype(np.float32)
        if self._background is None:
            self._background = Background(luma)
            self._time_s = time_s
            return self._boxes([], [])
        elapsed = max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        background = self._background
        _, excess = background.compare(luma)
        mask = _cleaned(excess > 1)
        if mask.mean() > _FLOOD:
            background.restart(luma)
            self._movers.clear()
            return self._boxes([], [])
        found = _merged(_solid(blobs(mask, excess)))
        movers = self._movers.update(found, time_s) if background.pictures >= _WARM_UP_PICTURES else []
        kept = np.zeros(luma.shape, bool)
        for mover in self._movers.confirmed:
            x1, y1, x2, y2 = (round(side) for side in mover.box)
            kept[max(0, y1 - 2) : y2 + 2, max(0, x1 - 2) : x2 + 2] = True
        background.learn(luma, elapsed, kept)
        return self._boxes([mover.box for mover in movers], [_score(mover) for mover in movers])

    def _boxes(self, boxes: Sequence[Box], scores: Sequence[float]) -> Detections:
        scale = np.array([self._size[0] / self._width, self._size[1] / self._height] * 2, np.float32)
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4) * scale,
            np.array(scores, np.float32),
            np.zeros(len(boxes), np.int16),
            (MOTION,),
        )


def _score(mover: Mover) -> float:
    """Above 0.6 once it has travelled, more the further; below 0.45 before."""
    if mover.confirmed:
        height = max(mover.box[3] - mover.box[1], 1.0)
        return min(0.95, 0.65 + 0.1 * mover.way / height)
    return min(0.45, 0.15 + 0.03 * mover.hits)


def _cleaned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only pixels with at least three more among their eight neighbours."""
    ones = mask.view(np.uint8)
    across = ones.copy()
    across[:, 1:] += ones[:, :-1]
    across[:, :-1] += ones[:, 1:]
    near = across.copy()
    near[1:] += across[:-1]
    near[:-1] += across[1:]
    return mask & (near >= 4)


def _solid(found: Blobs) -> list[tuple[Box, float]]:
    """(box, area) of what is large and distinct enough, largest first."""
    good = np.flatnonzero((found.areas >= _LEAST_AREA) & (found.weights >= 1.5 * found.areas))
    order = good[np.argsort(-found.areas[good])][:40]
    return [((*map(float, found.boxes[index]),), float(found.areas[index])) for index in order]  # type: ignore[misc]


def _merged(parts: list[tuple[Box, float]]) -> list[Box]:
    """Parts above one another are one body: the trunk behind a rail, legs below a dark jacket."""
    boxes = [box for box, _ in parts]
    merged = True
    while merged:
        merged = False
        for one in range(len(boxes)):
            for other in range(one + 1, len(boxes)):
                if _one_body(boxes[one], boxes[other]):
                    a, b = boxes[one], boxes.pop(other)
                    boxes[one] = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
                    merged = True
                    break
            if merged:
                break
    return boxes


def _one_body(a: Box, b: Box) -> bool:
    width_a, width_b = a[2] - a[0], b[2] - b[0]
    shared = min(a[2], b[2]) - max(a[0], b[0])
    if shared < 0.5 * min(width_a, width_b):
        return False
    gap = max(a[1], b[1]) - min(a[3], b[3])
    height = max(a[3], b[3]) - min(a[1], b[1])
    return gap <= max(3.0, 0.2 * height) and height <= 4.0 * max(width_a, width_b)

"""The detector that needs no model: it sees that something goes through the picture, and calls it no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE
from perishield.model.vision import MOTION, Detections
from perishield.vision.background import Background
from perishield.vision.blobs import blobs
from perishield.vision.bodies import is_shadow, is_streak, joined, parted, solid, stem
from perishield.vision.movers import Mover, Movers
from perishield.vision.picture import Shrinker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.picture import Picture

_WIDTH = 320
_FLOOD = 0.35
"""Share of the picture that cannot be objects any more: the light was switched, or the camera was turned."""
_WARM_UP_PICTURES = 6
_KEPT_S = 2.0
_MARGIN = 3
TRAVELS = 0.6
"""Score from which something has travelled, and does not merely differ."""


class MotionDetector:
    """Finds what travels through the picture. Scores above `TRAVELS` have travelled; lower ones merely differ.

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
        self._trodden: list[tuple[float, tuple[slice, slice]]] = []
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
        change, excess = background.compare(luma)
        different = excess > 1
        mask = _cleaned(different)
        if mask.mean() > _FLOOD:
            background.restart(luma)
            self._movers.clear()
            self._trodden.clear()
            return self._boxes([], [])
        expected = self._movers.apart(time_s)
        parts = [box for box in solid(blobs(mask, excess)) if not is_shadow(box, mask, change, luma)]
        bodies = [box for box in joined(parts, expected) if not is_streak(box)]
        found, cut = parted(bodies, expected, mask)
        movers = self._movers.update(found, time_s, cut) if background.pictures >= _WARM_UP_PICTURES else []
        background.learn(luma, elapsed, different, self._kept(time_s))
        return self._boxes([stem(mask, mover.box) for mover in movers], [_score(mover) for mover in movers])

    def _kept(self, time_s: float) -> NDArray[np.bool_]:
        """Pixels on which a travelling object was within the last seconds, with a margin."""
        for mover in self._movers.confirmed:
            if mover.time_s < time_s:
                continue
            x1, y1, x2, y2 = (round(side) for side in mover.box)
            place = np.s_[max(0, y1 - _MARGIN) : y2 + _MARGIN, max(0, x1 - _MARGIN) : x2 + _MARGIN]
            self._trodden.append((mover.time_s, place))
        self._trodden = [(when, place) for when, place in self._trodden if time_s - when <= _KEPT_S]
        kept = np.zeros((self._height, self._width), bool)
        for _, place in self._trodden:
            kept[place] = True
        return kept

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

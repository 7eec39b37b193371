"""Looks a second time, at the camera's own resolution, where something small may be.

A network sees 1280 pixels through 416: a person of 40 pixels becomes one of 13. So pieces of the picture are given to
it as they are, in the same batch: where something moves that is not seen clearly anyway, where something small was seen
a moment ago, and, while the camera shows movement, along the drawn lines and zones by turns. Where what moves takes up
little room, the piece is a smaller one and shown half as large again: networks know few people of thirty pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.geometry import Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import Rule
from perishield.model.vision import MOTION, Detections
from perishield.vision.nms import iou
from perishield.vision.picture import Picture, Shrinker
from perishield.vision.pieces import Window, cut, drawn_for, merged, points_along

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.detector import Detector

_WIDTH = 640
_PATCH = 8
_PATCH_PIXELS = 4
_LEAST = 8.0
_DEVIATIONS = 4.0
_FLOOD = 0.3
"""Share of the picture that moves when the light or the camera does, and no object."""
_AWAKE_S = 4.0
_ZOOM = 1.5
_ROOM = 0.6
"""Share of a smaller piece's side within which that must lie for which it is taken."""
_MOST_OF_IT = 0.7
_WORTH_IT = 1.3
"""A piece that is not shown this much larger than in the whole picture is not worth a look."""
_CLEAR_SHARE = 0.25
"""Of the picture's height: what is taller is seen well in the whole picture."""
_BEYOND_DOUBT = 0.6
_SAME = 0.6


class FarSight:
    """A detector that has another one look at whole pictures and at pieces of them.

    `side`: of a piece, in pixels; best that of the network's input. Smaller ones are this by `_ZOOM`. `most`: pieces of
    one picture. `per_s`: pieces of one camera in a second of its stream time.
    """

    def __init__(self, inner: Detector, *, side: int = 416, most: int = 2, per_s: float = 12.0) -> None:
        self.name = inner.name
        self.model = inner.model
        self.batch = inner.batch
        self.pieces = 0
        self._inner = inner
        self._side = side
        self.most = most
        self._per_s = per_s
        self._cameras: dict[str, _Places] = {}
        self._drawn: dict[str, tuple[Point, ...]] = {}

    def draw(self, camera: str, points: Sequence[Point]) -> None:
        """Where lines and zones of a stream lie: points along them, 0..1 of the picture."""
        self._drawn[camera] = tuple(points)

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        found: list[Detections] = []
        most = max(1, self.batch // (1 + self.most))
        together: list[Picture] = []
        for picture in pictures:
            # Where to look again in a picture depends on what was seen in the camera's last one.
            if len(together) == most or any(each.camera == picture.camera for each in together):
                found += self._look(together)
                together = []
            together.append(picture)
        return found + self._look(together)

    def forget(self, camera: str) -> None:
        self._cameras.pop(camera, None)
        self._inner.forget(camera)

    def _look(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Whole pictures and their pieces in one go."""
        asked: list[Picture] = []
        plans: list[tuple[Picture, int, list[Window]]] = []
        for picture in pictures:
            windows = self._places(picture).choose(picture, self._drawn.get(picture.camera, ()))
            plans.append((picture, len(asked), windows))
            asked.append(picture)
            asked += [cut(picture, window) for window in windows]
            self.pieces += len(windows)
        seen = self._inner.detect(asked)
        found = []
        for picture, index, windows in plans:
            pieces = seen[index + 1 : index + 1 + len(windows)]
            whole = merged(seen[index], list(zip(windows, pieces, strict=True)), picture.width, picture.height)
            self._places(picture).saw(whole, seen[index])
            found.append(whole)
        return found

    def _places(self, picture: Picture) -> _Places:
        known = self._cameras.get(picture.camera)
        if known is None or known.size != (picture.width, picture.height) or known.epoch != picture.epoch:
            known = self._cameras[picture.camera] = _Places(picture, self._side, self.most, self._per_s)
        return known


class _Places:
    """Where in one camera's picture to look again."""

    def __init__(self, picture: Picture, side: int, most: int, per_s: float) -> None:
        self.size = (picture.width, picture.height)
        self.epoch = picture.epoch
        even = min(picture.width, picture.height) // 2 * 2
        self._side = min(side, even)
        self._small_side = min(round(side / _ZOOM / 2) * 2, even)
        self._most = most if max(self.size) >= side / _ZOOM * _WORTH_IT else 0
        self._per_s = per_s
        self._left = float(most)
        width = min(_WIDTH, picture.width // _PATCH * _PATCH)
        height = max(_PATCH, round(width * picture.height / picture.width / _PATCH) * _PATCH)
        self._shrink = Shrinker(width, height, "gray")
        self._scale = np.array([picture.width / width, picture.height / height], np.float32) * _PATCH
        self._mean: NDArray[np.float32] | None = None
        self._noise = np.full((height, width), 2.0, np.float32)
        self._pictures = 0
        self._time_s = 0.0
        self._awake_until = -1.0
        self._turn = 0
        self._clear = np.zeros((0, 4), np.float32)
        self._small = np.zeros((0, 4), np.float32)

    def choose(self, picture: Picture, drawn: Sequence[Point]) -> list[Window]:
        """Pieces of this picture, the most promising first."""
        if not self._most:
            return []
        now_s = picture.stream_time / TIMESCALE
        elapsed, self._time_s = max(0.0, now_s - self._time_s), now_s
        self._left = min(float(self._most), self._left + elapsed * self._per_s)
        weight = self._movement(picture)
        if weight.any():
            self._awake_until = now_s + _AWAKE_S
        for box in self._clear:
            weight[self._patches(box)] = 0
        for box in self._small:
            weight[self._patches(box)] += 20
        windows: list[Window] = []
        while len(windows) < self._most and self._left >= 1 and weight.any():
            window = self._piece(weight)
            weight[self._patches(np.array(window, np.float32))] = 0
            self._take(windows, window)
        if now_s <= self._awake_until:
            for _ in drawn:
                if len(windows) >= self._most or self._left < 1:
                    break
                self._turn = (self._turn + 1) % len(drawn)
                x, y = drawn[self._turn]
                window = self._around(x * self.size[0], y * self.size[1], self._side)
                if window not in windows:
                    self._take(windows, window)
        return windows

    def saw(self, found: Detections, whole: Detections) -> None:
        """What was found in the picture last chosen from, and what of it without its pieces.

        What is tall, and what is beyond doubt in the whole picture, needs no second look.
        """
        tall = (found.boxes[:, 3] - found.boxes[:, 1]) >= _CLEAR_SHARE * self.size[1]
        sure = found.scores >= 0.25
        beyond_doubt = whole.boxes[whole.scores >= _BEYOND_DOUBT]
        plain = (iou(found.boxes, beyond_doubt) >= _SAME).any(axis=1)
        self._clear = found.boxes[sure & (tall | plain)]
        self._small = found.boxes[sure & ~tall & ~plain]

    def _take(self, windows: list[Window], window: Window) -> None:
        windows.append(window)
        self._left -= 1

    def _movement(self, picture: Picture) -> NDArray[np.int32]:
        """How many pixels of each patch differ from what it usually shows."""
        luma = self._shrink.luma(picture.frame).astype(np.float32)
        self._pictures += 1
        if self._mean is None:
            self._mean = luma
            return np.zeros((luma.shape[0] // _PATCH, luma.shape[1] // _PATCH), np.int32)
        change = luma - self._mean
        change -= np.median(change[::8, ::8])
        size = np.abs(change)
        active = size > np.maximum(_LEAST, _DEVIATIONS * self._noise)
        rate = np.float32(max(0.05, 1 / self._pictures))
        self._mean += rate * (luma - self._mean)
        self._noise += rate * (np.minimum(size, 20) - self._noise)
        rows, columns = active.shape[0] // _PATCH, active.shape[1] // _PATCH
        counts: NDArray[np.int32] = active.reshape(rows, _PATCH, columns, _PATCH).sum(axis=(1, 3), dtype=np.int32)
        counts[counts < _PATCH_PIXELS] = 0
        if (counts > 0).mean() > _FLOOD:
            counts[:] = 0
        return counts

    def _piece(self, weight: NDArray[np.int32]) -> Window:
        """Around the patch that moves most: a small piece where most of what moves near it fits well into one."""
        row, column = (int(at) for at in np.unravel_index(int(weight.argmax()), weight.shape))
        x, y, all_near = self._near(weight, row, column, self._side)
        small_x, small_y, within = self._near(weight, row, column, round(_ROOM * self._small_side))
        if within >= _MOST_OF_IT * all_near:
            return self._around(small_x, small_y, self._small_side)
        return self._around(x, y, self._side)

    def _near(self, weight: NDArray[np.int32], row: int, column: int, side: int) -> tuple[float, float, int]:
        """Middle, in pixels, of what moves within half of `side` of a patch, and how much that is."""
        reach = np.maximum(1, (side / 2 / self._scale).astype(int))
        top, left = max(0, row - int(reach[1])), max(0, column - int(reach[0]))
        near = weight[top : row + int(reach[1]) + 1, left : column + int(reach[0]) + 1]
        total = int(near.sum())
        y = float((near.sum(axis=1) * np.arange(near.shape[0])).sum()) / total + top + 0.5
        x = float((near.sum(axis=0) * np.arange(near.shape[1])).sum()) / total + left + 0.5
        return x * float(self._scale[0]), y * float(self._scale[1]), total

    def _around(self, x: float, y: float, side: int) -> Window:
        left = int(min(max(0, x - side / 2), self.size[0] - side)) // 2 * 2
        top = int(min(max(0, y - side / 2), self.size[1] - side)) // 2 * 2
        return left, top, left + side, top + side

    def _patches(self, box: NDArray[np.float32]) -> tuple[slice, slice]:
        low = np.maximum(0, np.floor(box[:2] / self._scale)).astype(int)
        high = np.ceil(box[2:] / self._scale).astype(int)
        return slice(low[1], max(high[1], low[1] + 1)), slice(low[0], max(high[0], low[0] + 1))


def draw_rules(detector: Detector, stream: str, rules: Iterable[Rule]) -> None:
    """Have the detector look along what is drawn for these rules, where it looks a second time at all."""
    if isinstance(detector, FarSight):
        detector.draw(stream, points_along(drawn_for(rules)))


def with_pieces(detector: Detector, most: int) -> Detector:
    """The detector, with at most so many pieces of each picture looked at again (`[vision] pieces`).

    Movement has no second look: it is no smaller there.
    """
    return FarSight(detector, most=most) if most and detector.name != MOTION else detector

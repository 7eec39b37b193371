"""Pieces of a picture: where lines lie in it, how one is cut out, and how boxes of all pieces become one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np

from perishield.model.geometry import Point
from perishield.model.rules import Rule
from perishield.model.vision import Detections
from perishield.vision.nms import keep_best
from perishield.vision.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

Window = tuple[int, int, int, int]
"""xyxy in pixels, even."""

_TALLEST = 0.7
_EDGE = 2.0
_PART = 0.8


def drawn_for(rules: Iterable[Rule]) -> list[Sequence[Point]]:
    """What a user drew for rules: their lines, or their areas' outlines."""
    drawn = (getattr(rule, name, None) for rule in rules for name in ("line", "polygon", "outer", "inner"))
    return [shape for shape in drawn if shape]


def points_along(shapes: Iterable[Sequence[Point]], step: float = 0.12) -> list[Point]:
    """Points on polylines (0..1 of the picture), at most `step` apart."""
    points: list[Point] = []
    for shape in shapes:
        for (x1, y1), (x2, y2) in pairwise(shape):
            count = max(1, round(max(abs(x2 - x1), abs(y2 - y1)) / step))
            points += [(x1 + (x2 - x1) * at / count, y1 + (y2 - y1) * at / count) for at in range(count)]
        points += shape[-1:]
    return points


def cut(picture: Picture, window: Window) -> Picture:
    """A piece of a picture, as it is."""
    frame = picture.frame
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p", threads=1)
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    piece = av.VideoFrame(width, height, frame.format.name)
    for source, target, share in zip(frame.planes, piece.planes, (1, 2, 2), strict=True):
        rows = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)  # type: ignore[call-overload]
        into = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)  # type: ignore[call-overload]
        into[: height // share, : width // share] = rows[top // share : bottom // share, left // share : right // share]
    piece.colorspace, piece.color_range = frame.colorspace, frame.color_range
    return replace(picture, frame=piece)


def merged(
    whole: Detections, pieces: Sequence[tuple[Window, Detections]], width: int, height: int, overlap: float = 0.5
) -> Detections:
    """Boxes of the whole picture and of its pieces, each object once.

    What a piece's edge cuts is left to others, unless that edge is the picture's; so is what nearly fills a piece, and
    what is a part of a larger box of its class.
    """
    boxes, scores, classes = [whole.boxes], [whole.scores], [whole.classes]
    for (left, top, right, bottom), found in pieces:
        if not len(found):
            continue
        x1, y1, x2, y2 = found.boxes.T
        side_x, side_y = right - left, bottom - top
        good = (x1 > _EDGE) | (left == 0)
        good &= (y1 > _EDGE) | (top == 0)
        good &= (x2 < side_x - _EDGE) | (right >= width - 1)
        good &= (y2 < side_y - _EDGE) | (bottom >= height - 1)
        good &= (y2 - y1 <= _TALLEST * side_y) & (x2 - x1 <= _TALLEST * side_x)
        moved = found.boxes + np.array([left, top, left, top], np.float32)
        good &= ~_parts(moved, found.classes, whole)
        boxes.append(moved[good])
        scores.append(found.scores[good])
        classes.append(found.classes[good])
    if len(boxes) == 1:
        return whole
    every, sure, kinds = np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)
    kept = keep_best(every, sure, kinds, overlap)
    return Detections(every[kept], sure[kept], kinds[kept], whole.names)


def _parts(boxes: NDArray[np.float32], classes: NDArray[np.int16], whole: Detections) -> NDArray[np.bool_]:
    """Which boxes lie in a box of the whole picture that is of their class, at least twice as large, and likely."""
    low = np.maximum(boxes[:, None, :2], whole.boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], whole.boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None]
    larger = np.prod(whole.boxes[:, 2:] - whole.boxes[:, :2], axis=1)[None, :]
    inside = (shared >= _PART * area) & (larger >= 2 * area)
    inside &= (classes[:, None] == whole.classes[None, :]) & (whole.scores[None, :] >= 0.3)
    result: NDArray[np.bool_] = inside.any(axis=1)
    return result

"""What each family's outputs mean: one picture's raw outputs to boxes in pixels of the network's input.

    YOLOv5        (anchors * 3, 5 + c)   centre, size in pixels, objectness, scores
    end-to-end    (k, 6)                 xyxy pixels, score, class; suppressed inside (YOLOv10, exports with NMS)
    DETR kin      (q, 4), (q, c)         centre and size as shares, logits (RT-DETR, D-FINE, RF-DETR)
    RT-DETR       (q, 4 + c)             the same in one, past the sigmoid (as Ultralytics exports it)
    post-processed (q), (q, 4), (q)      labels, xyxy in `orig_target_sizes`, scores
    SSD           (p, 4), (p, c)         offsets to priors, or xyxy shares where there are none
    SSD with NMS  (k, 4), (k), (k)       shares; TensorFlow's are yxyx and count classes from 1
    FastestDet    (5 + c, rows, columns) objectness, offset (tanh), size (sigmoid), scores

YOLOX and YOLOv8 have modules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from perishield.vision.model_card import Priors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]

Pending = Literal["none", "sigmoid", "softmax"]


def yolov5(rows: Floats, least: float) -> Found:
    sure = rows[rows[:, 4] >= least]
    classes = sure[:, 5:].argmax(axis=1)
    scores = sure[:, 4] * sure[np.arange(len(sure)), 5 + classes]
    return _best(_corners(sure[:, :4]), scores, classes, least)


def end_to_end(rows: Floats, least: float) -> Found:
    return _best(rows[:, :4], rows[:, 4], np.clip(rows[:, 5], -1, 32_000), least)


def shares_of(boxes: Floats, scores: Floats, width: int, height: int, least: float) -> Found:
    """Centres and sizes as shares, scores (q, c) past their sigmoid."""
    size = np.array([width, height, width, height], np.float32)
    return _best(_corners(boxes) * size, scores.max(axis=1), scores.argmax(axis=1), least)


def listed(boxes: Floats, scores: Floats, labels: Floats, least: float) -> Found:
    """Boxes xyxy in input pixels, one score and label each."""
    return _best(boxes, scores, np.clip(labels, -1, 32_000), least)


def fastestdet(planes: Floats, width: int, height: int, least: float) -> Found:
    """Score is objectness^0.6 * class^0.4 (dog-qiuqiu/FastestDet, utils/tool.py)."""
    count, rows, columns = planes.shape
    flat = planes.reshape(count, -1)
    classes = flat[5:].argmax(axis=0)
    scores = np.maximum(flat[0], 0) ** 0.6 * np.maximum(flat[5:].max(axis=0), 0) ** 0.4
    good = np.flatnonzero(scores >= least)
    y, x = np.divmod(good, columns)
    centre = np.stack([(np.tanh(flat[1, good]) + x) / columns, (np.tanh(flat[2, good]) + y) / rows], axis=1)
    boxes = np.concatenate([centre, sigmoid(flat[3:5, good].T)], axis=1).astype(np.float32)
    size = np.array([width, height, width, height], np.float32)
    return _best(_corners(boxes) * size, scores[good], classes[good], least)


class SsdHead:
    """Offsets (p, 4) and scores (p, c) to boxes; without priors the boxes are xyxy shares already."""

    def __init__(self, priors: Priors | None, width: int, height: int, background: int | None) -> None:
        self._priors = prior_boxes(priors) if priors is not None else None
        self._variances = np.array(priors.variances if priors is not None else (1, 1, 1, 1), np.float32)
        self._size = np.array([width, height, width, height], np.float32)
        self._background = background

    def boxes(self, places: Floats, scores: Floats, least: float) -> Found:
        if self._background is not None:
            scores = np.delete(scores, self._background, axis=1)
        best = scores.max(axis=1)
        good = np.flatnonzero(best >= least)
        boxes = places[good]
        if self._priors is not None:
            prior, moved = self._priors[good], boxes * self._variances
            centre = prior[:, :2] + moved[:, :2] * prior[:, 2:]
            size = prior[:, 2:] * np.exp(np.minimum(moved[:, 2:], 10.0))
            boxes = _corners(np.concatenate([centre, size], axis=1))
        return _best(boxes * self._size, best[good], scores[good].argmax(axis=1), least)

    @property
    def count(self) -> int | None:
        """Rows that the priors belong to."""
        return None if self._priors is None else len(self._priors)


def prior_boxes(priors: Priors) -> Floats:
    """(p, 4) centre x, centre y, width, height as shares of the input."""
    found = []
    for (rows, columns), sizes, ratios in zip(priors.maps, priors.sizes, priors.ratios, strict=True):
        shapes = [(size * ratios[0] ** 0.5, size / ratios[0] ** 0.5) for size in sizes]
        shapes += [(sizes[0] * ratio**0.5, sizes[0] / ratio**0.5) for ratio in ratios[1:]]
        y, x = np.mgrid[:rows, :columns]
        centres = np.stack([(x.ravel() + 0.5) / columns, (y.ravel() + 0.5) / rows], axis=1)
        cells = np.repeat(centres, len(shapes), axis=0)
        found.append(np.concatenate([cells, np.tile(np.array(shapes), (rows * columns, 1))], axis=1))
    return np.concatenate(found).astype(np.float32)


def applied(scores: Floats, pending: Pending) -> Floats:
    """Scores 0..1 from what the network gave; `softmax` runs over the last axis."""
    if pending == "sigmoid":
        return sigmoid(scores)
    if pending == "softmax":
        raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares: Floats = (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)
        return shares
    return scores


def sigmoid(values: Floats) -> Floats:
    result: Floats = (1 / (1 + np.exp(-np.clip(values, -60, 60)))).astype(np.float32)
    return result


def named(outputs: Mapping[str, Floats], *names: str) -> Floats | None:
    """The first output of these names."""
    return next((outputs[name] for name in names if name in outputs), None)


def _corners(boxes: Floats) -> Floats:
    centre, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def _best(boxes: Floats, scores: Floats, classes: NDArray[np.generic], least: float) -> Found:
    good = scores >= least
    return boxes[good].astype(np.float32), scores[good].astype(np.float32), classes[good].astype(np.int16)

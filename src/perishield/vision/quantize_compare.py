"""What INT8 costs and gains: a network in several forms against its original, on pictures that calibrated none."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perishield.model.vision import Detections
from perishield.vision.nms import iou
from perishield.vision.onnx_model import OnnxDetector
from perishield.vision.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME = 0.5
"""IoU from which two boxes of one class mean the same object."""
_TIMED = 24
"""Pictures that are timed, in turns."""
_AS_GOOD = 0.01
"""Difference of F1 that is no reason to be slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """INT8 against its original; `score` is the operating score.

    `recall`: share of the original's boxes found again. `precision`: share of its own boxes that the original has.
    `ms_*`: median CPU milliseconds a picture, in turns.
    """

    pictures: int
    score: float
    boxes: int
    recall: float
    precision: float
    mean_iou: float
    ms_original: float
    ms_quantized: float
    bytes_original: int
    bytes_quantized: int

    @property
    def f1(self) -> float:
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


class Original:
    """The network that others are compared with; its boxes are found once."""

    def __init__(self, source: Path, pictures: Sequence[Picture], score: float = 0.5) -> None:
        self._source = source
        self._detector = OnnxDetector(source)
        self._pictures = pictures
        self._score = score
        self._boxes = [_sure(self._detector.detect([picture])[0], score) for picture in pictures]

    def compare(self, target: Path) -> Comparison:
        """Raises ModelError where `target` cannot be loaded."""
        other = OnnxDetector(target, card=self._detector.card)
        again = boxes = own = 0
        overlaps: list[float] = []
        for picture, meant in zip(self._pictures, self._boxes, strict=True):
            found = _sure(other.detect([picture])[0], self._score)
            pairs = _pairs(meant, found)
            again += len(pairs)
            overlaps += pairs
            boxes += len(meant)
            own += len(found)
        times = _in_turns((self._detector, other), self._pictures[:_TIMED])
        return Comparison(
            pictures=len(self._pictures),
            score=self._score,
            boxes=boxes,
            recall=again / boxes if boxes else 1.0,
            precision=again / own if own else 1.0,
            mean_iou=statistics.fmean(overlaps) if overlaps else 0.0,
            ms_original=times[0],
            ms_quantized=times[1],
            bytes_original=self._source.stat().st_size,
            bytes_quantized=target.stat().st_size,
        )


def best(compared: Sequence[Comparison]) -> int:
    """Which one to take: of those as accurate as the most accurate one, the fastest."""
    most = max(one.f1 for one in compared)
    good = [number for number, one in enumerate(compared) if one.f1 >= most - _AS_GOOD]
    return min(good, key=lambda number: compared[number].ms_quantized / compared[number].ms_original)


def _in_turns(detectors: Sequence[OnnxDetector], pictures: Sequence[Picture]) -> list[float]:
    times: list[list[float]] = [[] for _ in detectors]
    for picture in pictures:
        for detector, spent in zip(detectors, times, strict=True):
            start = time.process_time()
            detector.detect([picture])
            spent.append((time.process_time() - start) * 1000)
    return [statistics.median(spent) for spent in times]


def _sure(found: Detections, score: float) -> Detections:
    good = found.scores >= score
    return Detections(found.boxes[good], found.scores[good], found.classes[good], found.names)


def _pairs(a: Detections, b: Detections) -> list[float]:
    """Overlaps of greedily paired boxes of one class, best first."""
    table: NDArray[Any] = iou(a.boxes, b.boxes) * (a.classes[:, None] == b.classes[None, :])
    pairs = []
    while table.size and float(table.max()) >= _SAME:
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        pairs.append(float(table[row, column]))
        table[row, :] = 0
        table[:, column] = 0
    return pairs

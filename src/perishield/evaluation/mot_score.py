"""How well objects were followed: MOTA, IDF1 and HOTA.

MOTA: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", 2008.
IDF1: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016.
HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021.
What the papers leave open (the order of preference in matching) is as in the benchmark's own code, to compare with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perishield.tracking.association import assign_pairs, iou_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_OVERLAP = 0.5
_LEVELS = np.arange(0.05, 0.99, 0.05)
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class MotFrame:
    """The objects of one picture: `ids` (n,) and `boxes` (n, 4) xyxy."""

    ids: Ints
    boxes: Floats


@dataclass(frozen=True, slots=True)
class MotScore:
    """Shares from 0 to 1 (MOTA may be negative); `switches` counts how often an object's track changed."""

    mota: float
    idf1: float
    hota: float
    switches: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """One picture: true and found objects by their number, and how much each true one overlaps each found one."""

    true: Ints
    found: Ints
    overlap: Floats


def score(truth: Sequence[MotFrame], found: Sequence[MotFrame]) -> MotScore:
    """Compare two lists of pictures of one length.

    Nothing found where nothing is counts as perfect; where only one of both is empty, every share is 0. Raises
    ValueError where an id appears twice in one picture.
    """
    pairs, true_count, found_count = _numbered(truth, found)
    objects, boxes = int(true_count.sum()), int(found_count.sum())
    if not objects or not boxes:
        share = float(objects == boxes)
        return MotScore(share, share, share, 0)
    misses, extras, switches = _clear(pairs, len(true_count))
    return MotScore(
        mota=1 - (misses + extras + switches) / objects,
        idf1=2 * _identity_hits(pairs, len(true_count), len(found_count)) / (objects + boxes),
        hota=_hota(pairs, true_count, found_count),
        switches=switches,
    )


def _numbered(truth: Sequence[MotFrame], found: Sequence[MotFrame]) -> tuple[list[_Pair], Floats, Floats]:
    """Pictures with ids as numbers from 0, and in how many pictures each true and each found object is."""
    columns: list[list[Ints]] = []
    counts: list[Floats] = []
    for frames in (truth, found):
        for frame in frames:
            if len(np.unique(frame.ids)) < len(frame.ids):
                raise ValueError("an id appears twice in one picture")
        every = np.concatenate([frame.ids for frame in frames]) if frames else np.zeros(0, np.intp)
        known, number, count = np.unique(every, return_inverse=True, return_counts=True)
        ends = np.cumsum([len(frame.ids) for frame in frames])[:-1]
        columns.append(np.split(number.astype(np.intp), ends) if frames else [])
        counts.append(count.astype(np.float64) if len(known) else np.zeros(0))
    pairs = [
        _Pair(true, seen, iou_matrix(a.boxes.reshape(-1, 4), b.boxes.reshape(-1, 4)))
        for true, seen, a, b in zip(*columns, truth, found, strict=True)
    ]
    return pairs, counts[0], counts[1]


def _best(value: Floats) -> tuple[Ints, Ints]:
    """Rows and columns of the assignment with the largest total."""
    rows, columns = value.nonzero()
    chosen = assign_pairs(rows, columns, value[rows, columns])
    return rows[chosen], columns[chosen]


def _clear(pairs: Sequence[_Pair], objects: int) -> tuple[int, int, int]:
    """(misses, extra boxes, switches): who was followed in the last picture stays matched where that is possible."""
    misses = extras = switches = 0
    last = np.full(objects, -1, np.intp)
    before = np.full(objects, -1, np.intp)
    for pair in pairs:
        value = np.where(pair.overlap >= _OVERLAP - _TINY, pair.overlap, 0.0)
        value += 1000.0 * ((before[pair.true][:, None] == pair.found[None, :]) & (value > 0))
        rows, columns = _best(value)
        real = value[rows, columns] > 0
        true, found = pair.true[rows[real]], pair.found[columns[real]]
        switches += int(((last[true] >= 0) & (last[true] != found)).sum())
        last[true] = found
        before[:] = -1
        before[true] = found
        misses += len(pair.true) - len(true)
        extras += len(pair.found) - len(found)
    return misses, extras, switches


def _identity_hits(pairs: Sequence[_Pair], objects: int, tracks: int) -> float:
    """Boxes that are right when every object is given one track for the whole time, at best."""
    together = np.zeros((objects, tracks))
    for pair in pairs:
        together[np.ix_(pair.true, pair.found)] += pair.overlap >= _OVERLAP - _TINY
    rows, columns = _best(together)
    return float(together[rows, columns].sum())


def _hota(pairs: Sequence[_Pair], true_count: Floats, found_count: Floats) -> float:
    """The geometric mean of detection and association, averaged over 19 demands on overlap."""
    alignment = _alignment(pairs, true_count, found_count)
    hits = np.zeros(len(_LEVELS))
    together = np.zeros((len(_LEVELS), len(true_count), len(found_count)))
    for pair in pairs:
        rows, columns = _best(alignment[np.ix_(pair.true, pair.found)] * pair.overlap)
        enough = pair.overlap[rows, columns][None, :] >= _LEVELS[:, None] - _TINY
        hits += enough.sum(axis=1)
        together[:, pair.true[rows], pair.found[columns]] += enough
    union = true_count[None, :, None] + found_count[None, None, :] - together
    association = (together**2 / union).sum(axis=(1, 2)) / np.maximum(hits, 1)
    detection = hits / (true_count.sum() + found_count.sum() - hits)
    return float(np.sqrt(detection * association).mean())


def _alignment(pairs: Sequence[_Pair], true_count: Floats, found_count: Floats) -> Floats:
    """How well a true and a found object go together over the whole time, as soft intersection over union."""
    together = np.zeros((len(true_count), len(found_count)))
    for pair in pairs:
        rivals = pair.overlap.sum(axis=0)[None, :] + pair.overlap.sum(axis=1)[:, None] - pair.overlap
        together[np.ix_(pair.true, pair.found)] += np.where(
            rivals > _TINY, pair.overlap / np.maximum(rivals, _TINY), 0.0
        )
    result: Floats = together / (true_count[:, None] + found_count[None, :] - together)
    return result

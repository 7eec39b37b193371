"""Detections beside each other: which mean the same object, and which are somebody else's company."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perishield.tracking.association import Indices, assign_pairs, overlapping
from perishield.tracking.kalman import Floats

_TWIN = 0.7
"""Overlap from which two boxes of different classes are two opinions about one object."""
_TWIN_BEAST = 0.45
"""The same where one is called a person or an animal and the other another of these: they keep no such company, while
somebody on a bicycle does."""
_PART = 0.9
"""Share of the smaller box that lies in another of its class from which on it is a part of the same object."""
_COMPANY = 1.0
"""Box heights within which somebody is near."""
_BESIDE = 0.25
"""Share of the smaller box that lies in another of its class from which on it came out of that one."""
_MOVES_ALIKE = 0.3
_MOVES_SIZE = 1.7
_MOVES_WHOLE = 0.5
_WHOLE_SIZE = 1.4
"""Overlap, and how much longer either side may be, from which what moves is all of somebody and shows where he is."""
_APART = 0.6
"""Share of the smaller box that may lie in the other one, where both surely are bodies."""
_HEIR = 0.2
"""Overlap with where somebody should be from which on who came out of his box may be he."""


def in_company(measured: Floats, some: Indices, sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of `some` detections, which have another sure one near that is no part of them."""
    here, others = measured[some], measured[sure]
    apart = np.abs(here[:, None, :2] - others[None, :, :2])
    taller = np.maximum(here[:, None, 3], others[None, :, 3])
    shared = np.minimum(here[:, None, 2:], others[None, :, 2:]) / 2
    near = (apart <= _COMPANY * taller[..., None]).all(axis=2)
    result: NDArray[np.bool_] = np.any(near & (apart > shared).any(axis=2), axis=1)
    return result


def twins(
    boxes: Floats, classes: Indices, fresh: Indices, found: Indices, scores: Floats, living: NDArray[np.bool_]
) -> Indices:
    """Which of `fresh` lie where an object was found, or better named, under another name, or are a part of one.

    A second track there would take the first one's boxes.
    """
    others = np.concatenate([found, fresh])
    rows, columns, overlap = overlapping(boxes[fresh], boxes[others])
    at = columns - len(found)
    pairs: Indices = (at != rows).nonzero()[0]
    if not len(pairs):
        return pairs
    rows, columns, overlap, at = rows[pairs], columns[pairs], overlap[pairs], at[pairs]
    here, there = fresh[rows], others[columns]
    own, other = scores[here], scores[there]
    first = (at < 0) | (other > own) | ((other == own) & (at < rows))
    same = classes[here] == classes[there]
    both = living[classes[here]] & living[classes[there]]
    twin = ~same & (overlap >= np.where(both, _TWIN_BEAST, _TWIN))
    area, size = _areas(boxes[here]), _areas(boxes[there])
    twin |= same & (overlap / (1 + overlap) * (area + size) >= _PART * np.minimum(area, size))
    result: Indices = np.unique(rows[twin & first])
    return result


def beside(boxes: Floats, classes: Indices, others: Floats, other_classes: Floats) -> Indices:
    """Which of `others`, of its class, each of `boxes` (n, 4) xyxy overlaps most, by the smaller one; -1 for none."""
    result = np.full(len(boxes), -1, np.intp)
    rows, columns, overlap = overlapping(boxes, others)
    area, other = _areas(boxes), _areas(others)
    share = overlap / (1 + overlap) * (area[rows] + other[columns]) / np.minimum(area[rows], other[columns])
    for pair in np.argsort(share):
        if share[pair] >= _BESIDE and classes[rows[pair]] == other_classes[columns[pair]]:
            result[rows[pair]] = columns[pair]
    return result


def same_place(expected: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Whether each of `boxes` (n, 4) xyxy, of somebody who came out of another's box, lies where that one should be.

    Networks draw two boxes around one body now and then. Where only one is left of two that lay beside each other, and
    it lies where the elder should be, it is his: somebody who steps out from behind another does not hide him.
    """
    return _overlap(expected, boxes) >= _HEIR


def apart(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Whether each pair of boxes (n, 4) xyxy surely shows two bodies."""
    shared = _shared(one, other)
    return shared < _APART * np.minimum(_areas(one), _areas(other))


def moved_on(
    expected: Floats, moving: Floats, found: Floats, waiting: NDArray[np.bool_]
) -> tuple[Indices, Floats, NDArray[np.bool_]]:
    """Which of those `waiting`, expected in boxes (n, 4), are what moves there, where they are then, who is all of it.

    `found`: boxes of those who were detected: what moves there is theirs. Of somebody only an arm or the legs may
    move, or his shadow with him: he keeps his size, and goes no farther than it takes to have in him what moves, or to
    be in it. That shows that he is there, and not where exactly.
    """
    _, taken, overlap = overlapping(found, moving)
    free = np.ones(len(moving), np.bool_)
    free[taken[overlap >= _MOVES_ALIKE]] = False
    rows, columns, overlap = overlapping(expected, moving)
    size, other = expected[rows, 2:] - expected[rows, :2], moving[columns, 2:] - moving[columns, :2]
    unlike = np.max(np.maximum(size, other) / np.minimum(size, other), axis=1, initial=0.0)
    pairs = ((unlike <= _MOVES_SIZE) & waiting[rows] & free[columns] & (overlap >= _MOVES_ALIKE)).nonzero()[0]
    pairs = pairs[assign_pairs(rows[pairs], columns[pairs], overlap[pairs])]
    whole = (overlap[pairs] >= _MOVES_WHOLE) & (unlike[pairs] <= _WHOLE_SIZE)
    rows, there = rows[pairs], moving[columns[pairs]]
    low, high = there[:, :2] - expected[rows, :2], there[:, 2:] - expected[rows, 2:]
    step = np.maximum(np.minimum(low, high), 0) + np.minimum(np.maximum(low, high), 0)
    kept = expected[rows] + np.tile(step, 2)
    return rows, np.where(whole[:, None], there, kept), whole


def _overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union of each pair of boxes (n, 4) xyxy."""
    shared = _shared(one, other)
    result: Floats = shared / np.maximum(_areas(one) + _areas(other) - shared, 1e-9)
    return result


def _shared(one: Floats, other: Floats) -> Floats:
    """Pixels that each pair of boxes (n, 4) xyxy shares."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    result: Floats = np.prod(np.maximum(high - low, 0.0), axis=1)
    return result


def _areas(boxes: Floats) -> Floats:
    result: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return result

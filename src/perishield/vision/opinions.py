"""What a network calls a horse where there are none."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.vision import LARGE_ANIMALS, PERSON, Detections
from perishield.vision.nms import iou, keep_best

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME = 0.5


def as_people(seen: Detections) -> Detections:
    """Large animals as people, each of whom counts once.

    Networks that were taught with photographs know few people who creep or climb, and call them horses, cows and
    people by turns, or at once: a tracker would follow two where there is one. Whoever is called several of these at
    once is as likely as that one of them is right.
    """
    person, large = _classes(seen.names)
    if person is None or not large:
        return seen
    renamed = np.isin(seen.classes, large)
    if not renamed.any():
        return seen
    classes = np.where(renamed, np.int16(person), seen.classes).astype(np.int16)
    kept = keep_best(seen.boxes, seen.scores, classes, _SAME)
    scores = seen.scores[kept]
    people = (classes[kept] == person).nonzero()[0]
    scores[people] = _together(seen, kept[people], (person, *large))
    return Detections(seen.boxes[kept], scores, classes[kept], seen.names)


def _together(seen: Detections, kept: NDArray[np.intp], kinds: tuple[int, ...]) -> NDArray[np.float32]:
    """For each kept box the likelihood that one of the classes of what lies there is right: one less all wrong."""
    same = iou(seen.boxes[kept], seen.boxes) >= _SAME
    wrong = np.ones(len(kept), np.float32)
    for kind in kinds:
        # Of each class the best opinion counts, not how often a network repeats it.
        wrong *= 1 - np.where(same & (seen.classes == kind), seen.scores, 0).max(axis=1)
    return 1 - wrong


@lru_cache(maxsize=16)
def _classes(names: tuple[str, ...]) -> tuple[int | None, tuple[int, ...]]:
    person = names.index(PERSON) if PERSON in names else None
    return person, tuple(index for index, name in enumerate(names) if name in LARGE_ANIMALS)

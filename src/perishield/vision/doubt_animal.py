"""Person or animal: all opinions about a track, weighed.

A network that is not sure names a thing several times: of a dog by infrared light it says dog, bird and person within
one picture, and another order in the next. A tracker takes one of these. Here all of them count, by their scores, as
long as the track lasts.

What is called a horse or a cow speaks for a person where no livestock lives, as at most sites that are guarded: see
`opinions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from perishield.model.doubts import Doubt
from perishield.model.geometry import Box
from perishield.model.vision import LARGE_ANIMALS, PERSON, SMALL_ANIMALS, Detections, TrackBox
from perishield.vision.doubt_track import Followed, Scene
from perishield.vision.nms import iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ANIMALS = SMALL_ANIMALS | LARGE_ANIMALS
_NONE, _PERSON, _SMALL, _LARGE = -1, 0, 1, 2
_SAME = 0.5
"""Overlap from which a detection is an opinion about a track."""
_LEAST_PICTURES = 3
"""With opinions that speak for an animal, before who is called a person is doubted."""


class Animal:
    """Taken for an animal more than for a person: then it is none of the latter, whatever the last picture says.

    `livestock` tells whether horses and cattle are about; where they are not, who is taken for one counts as a person,
    and so does who `creeps`, whatever he is called.
    """

    doubt = Doubt.ANIMAL

    def __init__(
        self, livestock: Callable[[], bool] = lambda: False, creeps: Callable[[int], bool] = lambda track: False
    ) -> None:
        self._livestock = livestock
        self._creeps = creeps
        self._beasts: dict[int, str] = {}
        """What large animal a track was last taken for."""
        self._weights: dict[int, list[float]] = {}
        """Sums of scores by track: person, small animals, large ones; and pictures in which an animal was named."""
        self._names: tuple[str, ...] = ()
        self._kinds: NDArray[np.int8] = np.zeros(0, np.int8)

    def named(self, tracks: Sequence[TrackBox], seen: Detections) -> tuple[TrackBox, ...]:
        """The tracks of a picture in which this was detected; as persons those that mostly speak for one."""
        self._hear([track for track in tracks if track.seen], seen)
        people = [track.box for track in tracks if track.label == PERSON]
        return tuple(self._name(track, people) for track in tracks)

    def against(self, known: Followed, scene: Scene) -> bool:
        if known.track.label != PERSON:
            return False
        weights = self._weights.get(known.track.id)
        return weights is not None and self.hinted(known.track.id) and not self._human(known.track.id, weights)

    def hinted(self, track: int) -> bool:
        """Whether an animal was among the opinions often enough, if not the main one."""
        weights = self._weights.get(track)
        return weights is not None and weights[3] >= _LEAST_PICTURES

    def forget(self, track: int) -> None:
        self._weights.pop(track, None)
        self._beasts.pop(track, None)

    def _name(self, track: TrackBox, people: Sequence[Box]) -> TrackBox:
        weights = self._weights.get(track.id)
        if not weights:
            return track
        person, _, large, _ = weights
        if track.label == PERSON and large > person:
            return msgspec.structs.replace(track, said=self._beasts[track.id])
        if track.label not in _ANIMALS or not self._human(track.id, weights):
            return track
        if any(_mostly_in(box, track.box) for box in people):
            # Where a person is followed already he is not told twice.
            return track
        return msgspec.structs.replace(track, label=PERSON, said=track.label)

    def _human(self, track: int, weights: Sequence[float]) -> bool:
        person, small, large, _ = weights
        if self._livestock():
            return person >= small + large
        return person + large > small or self._creeps(track)

    def _hear(self, tracks: list[TrackBox], seen: Detections) -> None:
        if seen.names != self._names:
            self._names = seen.names
            self._kinds = np.array([_kind(name) for name in seen.names], np.int8)
        if not tracks or not len(seen):
            return
        kinds = self._kinds[seen.classes]
        if not (kinds > _PERSON).any():
            self._hear_people([track for track in tracks if track.label == PERSON], seen.boxes[kinds == _PERSON])
            return
        chosen = kinds != _NONE
        overlaps = iou(np.array([track.box for track in tracks], np.float32), seen.boxes[chosen]) >= _SAME
        kinds, scores, classes = kinds[chosen], seen.scores[chosen], seen.classes[chosen]
        for track, row in zip(tracks, overlaps, strict=True):
            if not row.any():
                continue
            sums = np.bincount(kinds[row], scores[row], minlength=3)
            weights = self._of(track)
            for kind in (_PERSON, _SMALL, _LARGE):
                weights[kind] += float(sums[kind])
            weights[3] += bool(sums[_SMALL] or sums[_LARGE])
            if sums[_LARGE]:
                best = np.where(row & (kinds == _LARGE), scores, 0).argmax()
                self._beasts[track.id] = seen.names[classes[best]]

    def _hear_people(self, tracks: Sequence[TrackBox], boxes: NDArray[np.float32]) -> None:
        """The commonest case by far: no animal is about. Only who is called a person in this picture is one more.

        Whom movement alone has kept is seen, with the score of a picture before.
        """
        if not tracks or not len(boxes):
            return
        overlaps = iou(np.array([track.box for track in tracks], np.float32), boxes) >= _SAME
        for track, spoken in zip(tracks, overlaps.max(axis=1).tolist(), strict=True):
            if spoken:
                self._of(track)[_PERSON] += track.score

    def _of(self, track: TrackBox) -> list[float]:
        known = self._weights.get(track.id)
        if known is None:
            known = self._weights[track.id] = [0.0, 0.0, 0.0, 0.0]
        return known


def _mostly_in(part: Box, whole: Box) -> bool:
    """Whether more than half of the smaller box lies in the other."""
    width = min(part[2], whole[2]) - max(part[0], whole[0])
    height = min(part[3], whole[3]) - max(part[1], whole[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (part, whole))
    return width > 0 and height > 0 and width * height > 0.5 * smaller


def _kind(name: str) -> int:
    if name == PERSON:
        return _PERSON
    if name in SMALL_ANIMALS:
        return _SMALL
    return _LARGE if name in LARGE_ANIMALS else _NONE

"""Doubts that come of the place: what has always stood there, and what only sways there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.doubts import Doubt
from perishield.model.geometry import Box
from perishield.vision.doubt_track import Followed, Scene, centre, extent, overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE = 12


@dataclass(slots=True, eq=False)
class _Place:
    box: Box
    patch: NDArray[np.float32]
    present_s: float
    seen_s: float


class StillObjects:
    """Remembers what stands around: a parked car, a poster, a statue that a detector calls a person.

    What has stood in a place for `stand_s` in all, however often it was lost and found again, is known there for
    `keep_s` after it was last seen. A track that begins in a known place, looks like what is known there and has not
    left it is doubted. One that came from elsewhere never is, and one that leaves is judged again at once.
    """

    doubt = Doubt.STILL
    _MOST = 200

    def __init__(self, stand_s: float = 30.0, keep_s: float = 3600.0) -> None:
        self._stand_s = stand_s
        self._keep_s = keep_s
        self._places: list[_Place] = []
        self._left: set[int] = set()

    def against(self, known: Followed, scene: Scene) -> bool:
        patch = appearance(scene.luma, known.track.box)
        place = self._place(known.track.box, patch)
        if place is None:
            if known.reach > 0.25 or overlap(known.born, known.track.box) < 0.5:
                self._left.add(known.track.id)
            self._places.append(_Place(known.track.box, patch, 0.0, scene.time_s))
            self._prune(scene.time_s)
            return False
        place.present_s += min(max(scene.time_s - place.seen_s, 0.0), 2.0)
        place.seen_s = scene.time_s
        place.patch += np.float32(0.05) * (patch - place.patch)
        if known.track.id in self._left or place.present_s < self._stand_s:
            return False
        if overlap(known.born, place.box) < 0.5 or known.reach > 0.35:
            self._left.add(known.track.id)
            return False
        return True

    def forget(self, track: int) -> None:
        self._left.discard(track)

    def _place(self, box: Box, patch: NDArray[np.float32]) -> _Place | None:
        best = max(self._places, key=lambda place: overlap(place.box, box), default=None)
        if best is None or overlap(best.box, box) < 0.6 or float((best.patch * patch).mean()) < 0.5:
            return None
        return best

    def _prune(self, time_s: float) -> None:
        """Passers-by leave places behind in which nobody stood: these go first."""
        self._places = [
            place
            for place in self._places
            if 0 <= time_s - place.seen_s <= (self._keep_s if place.present_s >= self._stand_s else 60.0)
        ]
        self._places.sort(key=lambda place: (place.present_s >= self._stand_s, place.seen_s))
        del self._places[: -self._MOST]


class Sway:
    """Branches, flags and plastic sheets: a long way, much turning, and no ground covered.

    Whoever walks up and down goes farther than his own size; once a track leaves the place, the doubt is gone. Nor does
    it hold against who is surely a person in one picture of `certain`: climbers go up and down where they are.
    """

    doubt = Doubt.SWAY

    def __init__(self, after_s: float = 4.0, reach: float = 0.75, certain: int = 4) -> None:
        self._after_s = after_s
        self._certain = certain
        self._reach = reach

    def against(self, known: Followed, scene: Scene) -> bool:
        if known.reach >= self._reach or known.turns < 4 or known.time_s - known.born_s < self._after_s:
            return False
        if known.sure * self._certain >= known.sightings:
            return False
        return known.walked >= 1.2 * extent(known.track.box) and known.turns >= 0.35 * known.walked / (
            0.15 * extent(known.track.box)
        )

    def forget(self, track: int) -> None:
        pass


def appearance(luma: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """What is in a box, whatever its size and the light: float32 (12, 12) of mean 0 and variance 1."""
    height, width = luma.shape
    x, y = centre(box)
    half_x, half_y = max(box[2] - box[0], 2.0) / 2, max(box[3] - box[1], 2.0) / 2
    columns = np.clip(np.linspace(x - half_x, x + half_x, 2 * _SIDE), 0, width - 1).astype(np.intp)
    rows = np.clip(np.linspace(y - half_y, y + half_y, 2 * _SIDE), 0, height - 1).astype(np.intp)
    patch = luma[np.ix_(rows, columns)].reshape(_SIDE, 2, _SIDE, 2).mean(axis=(1, 3)).astype(np.float32)
    spread = max(float(patch.std()), 2.0)
    normal: NDArray[np.float32] = (patch - patch.mean()) / np.float32(spread)
    return normal

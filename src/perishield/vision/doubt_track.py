"""What is remembered of a track so that doubts about it can be judged."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perishield.model.geometry import Box
from perishield.model.vision import MOTION, PERSON, TrackBox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEP = 0.15
"""Share of its size by which it must have gone on to count as gone: boxes tremble."""
_SURE = 0.5


@dataclass(slots=True, eq=False)
class Followed:
    """A track since it was first seen. Lengths in pixels, times in seconds of the stream."""

    track: TrackBox
    born_s: float
    time_s: float
    born: Box
    walked: float = 0.0
    turns: int = 0
    speed: float = 0.0
    """Sizes a second, over the last step."""
    labels: Counter[str] = field(default_factory=Counter)
    sure: int = 0
    """Pictures in which it was a person beyond reasonable doubt."""
    low: tuple[float, float] = (math.inf, math.inf)
    high: tuple[float, float] = (-math.inf, -math.inf)
    waypoint: tuple[float, float] = (0.0, 0.0)
    heading: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def first(cls, track: TrackBox, time_s: float) -> Followed:
        known = cls(track, time_s, time_s, track.box, waypoint=centre(track.box))
        known._note(track)
        return known

    def see(self, track: TrackBox, time_s: float) -> None:
        here, before = centre(track.box), centre(self.track.box)
        elapsed = max(time_s - self.time_s, 1e-3)
        size = max(extent(track.box), extent(self.track.box))
        self.speed = math.dist(here, before) / size / elapsed
        step = (here[0] - self.waypoint[0], here[1] - self.waypoint[1])
        if math.hypot(*step) >= _STEP * size:
            self.walked += math.hypot(*step)
            self.turns += self.heading[0] * step[0] + self.heading[1] * step[1] < 0
            self.waypoint, self.heading = here, step
        self.track, self.time_s = track, time_s
        self._note(track)

    def _note(self, track: TrackBox) -> None:
        x, y = centre(track.box)
        self.labels[track.label] += 1
        self.sure += track.label == PERSON and track.score >= _SURE
        self.low = min(self.low[0], x), min(self.low[1], y)
        self.high = max(self.high[0], x), max(self.high[1], y)

    @property
    def sightings(self) -> int:
        return self.labels.total()

    @property
    def way(self) -> float:
        """How far it is from where it was first seen, in its own size."""
        return math.dist(centre(self.track.box), centre(self.born)) / extent(self.track.box)

    @property
    def reach(self) -> float:
        """The longer side of all the ground it covered, in its own size."""
        return max(self.high[0] - self.low[0], self.high[1] - self.low[1]) / extent(self.track.box)

    @property
    def unclassified(self) -> bool:
        return self.track.label == MOTION


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The picture in which tracks are judged: brightness uint8 (h, w), and the median of it."""

    time_s: float
    luma: NDArray[np.uint8]
    light: float


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def extent(box: Box) -> float:
    """The longer side; never nothing."""
    return max(box[2] - box[0], box[3] - box[1], 1.0)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (areas - shared)

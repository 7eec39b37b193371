"""Doubts that come of the thing itself: its size and its speed."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable

from perishield.model.doubts import Doubt
from perishield.model.geometry import Point
from perishield.model.vision import PERSON
from perishield.vision.doubt_track import Followed, Scene, extent

_STANDS = 2.0
"""Height over width from which somebody stands."""
Expected = Callable[[Point, int, int], float | None]
"""Height in pixels of a person who stands at that point of a picture of that width and height; None where that is not
known."""


class PersonSize:
    """Who is called a person has a person's size for where he stands.

    How high people are over the height of their feet is learned from those who walked through: their heights lie
    about on a straight line that reaches nothing at the horizon. Learned from at least `teachers` of them; where the
    ground is calibrated, `expected` knows. `least` and `most` are shares of that; who stands on a fence seems far off
    and large. Creeping counts by length. But who is much higher than wide stands, and who stands below `upright` of
    that, or does not and is below `low`, is small: a child, or a dog that comes towards the camera. If the network
    `hinted` at an animal it is the latter, also when it turns and is longer, until it stands as people do. Whoever had
    the right size three times may climb, jump and lie down: he is not doubted again. Nor is who `creeps` and has the
    length for it.
    """

    doubt = Doubt.SIZE

    def __init__(
        self,
        teachers: int = 6,
        least: float = 0.35,
        most: float = 4.0,
        upright: float = 0.68,
        low: float = 0.45,
        expected: Expected | None = None,
        hinted: Callable[[int], bool] = lambda track: False,
        creeps: Callable[[int], bool] = lambda track: False,
    ) -> None:
        self._teachers = teachers
        self._least = least
        self._most = most
        self._upright = upright
        self._low = low
        self._hinted = hinted
        self._creeps = creeps
        self._expected = expected
        self._heights: deque[tuple[float, float]] = deque(maxlen=240)
        self._taught: deque[int] = deque(maxlen=64)
        self._line: tuple[float, float] | None = None
        self._right: dict[int, int] = {}
        self._dogs: set[int] = set()

    def against(self, known: Followed, scene: Scene) -> bool:
        track = known.track
        if track.label != PERSON:
            return False
        height, width = scene.luma.shape
        x1, y1, x2, y2 = track.box
        if x1 <= 1 or y1 <= 1 or x2 >= width - 1 or y2 >= height - 1:
            # Cut off by the picture's edge: how large it is, nobody knows.
            return False
        self._learn(known)
        usual = self._expected(((x1 + x2) / 2, y2), width, height) if self._expected is not None else None
        if usual is None:
            usual = self._learned(y2)
        if usual is None:
            return False
        size = extent(track.box) / usual
        fits = self._least <= size <= self._most
        stands = y2 - y1 >= _STANDS * (x2 - x1)
        small = size < (self._upright if stands else self._low)
        dog = track.id in self._dogs
        self._right[track.id] = self._right.get(track.id, 0) + (fits and not small and (stands or not dog))
        if self._right[track.id] >= 3 or (fits and self._creeps(track.id)):
            self._dogs.discard(track.id)
            return False
        if small and self._hinted(track.id):
            self._dogs.add(track.id)
        return not fits or track.id in self._dogs

    def forget(self, track: int) -> None:
        self._right.pop(track, None)
        self._dogs.discard(track)

    def _learned(self, foot: float) -> float | None:
        if self._line is None:
            return None
        usual = self._line[0] * foot + self._line[1]
        return usual if usual > 8 else None

    def _learn(self, known: Followed) -> None:
        """From who surely walked: seen for long, upright, far from where he began."""
        _, top, _, foot = known.track.box
        tall = foot - top
        if known.sightings < 8 or known.sightings % 4 or known.way < 1.5 or known.track.score < 0.5:
            return
        if tall < 1.4 * (known.track.box[2] - known.track.box[0]):
            return
        if known.track.id not in self._taught:
            self._taught.append(known.track.id)
        self._heights.append((foot, tall))
        if len(self._taught) >= self._teachers and len(self._heights) >= 4 * self._teachers:
            self._line = _robust_line(self._heights)


def _robust_line(points: deque[tuple[float, float]]) -> tuple[float, float]:
    """Slope and height by medians of slopes (Theil and Sen), of points far enough apart to have one."""
    some = sorted(points)
    half = len(some) // 2
    slopes = [
        (high[1] - low[1]) / (high[0] - low[0])
        for low, high in zip(some[:half], some[-half:], strict=True)
        if high[0] - low[0] >= 8
    ]
    slope = max(statistics.median(slopes), 0.0) if len(slopes) >= 4 else 0.0
    return slope, statistics.median(tall - slope * foot for foot, tall in some)


class Speed:
    """A track that leaps is two things under one number: kept back until it has gone on quietly for a while.

    The one who follows the tracks gives it a new number then, so that no rule sees a way between the two.
    """

    doubt = Doubt.SPEED

    def __init__(self, most: float = 12.0, quiet: int = 3) -> None:
        self._most = most
        self._quiet = quiet
        self._waiting: dict[int, int] = {}

    def against(self, known: Followed, scene: Scene) -> bool:
        if known.speed > self._most and known.sightings > 1:
            self._waiting[known.track.id] = self._quiet
            return True
        left = self._waiting.get(known.track.id, 0)
        if left:
            self._waiting[known.track.id] = left - 1
        return left > 0

    def forget(self, track: int) -> None:
        self._waiting.pop(track, None)

"""Who creeps: something of size that goes on and on, straight, and slower than any animal walks."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable

from perishield.model.geometry import Point
from perishield.vision.doubt_kind import Expected
from perishield.vision.doubt_track import Followed, Scene, extent

_SPAN_S = 2.4
_PARTS = 4
_LEAST_PER_PART = 2
_SLOWEST, _FASTEST = 0.15, 0.8
"""Metres a second. Cats, foxes and dogs walk at 0.8 and more; they stop, but do not go slowly."""
_EVEN = 2.5
"""How much faster one part of the way may have been than another: animals stop and go on."""
_STRAIGHT = 0.6
"""Cosine of the turn from one part to the next."""
_LEAST_SIZE = 0.42
"""Of the height of a person who stands there: what is smaller is a cat or a hedgehog."""

_Seen = tuple[float, float, float]
"""Seconds of the stream, and where on the ground."""
Metres = Callable[[Point, int, int], Point | None]
"""Where on the ground that point of a picture of that width and height is; None where that is not known."""


class Creeping:
    """Tells who creeps, on calibrated ground; once told it stays so, for whoever creeps may get up and run.

    A crawler seen from the front is to networks a dog, in every picture. What tells them apart is how they go: means of
    where somebody was in the quarters of the last `_SPAN_S` seconds, since boxes tremble more than he moves.
    """

    def __init__(self, metres: Metres | None = None, expected: Expected | None = None) -> None:
        self._metres = metres
        self._expected = expected
        self._ways: dict[int, deque[_Seen]] = {}
        self._told: set[int] = set()

    def __call__(self, track: int) -> bool:
        return track in self._told

    def look(self, known: Followed, scene: Scene) -> None:
        """Take in a picture in which it was seen."""
        track = known.track
        if self._metres is None or self._expected is None or track.id in self._told:
            return
        height, width = scene.luma.shape
        x1, y1, x2, y2 = track.box
        if x1 <= 1 or y1 <= 1 or x2 >= width - 1 or y2 >= height - 1:
            return
        at = (x1 + x2) / 2, y2
        place, usual = self._metres(at, width, height), self._expected(at, width, height)
        if place is None or usual is None:
            return
        way = self._ways.setdefault(track.id, deque(maxlen=64))
        if extent(track.box) < _LEAST_SIZE * usual:
            way.clear()
            return
        way.append((scene.time_s, *place))
        while scene.time_s - way[0][0] > _SPAN_S:
            way.popleft()
        if _creeps(way):
            self._told.add(track.id)

    def forget(self, track: int) -> None:
        self._ways.pop(track, None)
        self._told.discard(track)


def _creeps(way: deque[_Seen]) -> bool:
    first, last = way[0][0], way[-1][0]
    share = (last - first) / _PARTS
    if share < 0.8 * _SPAN_S / _PARTS:
        return False
    parts: list[list[_Seen]] = [[] for _ in range(_PARTS)]
    for point in way:
        parts[min(int((point[0] - first) / share), _PARTS - 1)].append(point)
    if min(map(len, parts)) < _LEAST_PER_PART:
        return False
    paces = [_pace(one, other) for one, other in itertools.pairwise(_mean(part) for part in parts)]
    speeds = [math.hypot(*pace) for pace in paces]
    slow, fast = min(speeds), max(speeds)
    if slow < _SLOWEST or fast > min(_FASTEST, _EVEN * slow):
        return False
    return all(
        x1 * x2 + y1 * y2 >= _STRAIGHT * math.hypot(x1, y1) * math.hypot(x2, y2)
        for (x1, y1), (x2, y2) in itertools.pairwise(paces)
    )


def _mean(part: list[_Seen]) -> _Seen:
    count = len(part)
    return sum(one[0] for one in part) / count, sum(one[1] for one in part) / count, sum(one[2] for one in part) / count


def _pace(one: _Seen, other: _Seen) -> Point:
    seconds = other[0] - one[0]
    return (other[1] - one[1]) / seconds, (other[2] - one[2]) / seconds

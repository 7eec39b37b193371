"""What is remembered of one track: where it was, how sure its detections were."""

from __future__ import annotations

from collections import deque

from perishield.model.geometry import Box, Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import Anchor
from perishield.model.vision import TrackBox
from perishield.rules.sighting import Sighting, anchor_point

KEPT_S = 8.0
_SCORES = 50
_PICTURES = 100
_TALLEST = 1e6
_SPEED_S = 1.0
_LEAST_SPEED_S = 0.25


class Trail:
    """The last seconds of one track."""

    def __init__(self) -> None:
        self._points: dict[Anchor, deque[tuple[int, float, float]]] = {"foot": deque(), "centre": deque()}
        self._scores: deque[float] = deque(maxlen=_SCORES)
        self._pictures: deque[int] = deque(maxlen=_PICTURES)
        self._score: float | None = 0.0
        """The median of `_scores`; None until somebody asks."""
        self.hits = 0
        self.height = 0.0
        self.at: dict[Anchor, Sighting] = {}
        self.label = ""
        self.said = ""
        """What the detector last called it, where that is not its label."""
        self.pixels: Box = (0.0, 0.0, 0.0, 0.0)
        """Its box within the picture."""
        self._picture = (1, 1)

    @property
    def box(self) -> Box:
        """Its box as shares of the picture."""
        (x1, y1, x2, y2), (width, height) = self.pixels, self._picture
        return x1 / width, y1 / height, x2 / width, y2 / height

    @property
    def score(self) -> float:
        """Median of the last detections' scores: one lucky picture makes no person."""
        if self._score is None:
            ordered, middle = sorted(self._scores), len(self._scores) // 2
            # The commonest question of all: `statistics.median` takes three times as long.
            self._score = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        return self._score

    @property
    def scores(self) -> tuple[float, float, float]:
        """Least, median and most of the last detections' scores."""
        return (min(self._scores), self.score, max(self._scores)) if self._scores else (0.0, 0.0, 0.0)

    def evidence(self, picture: int, of: int) -> tuple[int, int]:
        """(k, n): detected in k of the `of` pictures up to this one; with 0, of all since it appeared, at most 100."""
        if not self._pictures:
            return 0, of
        pictures = of or min(picture - self._pictures[0] + 1, _PICTURES)
        return sum(1 for number in self._pictures if number > picture - pictures), pictures

    def stretch(self, anchor: Anchor) -> tuple[Point, Point, float] | None:
        """Where it was about a second ago, where it is now (both normalised), and the seconds between.

        None where it has not been followed for long enough to say how fast it is.
        """
        points = self._points[anchor]
        if not points:
            return None
        now = points[-1]
        first = now
        for point in reversed(points):
            if now[0] - point[0] > _SPEED_S * TIMESCALE:
                break
            first = point
        seconds = (now[0] - first[0]) / TIMESCALE
        if seconds < _LEAST_SPEED_S:
            return None
        return (first[1], first[2]), (now[1], now[2]), seconds

    def add(
        self, track: TrackBox, ticks: int, wall: float, width: int, height: int, picture: int = 0
    ) -> dict[Anchor, Sighting]:
        """Take in one picture in which the object was detected, the scene's `picture`-th; the sighting by anchor."""
        self._pictures.append(picture)
        self.hits = max(track.hits, self.hits + 1)
        self.label = track.label
        self.said = track.said or self.said
        self._scores.append(track.score)
        self._score = None
        x1, y1, x2, y2 = track.box
        self._picture = (width, height)
        if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
            self.pixels = track.box
        else:
            self.pixels = (_within(x1, width), _within(y1, height), _within(x2, width), _within(y2, height))
        self.height = min(y2 - y1, _TALLEST)
        sightings: dict[Anchor, Sighting] = {}
        self.at = sightings
        oldest = ticks - 2 * KEPT_S * TIMESCALE
        for anchor, points in self._points.items():
            point = anchor_point(track.box, anchor, width, height)
            sightings[anchor] = Sighting(ticks, wall, point, y2 - y1)
            points.append((ticks, point[0] / width, point[1] / height))
            # Twice the time is kept: a crossing is reported some pictures after its instant.
            while points[0][0] < oldest:
                points.popleft()
        return sightings

    def came_with(self, other: Trail) -> None:
        """Until it was first seen it was where `other` was, who hid it."""
        for anchor, points in self._points.items():
            born = points[0][0] if points else 0
            points.extendleft(reversed([point for point in other._points[anchor] if point[0] < born]))

    def sightings(self, anchor: Anchor, wall: float, ticks: int) -> list[Sighting]:
        """All that is remembered, oldest first, as if it had always been as high as now; `ticks` is now, at `wall`."""
        width, height = self._picture
        return [
            Sighting(then, wall - (ticks - then) / TIMESCALE, (x * width, y * height), self.height)
            for then, x, y in self._points[anchor]
        ]

    def path(self, anchor: Anchor, ticks: int, end: Point) -> tuple[tuple[int, float, float], ...]:
        """Points of the last seconds up to `ticks`, normalised, ending at `end` (normalised)."""
        oldest = ticks - KEPT_S * TIMESCALE
        return (*(point for point in self._points[anchor] if oldest <= point[0] < ticks), (ticks, *end))


def _within(value: float, size: int) -> float:
    return min(max(value, 0.0), float(size))

"""What is remembered of one track: where it was, how sure its detections were."""

from __future__ import annotations

import statistics
from collections import deque

from perishield.model.geometry import Box, Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import Anchor
from perishield.model.vision import TrackBox
from perishield.rules.sighting import Sighting, anchor_point

KEPT_S = 8.0
_SCORES = 50


class Trail:
    """The last seconds of one track."""

    def __init__(self) -> None:
        self._points: dict[Anchor, deque[tuple[int, float, float]]] = {"foot": deque(), "centre": deque()}
        self._scores: deque[float] = deque(maxlen=_SCORES)
        self.hits = 0
        self.label = ""
        self.box: Box = (0.0, 0.0, 0.0, 0.0)

    @property
    def score(self) -> float:
        """Median of the last detections' scores: one lucky picture makes no person."""
        return statistics.median(self._scores) if self._scores else 0.0

    def add(self, track: TrackBox, ticks: int, wall: float, width: int, height: int) -> dict[Anchor, Sighting]:
        """Take in one picture in which the object was detected; the sighting by anchor."""
        self.hits = max(track.hits, self.hits + 1)
        self.label = track.label
        self._scores.append(track.score)
        x1, y1, x2, y2 = track.box
        self.box = (_share(x1, width), _share(y1, height), _share(x2, width), _share(y2, height))
        sightings: dict[Anchor, Sighting] = {}
        for anchor, points in self._points.items():
            point = anchor_point(track.box, anchor, width, height)
            sightings[anchor] = Sighting(ticks, wall, point, y2 - y1)
            points.append((ticks, point[0] / width, point[1] / height))
            # Twice the time is kept: a crossing is reported some pictures after its instant.
            while points[0][0] < ticks - 2 * KEPT_S * TIMESCALE:
                points.popleft()
        return sightings

    def path(self, anchor: Anchor, ticks: int, end: Point) -> tuple[tuple[int, float, float], ...]:
        """Points of the last seconds up to `ticks`, normalised, ending at `end` (normalised)."""
        oldest = ticks - KEPT_S * TIMESCALE
        return (*(point for point in self._points[anchor] if oldest <= point[0] < ticks), (ticks, *end))


def _share(value: float, size: int) -> float:
    return min(max(value / size, 0.0), 1.0)

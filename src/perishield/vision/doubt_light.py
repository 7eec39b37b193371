"""Doubts that come of light and weather: switched lamps, headlights, rain, snow, insects before an infrared lamp."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.doubts import Doubt
from perishield.vision.doubt_track import Followed, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SURE = 0.6
"""Score from which a network's word counts more than the weather."""


class LightChange:
    """Light that changes over much of the picture at once: what is born in that moment must show that it goes on."""

    doubt = Doubt.LIGHT

    def __init__(self, share: float = 0.4, levels: float = 12.0, lasts_s: float = 4.0) -> None:
        self._share = share
        self._levels = levels
        self._lasts_s = lasts_s
        self._former: NDArray[np.float32] | None = None
        self._changed_s = -1e9
        self._looked_s = -1e9

    def against(self, known: Followed, scene: Scene) -> bool:
        self.look(scene)
        with_it = -0.5 <= known.born_s - self._changed_s <= 1.5 and scene.time_s - self._changed_s <= self._lasts_s
        sure = not known.unclassified and known.track.score >= _SURE
        return with_it and not sure and known.way < 0.5

    def look(self, scene: Scene) -> None:
        """Once for each picture, tracks or not: what changes is only seen beside the picture before."""
        if scene.time_s == self._looked_s:
            return
        self._looked_s = scene.time_s
        height, width = scene.luma.shape
        sampled = scene.luma[: height // 18 * 18 : max(height // 72, 1), : width // 32 * 32 : max(width // 128, 1)]
        now = sampled[:72, :128].astype(np.float32)
        former, self._former = self._former, now
        if former is None or former.shape != now.shape:
            return
        if np.count_nonzero(np.abs(now - former) >= self._levels) >= self._share * now.size:
            self._changed_s = scene.time_s

    def forget(self, track: int) -> None:
        pass


class Headlights:
    """Bright, broad and unclassified in a dark picture. People are taller than broad, whatever lights them."""

    doubt = Doubt.HEADLIGHTS

    def __init__(self, dark: float = 70.0, white: int = 225, share: float = 0.35) -> None:
        self._dark = dark
        self._white = white
        self._share = share
        self._seen: dict[int, deque[bool]] = {}

    def against(self, known: Followed, scene: Scene) -> bool:
        if not known.unclassified:
            return False
        seen = self._seen.setdefault(known.track.id, deque(maxlen=8))
        seen.append(scene.light < self._dark and self._is_beam(known, scene))
        return sum(seen) >= 0.6 * len(seen)

    def _is_beam(self, known: Followed, scene: Scene) -> bool:
        x1, y1, x2, y2 = (max(round(side), 0) for side in known.track.box)
        part = scene.luma[y1:y2, x1:x2]
        broad = x2 - x1 >= 0.9 * (y2 - y1)
        white = int(np.count_nonzero(part >= self._white))
        return bool(part.size > 0 and broad and white >= self._share * part.size)

    def forget(self, track: int) -> None:
        self._seen.pop(track, None)


class Weather:
    """Where many things begin and most end at once, what no network named must go far and straight to count.

    A busy street begins as many tracks a second as rain does, and its people are named with little certainty: what a
    network calls by a name is never weather.
    """

    doubt = Doubt.WEATHER

    def __init__(self, births_per_s: float = 2.0, over_s: float = 5.0) -> None:
        self._most = births_per_s * over_s
        self._over_s = over_s
        self._births: deque[float] = deque(maxlen=256)
        self._known: set[int] = set()

    def against(self, known: Followed, scene: Scene) -> bool:
        if not known.unclassified:
            return False
        if known.track.id not in self._known:
            self._known.add(known.track.id)
            self._births.append(scene.time_s)
        while self._births and not 0 <= scene.time_s - self._births[0] <= self._over_s:
            self._births.popleft()
        if len(self._births) < self._most:
            return False
        straight = known.way >= 1.5 and known.turns <= 0.2 * known.sightings
        return not (known.sightings >= 8 and straight)

    def forget(self, track: int) -> None:
        self._known.discard(track)

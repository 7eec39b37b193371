"""Who moves against the allowed direction."""

from __future__ import annotations

import math

from perishield.model.alarms import EventKind
from perishield.model.geometry import Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import WrongWay
from perishield.rules.measure import Measure
from perishield.rules.sighting import Finding, Note, Sighting, between, unheard
from perishield.rules.zone import Presence, ZoneShape


class WrongWayJudge:
    """Judges every track by one polygon and one arrow, on pictures of one size."""

    def __init__(self, rule: WrongWay, width: int, height: int, measure: Measure | None = None) -> None:
        self.rule = rule
        self.measure = measure or Measure(height)
        self.shape = ZoneShape(rule.polygon, width, height)
        (x1, y1), (x2, y2) = rule.way
        x, y = (x2 - x1) * width, (y2 - y1) * height
        length = math.hypot(x, y)
        self.along: Point = (x / length, y / length)

    def watch(self, note: Note = unheard) -> WrongWayWatch:
        """For a new track."""
        return WrongWayWatch(self, note)


class WrongWayWatch:
    """One track: how far it had got the allowed way, and how far back it has come from there.

    The farthest place is the mark. Every step beyond it moves it; a step back is measured from it.
    """

    __slots__ = ("_against", "_farthest", "_first", "_judge", "_mark", "_presence")

    def __init__(self, judge: WrongWayJudge, note: Note) -> None:
        self._judge = judge
        self._presence = Presence(judge.shape, judge.rule, note)
        self._mark: Sighting | None = None
        self._farthest = -math.inf
        self._against: list[tuple[Sighting, float]] = []
        self._first: Sighting | None = None

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms: far enough, long enough, and steep enough against the arrow, twice in a row."""
        last = self._presence.last
        changed = self._presence.observe(now)
        if not self._presence.inside:
            self._restart()
            return []
        x, y = self._judge.along
        if self._mark is None:
            start = changed or now
            self._mark, self._farthest = start, x * start.point[0] + y * start.point[1]
        along = x * now.point[0] + y * now.point[1]
        if along >= self._farthest:
            self._mark, self._farthest, self._first = now, along, None
            self._against = []
            return []
        rule, mark = self._judge.rule, self._mark
        back = math.dist(mark.point, now.point)
        steep = (self._farthest - along) / back if back else 0.0
        length = self._judge.measure.length(mark.point, now.point, rule.distance_unit, now.height)
        before = self._against[-1][1] if self._against else 0.0
        enough = (
            length >= rule.distance
            and now.ticks - mark.ticks >= rule.least_s * TIMESCALE
            and steep >= math.cos(math.radians(rule.tolerance_deg))
        )
        if not enough:
            self._against = [(now, length)]
            self._first = None
            return []
        if self._first is None:
            share = (rule.distance - before) / (length - before) if before < rule.distance < length else 1.0
            at = between(last, now, share) if last is not None else now
            earliest = mark.ticks + round(rule.least_s * TIMESCALE)
            self._first = at if at.ticks >= earliest else now
            self._against = [(now, length)]
            return []
        at = self._first
        stayed = (at.ticks - mark.ticks) / TIMESCALE
        self._restart()
        self._mark, self._farthest = now, along
        return [Finding(EventKind.WRONG_WAY, at.ticks, at.wall, at.point, stayed_s=stayed)]

    def lost(self) -> list[Finding]:
        """Nothing that was not seen twice."""
        self._presence.lost()
        return []

    def _restart(self) -> None:
        self._mark, self._farthest, self._first = None, -math.inf, None
        self._against = []

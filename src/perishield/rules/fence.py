"""Lines, from the outer to the inner one, all inwards, within a time; or one line and a depth beyond it.

The lines are watched apart and only the instants of their crossings are compared, so a climber whose foot point rises
on the picture and sinks again may cross the outer line back and forth: what counts is that an inward crossing of each
line came before an inward crossing of the next one, and that from first to last it did not take too long.
"""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.media import TIMESCALE
from perishield.model.rules import Fence
from perishield.rules.line_watch import CLEAR_PICTURES, Crossing, LineShape, LineWatch
from perishield.rules.measure import Measure
from perishield.rules.sighting import Finding, Note, Sighting, unheard
from perishield.rules.tripwire import direction_of


class FenceJudge:
    """Judges every track by one fence, on pictures of one size."""

    def __init__(self, rule: Fence, width: int, height: int, measure: Measure | None = None) -> None:
        self.rule = rule
        self.measure = measure or Measure(height)
        lines = (rule.outer, *rule.between, rule.inner) if rule.inner else (rule.outer,)
        self.shapes = [LineShape(line, width, height) for line in lines]

    def watch(self, note: Note = unheard) -> FenceWatch | DepthWatch:
        """For a new track."""
        return FenceWatch(self, note) if len(self.shapes) > 1 else DepthWatch(self, note)


class FenceWatch:
    """One track at lines one behind the other."""

    __slots__ = ("_crossed", "_judge", "_landed", "_lines", "_now")

    def __init__(self, judge: FenceJudge, note: Note) -> None:
        self._judge = judge
        rule = judge.rule
        self._lines = [LineWatch(shape, rule.band, rule.band_px, note) for shape in judge.shapes]
        self._crossed: list[list[Crossing]] = [[] for _ in self._lines[:-1]]
        self._landed: Crossing | None = None
        self._now = 0

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms.

        An inner line may be confirmed before an outer one (they are close, or the outer one is the nearer to the
        point of landing), so either order of confirmation is taken; the instants decide.
        """
        self._now = now.ticks
        confirmed = [line.observe(now) for line in self._lines]
        if not any(confirmed) and not any(self._crossed):
            return []
        return self._found(confirmed)

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        return self._found([line.lost() for line in self._lines])

    def _found(self, confirmed: list[Crossing | None]) -> list[Finding]:
        direction = self._judge.rule.direction
        within = round(self._judge.rule.within_s * TIMESCALE)
        *outer, inner = confirmed
        for crossed, crossing in zip(self._crossed, outer, strict=True):
            if crossing is not None and direction_of(crossing) == direction:
                crossed.append(crossing)
            if crossed and self._now - crossed[0].at.ticks > 2 * within:
                crossed[:] = [one for one in crossed if self._now - one.at.ticks <= 2 * within]
        if inner is not None:
            self._landed = inner if direction_of(inner) == direction else None
        landed = self._landed
        if landed is None:
            return []
        latest = landed.at.ticks
        for crossed in reversed(self._crossed):
            # The last crossing of each line before that of the next leaves most room for those before it.
            before = [one.at.ticks for one in crossed if one.at.ticks <= latest]
            if not before:
                return []
            latest = max(before)
        if landed.at.ticks - latest > within:
            return []
        for crossed in self._crossed:
            crossed.clear()
        self._landed = None
        at = landed.at
        return [Finding(EventKind.FENCE, at.ticks, at.wall, at.point, direction)]


class DepthWatch:
    """One track at a single line that must be left behind by a depth."""

    __slots__ = ("_crossed", "_deep", "_judge", "_last", "_line")

    def __init__(self, judge: FenceJudge, note: Note) -> None:
        self._judge = judge
        self._line = LineWatch(judge.shapes[0], judge.rule.band, judge.rule.band_px, note)
        self._crossed: Crossing | None = None
        self._last: Sighting | None = None
        self._deep: list[Sighting] = []

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms: two pictures in a row beyond the depth."""
        self._take(self._line.observe(now))
        self._last = now
        crossed, rule = self._crossed, self._judge.rule
        if crossed is None:
            return []
        if now.ticks - crossed.at.ticks > rule.within_s * TIMESCALE:
            self._crossed = None
            return []
        nearest = self._judge.shapes[0].nearest(now.point)
        deep = self._judge.measure.length(nearest, now.point, rule.depth_unit, now.height)
        self._deep = [*self._deep, now] if deep >= rule.depth else []
        return self._found() if len(self._deep) >= CLEAR_PICTURES else []

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        self._take(self._line.lost())
        return self._found() if self._crossed is not None and self._deep else []

    def _take(self, crossing: Crossing | None) -> None:
        if crossing is not None:
            inwards = direction_of(crossing) == self._judge.rule.direction
            self._crossed = crossing if inwards else None
            self._deep = []

    def _found(self) -> list[Finding]:
        at = self._deep[0]
        self._crossed, self._deep = None, []
        return [Finding(EventKind.FENCE, at.ticks, at.wall, at.point, self._judge.rule.direction)]

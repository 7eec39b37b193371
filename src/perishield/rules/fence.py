"""Two lines: outer, then inner, both inwards, within a time.

The lines are watched apart and only the instants of their crossings are compared, so a climber whose foot point rises
on the picture and sinks again may cross the outer line back and forth: what counts is that the last inward crossing of
the outer line came before the inward crossing of the inner one, and not too long before.
"""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.media import TIMESCALE
from perishield.model.rules import Fence
from perishield.rules.line_watch import Crossing, LineShape, LineWatch
from perishield.rules.sighting import Finding, Sighting
from perishield.rules.tripwire import direction_of


class FenceJudge:
    """Judges every track by one fence, on pictures of one size."""

    def __init__(self, rule: Fence, width: int, height: int) -> None:
        self._rule = rule
        self._outer = LineShape(rule.outer, width, height)
        self._inner = LineShape(rule.inner, width, height)

    def watch(self) -> FenceWatch:
        """For a new track."""
        return FenceWatch(self._outer, self._inner, self._rule.direction, round(self._rule.within_s * TIMESCALE))


class FenceWatch:
    """One track at one fence."""

    __slots__ = ("_direction", "_in", "_inner", "_now", "_out", "_outer", "_within")

    def __init__(self, outer: LineShape, inner: LineShape, direction: str, within: int) -> None:
        self._outer = LineWatch(outer)
        self._inner = LineWatch(inner)
        self._direction = direction
        self._within = within
        self._now = 0
        self._out: list[Crossing] = []
        self._in: Crossing | None = None

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms.

        The inner line may be confirmed before the outer one (they are close, or the outer one is the nearer to the
        point of landing), so either order of confirmation is taken; the instants decide.
        """
        self._now = now.ticks
        return self._found(self._outer.observe(now), self._inner.observe(now))

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        return self._found(self._outer.lost(), self._inner.lost())

    def _found(self, outer: Crossing | None, inner: Crossing | None) -> list[Finding]:
        if outer is not None and direction_of(outer) == self._direction:
            self._out.append(outer)
        if inner is not None:
            self._in = inner if direction_of(inner) == self._direction else None
        self._out = [crossing for crossing in self._out if self._now - crossing.at.ticks <= 2 * self._within]
        landed = self._in
        if landed is None:
            return []
        for crossing in reversed(self._out):
            if 0 <= landed.at.ticks - crossing.at.ticks <= self._within:
                self._out.clear()
                self._in = None
                return [Finding(EventKind.FENCE, landed.at.ticks, landed.at.wall, landed.at.point, self._direction)]
        return []

"""A line that nobody may cross in its direction."""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.rules import Tripwire
from perishield.rules.line_watch import Crossing, LineShape, LineWatch
from perishield.rules.sighting import Finding, Sighting


def direction_of(crossing: Crossing) -> str:
    """As rules and events name it."""
    return "left_to_right" if crossing.sign > 0 else "right_to_left"


class TripwireJudge:
    """Judges every track by one tripwire, on pictures of one size."""

    def __init__(self, rule: Tripwire, width: int, height: int) -> None:
        self._direction = rule.direction
        self._shape = LineShape(rule.line, width, height)

    def watch(self) -> TripwireWatch:
        """For a new track."""
        return TripwireWatch(self._shape, self._direction)


class TripwireWatch:
    """One track at one tripwire."""

    __slots__ = ("_direction", "_watch")

    def __init__(self, shape: LineShape, direction: str) -> None:
        self._watch = LineWatch(shape)
        self._direction = direction

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms."""
        return self._found(self._watch.observe(now))

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        return self._found(self._watch.lost())

    def _found(self, crossing: Crossing | None) -> list[Finding]:
        if crossing is None or self._direction not in ("any", direction_of(crossing)):
            return []
        at = crossing.at
        return [Finding(EventKind.TRIPWIRE, at.ticks, at.wall, at.point, direction_of(crossing))]

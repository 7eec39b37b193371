"""A line that nobody may cross in its direction, or whose crossings are counted."""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.rules import LineCount, Tripwire
from perishield.rules.line_watch import Crossing, LineShape, LineWatch
from perishield.rules.sighting import Finding, Note, Sighting, unheard


def direction_of(crossing: Crossing) -> str:
    """As rules and events name it."""
    return "left_to_right" if crossing.sign > 0 else "right_to_left"


class TripwireJudge:
    """Judges every track by one line, on pictures of one size. A line that counts takes both directions."""

    def __init__(self, rule: Tripwire | LineCount, width: int, height: int) -> None:
        self.rule = rule
        self.shape = LineShape(rule.line, width, height)

    def watch(self, note: Note = unheard) -> TripwireWatch:
        """For a new track."""
        return TripwireWatch(self, note)


class TripwireWatch:
    """One track at one line."""

    __slots__ = ("_judge", "_watch")

    def __init__(self, judge: TripwireJudge, note: Note) -> None:
        self._watch = LineWatch(judge.shape, judge.rule.band, judge.rule.band_px, note)
        self._judge = judge

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms."""
        crossing = self._watch.observe(now)
        return self._found(crossing) if crossing is not None else []

    def lost(self) -> list[Finding]:
        """What is to be believed now that the track is out of sight."""
        crossing = self._watch.lost()
        return self._found(crossing) if crossing is not None else []

    def _found(self, crossing: Crossing) -> list[Finding]:
        rule, at, direction = self._judge.rule, crossing.at, direction_of(crossing)
        if isinstance(rule, LineCount):
            return [Finding(EventKind.LINE_COUNT, at.ticks, at.wall, at.point, direction)]
        if rule.direction not in ("any", direction):
            return []
        return [Finding(EventKind.TRIPWIRE, at.ticks, at.wall, at.point, direction)]

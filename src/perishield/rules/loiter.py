"""Who stays too long in a polygon, or too long near one place of it."""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.media import TIMESCALE
from perishield.model.rules import Loiter
from perishield.rules.measure import Measure
from perishield.rules.sighting import Finding, Note, Sighting, unheard
from perishield.rules.stay import Stay
from perishield.rules.zone import Presence, ZoneShape


class LoiterJudge:
    """Judges every track by one polygon, on pictures of one size."""

    def __init__(self, rule: Loiter, width: int, height: int, measure: Measure | None = None) -> None:
        self.rule = rule
        self.measure = measure or Measure(height)
        self.shape = ZoneShape(rule.polygon, width, height)

    def watch(self, note: Note = unheard) -> LoiterWatch:
        """For a new track."""
        return LoiterWatch(self, note)


class LoiterWatch:
    """One track: away, staying (since when and where), absent for a moment (since when)."""

    __slots__ = ("_absent", "_judge", "_presence", "_stay")

    def __init__(self, judge: LoiterJudge, note: Note) -> None:
        self._judge = judge
        self._presence = Presence(judge.shape, judge.rule, note)
        self._stay = Stay()
        self._absent: int | None = None

    def observe(self, now: Sighting) -> list[Finding]:
        """What this picture confirms."""
        rule, presence, stay = self._judge.rule, self._presence, self._stay
        forgiven = rule.forgive_s * TIMESCALE
        last, known = presence.last, presence.inside
        changed = presence.observe(now)
        if changed is not None:
            self._changed(changed)
        elif presence.inside and known is None:
            stay.begin(now)
        if not presence.inside:
            if self._absent is not None and now.ticks - self._absent > forgiven:
                stay.end(now)
                self._absent = None
            return []
        if last is not None and now.ticks - last.ticks > forgiven:
            stay.begin(now)
        since = stay.since
        if since is not None and rule.radius:
            strayed = self._judge.measure.length(since.point, now.point, rule.radius_unit, now.height)
            if strayed > rule.radius:
                stay.begin(now)
        return stay.due(EventKind.LOITER, last, now, rule.stay_s, rule.every_s)

    def lost(self) -> list[Finding]:
        """Nothing fires for who cannot be seen."""
        changed = self._presence.lost()
        if changed is not None:
            self._changed(changed)
        return []

    def _changed(self, at: Sighting) -> None:
        if not self._presence.inside:
            self._absent = at.ticks
            return
        forgiven = self._absent is not None and at.ticks - self._absent <= self._judge.rule.forgive_s * TIMESCALE
        self._absent = None
        if self._stay.since is None or not forgiven:
            self._stay.begin(at)

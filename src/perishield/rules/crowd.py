"""How many are in a polygon at once."""

from __future__ import annotations

from perishield.model.alarms import EventKind
from perishield.model.media import TIMESCALE
from perishield.model.rules import Count
from perishield.rules.sighting import Finding, Member, Sighting
from perishield.rules.stay import Stay
from perishield.rules.zone import Presence, ZoneShape

_BLIND_S = 30.0
"""Nothing is known of a time longer than this without a picture."""


class CountJudge:
    """One count on pictures of one size. Judges whole pictures, not single tracks."""

    def __init__(self, rule: Count, width: int, height: int) -> None:
        self.rule = rule
        self.shape = ZoneShape(rule.polygon, width, height)
        self._presences: dict[int, Presence] = {}
        self._pictures: dict[int, int] = {}
        self._counts: dict[int, bool] = {}
        self._picture = 0
        self._stay = Stay()
        self._last: Sighting | None = None

    def observe(self, ticks: int, wall: float, members: list[Member]) -> list[Finding]:
        """What this picture confirms; `members` were detected in it, wherever they are."""
        rule = self.rule
        now = Sighting(ticks, wall, self.shape.middle(), 0.0)
        last, self._last = self._last, now
        self._picture += 1
        for member in members:
            presence = self._presences.get(member.track)
            if presence is None:
                presence = self._presences[member.track] = Presence(self.shape, rule)
            presence.observe(member.at)
            self._pictures[member.track] = self._picture
            self._counts[member.track] = member.counts
        here = self._here(ticks)
        met = here >= rule.at_least if rule.at_least is not None else here <= (rule.at_most or 0)
        if not met:
            self._stay.end(now)
            return []
        if self._stay.since is None or (last is not None and ticks - last.ticks > _BLIND_S * TIMESCALE):
            self._stay.begin(now)
        left, top, right, bottom = self.shape.box
        return [
            Finding(
                found.kind, found.ticks, found.wall, found.point,
                stayed_s=found.stayed_s, count=here, box=(left, top, right, bottom),
            )
            for found in self._stay.due(EventKind.COUNT, last, now, rule.for_s, rule.every_s)
        ]  # fmt: skip

    def _here(self, ticks: int) -> int:
        """Those inside, detected now, or not so long ago and missed in no more than one picture or two."""
        here = 0
        for track, presence in list(self._presences.items()):
            seen = presence.last
            missed = self._picture - self._pictures[track]
            if seen is None or (ticks - seen.ticks > self.rule.forgive_s * TIMESCALE and missed > 1):
                del self._presences[track], self._pictures[track], self._counts[track]
            elif presence.inside and self._counts[track]:
                here += 1
        return here

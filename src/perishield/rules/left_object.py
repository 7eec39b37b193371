"""Something that stands where nothing stood.

Followed objects that keep still are remembered by their place, since a tracker gives what stands about a new number
whenever somebody has walked before it.
"""

from __future__ import annotations

import math

from perishield.model.alarms import EventKind
from perishield.model.geometry import Box
from perishield.model.media import TIMESCALE
from perishield.model.rules import LeftObject
from perishield.rules.sighting import Finding, Member
from perishield.rules.stay import Stay
from perishield.rules.zone import ZoneShape

_SAME_IOU = 0.4
_REMEMBER_S = 600.0
"""How long the place of what stood from the beginning, or was told, is remembered without being seen."""


class _Place:
    __slots__ = ("box", "height", "hits", "old", "seen", "stay", "track", "x", "y")

    def __init__(self, member: Member, *, old: bool) -> None:
        self.stay = Stay()
        self.stay.begin(member.at)
        self.seen = member.at
        self.track = member.track
        self.old = old
        self.move(member.box)

    def move(self, box: Box) -> None:
        self.box, self.hits = box, 0
        self.x, self.y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        self.height = box[3] - box[1]


class LeftObjectJudge:
    """One zone on pictures of one size. Judges whole pictures, not single tracks."""

    def __init__(self, rule: LeftObject, width: int, height: int) -> None:
        self.rule = rule
        self.shape = ZoneShape(rule.polygon, width, height)
        self._places: list[_Place] = []
        self._start: int | None = None

    def observe(self, ticks: int, wall: float, members: list[Member]) -> list[Finding]:
        """What this picture confirms; `members` were detected in it, wherever they are."""
        if self._start is None:
            self._start = ticks
        found: list[Finding] = []
        for member in members:
            if member.counts and self.shape.inside(member.at.point):
                found += self._stands(member, ticks - self._start <= self.rule.settle_s * TIMESCALE)
        kept = self.rule.forgive_s * TIMESCALE
        kept_old = max(_REMEMBER_S * TIMESCALE, kept)
        self._places = [
            place for place in self._places if ticks - place.seen.ticks <= (kept_old if place.old else kept)
        ]
        return found

    def _stands(self, member: Member, settling: bool) -> list[Finding]:
        rule, now = self.rule, member.at
        place = self._place_of(member)
        if place is None:
            place = _Place(member, old=settling)
            self._places.append(place)
        last, place.seen, place.track = place.seen, now, member.track
        place.hits += 1
        if place.old or place.hits < rule.min_hits:
            return []
        due = place.stay.due(EventKind.LEFT_OBJECT, last, now, rule.stay_s, 0.0)
        place.old = bool(due)
        return [
            Finding(one.kind, one.ticks, one.wall, one.point, stayed_s=one.stayed_s, count=1, box=member.box)
            for one in due
        ]

    def _place_of(self, member: Member) -> _Place | None:
        """The place where this object stands; its own moves along when it walks on."""
        box, still, track = member.box, self.rule.still, member.track
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        own = None
        for place in self._places:
            most = still * place.height
            if (
                -most <= place.x - x <= most
                and math.hypot(place.x - x, place.y - y) <= most
                and _iou(place.box, box) >= _SAME_IOU
            ):
                return place
            if own is None and place.track == track and not place.old:
                own = place
        if own is not None:
            own.move(box)
            own.stay.begin(member.at)
        return own


def _iou(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)

"""What judges a rule of each kind."""

from __future__ import annotations

from typing import Protocol

from perishield.model.rules import Count, Fence, LeftObject, LineCount, Loiter, Rule, Tripwire, WrongWay, Zone
from perishield.rules.crowd import CountJudge
from perishield.rules.fence import FenceJudge
from perishield.rules.left_object import LeftObjectJudge
from perishield.rules.loiter import LoiterJudge
from perishield.rules.measure import Measure
from perishield.rules.sighting import Finding, Member, Note, Sighting
from perishield.rules.tripwire import TripwireJudge
from perishield.rules.wrong_way import WrongWayJudge
from perishield.rules.zone import ZoneJudge


class Watch(Protocol):
    """One track at one rule."""

    def observe(self, now: Sighting) -> list[Finding]: ...

    def lost(self) -> list[Finding]: ...


class TrackJudge(Protocol):
    """One rule on pictures of one size, track by track."""

    def watch(self, note: Note = ...) -> Watch: ...


class SceneJudge(Protocol):
    """One rule on pictures of one size, judging whole pictures."""

    def observe(self, ticks: int, wall: float, members: list[Member]) -> list[Finding]: ...


def track_judge(rule: Rule, width: int, height: int, measure: Measure) -> TrackJudge:
    """Judges one track after the other. `width`, `height`: the picture, in pixels."""
    match rule:
        case Tripwire() | LineCount():
            return TripwireJudge(rule, width, height)
        case Fence():
            return FenceJudge(rule, width, height, measure)
        case Loiter():
            return LoiterJudge(rule, width, height, measure)
        case WrongWay():
            return WrongWayJudge(rule, width, height, measure)
        case Zone():
            return ZoneJudge(rule, width, height)
        case _:
            raise AssertionError(f"{rule.kind} judges whole pictures")


def scene_judge(rule: Rule, width: int, height: int) -> SceneJudge:
    """Judges all tracks of a picture together."""
    if isinstance(rule, Count):
        return CountJudge(rule, width, height)
    if isinstance(rule, LeftObject):
        return LeftObjectJudge(rule, width, height)
    raise AssertionError(f"{rule.kind} judges tracks")

"""Tracks in, events out, by rules that may change at any moment."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from perishield.model.alarms import Event
from perishield.model.media import TIMESCALE
from perishield.model.rules import Fence, Rule, Tripwire, check, rule_to_dict
from perishield.model.vision import MOTION, TrackBox, TrackFrame
from perishield.rules.fence import FenceJudge
from perishield.rules.sighting import Finding, Sighting
from perishield.rules.trail import Trail
from perishield.rules.tripwire import TripwireJudge
from perishield.rules.zone import ZoneJudge

_FORGET_S = 15.0
_LOST_S = 0.4
_WAIT_FOR_HITS_S = 3.0
_LOWEST_LEVEL = 4


class Watch(Protocol):
    """One track at one rule."""

    def observe(self, now: Sighting) -> list[Finding]: ...

    def lost(self) -> list[Finding]: ...


class Judge(Protocol):
    """One rule on pictures of one size."""

    def watch(self) -> Watch: ...


@dataclass(slots=True)
class _Followed:
    """One track of one camera: its trail, and what each rule remembers of it (by rule id)."""

    trail: Trail = field(default_factory=Trail)
    watches: dict[str, Watch] = field(default_factory=dict)
    raised: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[tuple[str, Finding]] = field(default_factory=list)
    present: int = 0
    seen: int = 0
    lost: bool = False


@dataclass(slots=True)
class _Scene:
    """One camera's running video. Another epoch or picture size is another scene."""

    epoch: int
    width: int
    height: int
    ticks: int = -1
    judges: dict[str, Judge] = field(default_factory=dict)
    tracks: dict[int, _Followed] = field(default_factory=dict)


class RuleEngine:
    """Judges the tracks of any number of cameras. Not safe between threads.

    >>> engine = RuleEngine()
    >>> engine.configure([])
    """

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._scenes: dict[str, _Scene] = {}

    def configure(self, rules: Sequence[Rule]) -> None:
        """Judge by these rules from now on.

        What is known of tracks stays for every rule whose geometry and sense are unchanged; a rule that was redrawn
        starts afresh. Raises RuleError, changing nothing, where a rule makes no sense.
        """
        for rule in rules:
            check(rule)
        after = {rule.id: rule for rule in rules if rule.enabled}
        changed = {
            name for name, rule in self._rules.items() if name not in after or _sense(after[name]) != _sense(rule)
        }
        self._rules = after
        for scene in self._scenes.values():
            for name in changed:
                scene.judges.pop(name, None)
                for followed in scene.tracks.values():
                    followed.watches.pop(name, None)
                    followed.waiting = [waiting for waiting in followed.waiting if waiting[0] != name]

    def update(self, frame: TrackFrame) -> list[Event]:
        """The events that this picture confirms.

        Pictures come in order of stream time; one that is not newer than the last is ignored. Boxes that are not
        finite or have no area are ignored too.
        """
        scene = self._scene(frame)
        if scene is None:
            return []
        rules = [rule for rule in self._rules.values() if rule.camera == frame.camera]
        events: list[Event] = []
        for track in frame.tracks:
            if not _usable(track):
                continue
            followed = scene.tracks.setdefault(track.id, _Followed())
            followed.present = frame.stream_time
            # A predicted box proves nothing: only where the object was really seen counts.
            if track.seen:
                events += self._judge(frame, scene, rules, track, followed)
        for number, followed in scene.tracks.items():
            if not followed.lost and frame.stream_time - followed.seen >= _LOST_S * TIMESCALE:
                followed.lost = True
                for name, watch in followed.watches.items():
                    followed.waiting += [(name, finding) for finding in watch.lost()]
                events += self._raise(frame, number, followed)
        self._forget(scene)
        return events

    def _scene(self, frame: TrackFrame) -> _Scene | None:
        if frame.width < 1 or frame.height < 1:
            return None
        scene = self._scenes.get(frame.camera)
        if scene is None or (scene.epoch, scene.width, scene.height) != (frame.epoch, frame.width, frame.height):
            scene = _Scene(frame.epoch, frame.width, frame.height)
            self._scenes[frame.camera] = scene
        if frame.stream_time <= scene.ticks:
            return None
        scene.ticks = frame.stream_time
        return scene

    def _judge(
        self, frame: TrackFrame, scene: _Scene, rules: Iterable[Rule], track: TrackBox, followed: _Followed
    ) -> list[Event]:
        followed.seen, followed.lost = frame.stream_time, False
        sightings = followed.trail.add(track, frame.stream_time, frame.wall, frame.width, frame.height)
        for rule in rules:
            watch = followed.watches.get(rule.id)
            if watch is None:
                watch = followed.watches[rule.id] = self._judge_of(scene, rule).watch()
            followed.waiting += [(rule.id, finding) for finding in watch.observe(sightings[rule.anchor])]
        return self._raise(frame, track.id, followed)

    def _raise(self, frame: TrackFrame, track: int, followed: _Followed) -> list[Event]:
        """Events of the findings whose track counts by now; the others wait a little longer."""
        events = []
        still_waiting = []
        for name, finding in followed.waiting:
            rule = self._rules[name]
            if not _counts(rule, followed.trail):
                if frame.stream_time - finding.ticks <= _WAIT_FOR_HITS_S * TIMESCALE:
                    still_waiting.append((name, finding))
                continue
            last = followed.raised.get((name, finding.kind))
            if last is not None and finding.ticks - last < rule.cooldown_s * TIMESCALE:
                continue
            followed.raised[name, finding.kind] = finding.ticks
            events.append(_event(frame, rule, finding, track, followed.trail))
        followed.waiting = still_waiting
        return events

    def _judge_of(self, scene: _Scene, rule: Rule) -> Judge:
        judge = scene.judges.get(rule.id)
        if judge is None:
            judge = scene.judges[rule.id] = _judge_for(rule, scene.width, scene.height)
        return judge

    def _forget(self, scene: _Scene) -> None:
        oldest = scene.ticks - _FORGET_S * TIMESCALE
        gone = [number for number, followed in scene.tracks.items() if followed.present < oldest]
        for number in gone:
            del scene.tracks[number]


def _judge_for(rule: Rule, width: int, height: int) -> Judge:
    if isinstance(rule, Tripwire):
        return TripwireJudge(rule, width, height)
    if isinstance(rule, Fence):
        return FenceJudge(rule, width, height)
    return ZoneJudge(rule, width, height)


def _sense(rule: Rule) -> Rule:
    """The rule without what may change without starting afresh."""
    return replace(
        rule, name="", level=1, labels=(), min_score=0.0, min_hits=1, cooldown_s=0.0, revision=0, enabled=True
    )


def _usable(track: TrackBox) -> bool:
    x1, y1, x2, y2 = track.box
    return all(map(math.isfinite, track.box)) and x2 > x1 and y2 > y1


def _counts(rule: Rule, trail: Trail) -> bool:
    known = trail.label == MOTION or trail.label in rule.labels
    return known and trail.hits >= rule.min_hits and trail.score >= rule.min_score


def _event(frame: TrackFrame, rule: Rule, finding: Finding, track: int, trail: Trail) -> Event:
    point = (finding.point[0] / frame.width, finding.point[1] / frame.height)
    level = min(rule.level + 1, _LOWEST_LEVEL) if trail.label == MOTION else rule.level
    stood: dict[str, Any] = rule_to_dict(rule)
    return Event(
        id=uuid.uuid4().hex,
        camera=frame.camera,
        epoch=frame.epoch,
        kind=finding.kind,
        rule=stood,
        level=level,
        label=trail.label,
        score=trail.score,
        track=track,
        stream_time=finding.ticks,
        wall=finding.wall,
        arrival=frame.arrival,
        point=point,
        direction=finding.direction,
        box=trail.box,
        path=trail.path(rule.anchor, finding.ticks, point),
        detector=frame.detector,
    )

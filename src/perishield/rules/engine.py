"""Tracks in, events out, by rules that may change at any moment."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from perishield.model.alarms import Event, EventKind
from perishield.model.media import TIMESCALE
from perishield.model.rule_state import RuleState
from perishield.model.rules import (
    Anchor,
    Count,
    LeftObject,
    LineCount,
    Rule,
    check,
)
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.company import ALONG, came_along
from perishield.rules.desk import Desk
from perishield.rules.explain import around, scene_event, track_event, with_totals
from perishield.rules.judges import SceneJudge, TrackJudge, Watch, scene_judge, track_judge
from perishield.rules.measure import Measure, Survey
from perishield.rules.sighting import Finding, Member, Note, Sighting
from perishield.rules.trail import Trail
from perishield.rules.verdict import Size, limits, patience, size_of

_FORGET_S = 15.0
_LOST_S = 0.4
_WAIT_FOR_HITS_S = 3.0
_REDRAWN = (
    "camera", "kind", "anchor", "band", "band_px", "direction", "line", "polygon", "outer", "inner", "between", "way",
)  # fmt: skip
"""What makes a rule another one; all else may change while it knows what it knows."""


@dataclass(slots=True)
class _Waiting:
    """A finding whose track does not count yet. `size` is how big and fast it was when the finding was made."""

    desk: Desk
    finding: Finding
    size: Size


@dataclass(slots=True)
class _Followed:
    """One track of one camera: its trail, and what each rule remembers of it (by rule id)."""

    trail: Trail = field(default_factory=Trail)
    judges: list[tuple[Desk, TrackJudge]] | None = None
    """Those whom `observers` belong to."""
    observers: list[tuple[Desk, Anchor, Callable[[Sighting], list[Finding]]]] = field(default_factory=list)
    watches: dict[str, Watch] = field(default_factory=dict)
    raised: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[_Waiting] = field(default_factory=list)
    present: int = 0
    seen: int = 0
    lost: bool = False
    adopted: bool = False
    """What hid it has been asked for the way so far."""


@dataclass(slots=True)
class _Scene:
    """One camera's running video. Another epoch or picture size is another scene."""

    epoch: int
    width: int
    height: int
    measure: Measure
    ticks: int = -1
    pictures: int = 0
    judges: list[tuple[Desk, TrackJudge]] | None = None
    """Of the rules that judge tracks; None: to be gathered anew."""
    track_judges: dict[str, TrackJudge] = field(default_factory=dict)
    scene_judges: dict[str, SceneJudge] = field(default_factory=dict)
    tracks: dict[int, _Followed] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """Ticks at which counts were last told at an interval, by rule."""


class RuleEngine:
    """Judges the tracks of any number of cameras. Not safe between threads.

    >>> engine = RuleEngine()
    >>> engine.configure([])
    """

    def __init__(self) -> None:
        self._desks: dict[str, Desk] = {}
        self._cameras: dict[str, list[Desk]] = {}
        self._scenes: dict[str, _Scene] = {}
        self._surveys: dict[str, Survey] = {}

    def configure(self, rules: Sequence[Rule]) -> None:
        """Judge by these rules from now on.

        What is known of tracks stays for every rule that was not redrawn; one that was starts afresh. Raises
        RuleError, changing nothing, where a rule makes no sense.
        """
        for rule in rules:
            check(rule)
        before, self._desks = self._desks, {}
        changed = set(before)
        for rule in rules:
            if not rule.enabled:
                continue
            desk = before.get(rule.id)
            if desk is None:
                desk = Desk(rule)
            elif _sense(desk.rule) == _sense(rule):
                desk.take(rule)
                changed.discard(rule.id)
            else:
                desk.take(rule)
                desk.restart()
            self._desks[rule.id] = desk
        self._cameras = {}
        for desk in self._desks.values():
            self._cameras.setdefault(desk.rule.camera, []).append(desk)
        for scene in self._scenes.values():
            scene.judges = None
            for name in changed:
                scene.track_judges.pop(name, None)
                scene.scene_judges.pop(name, None)
                scene.told.pop(name, None)
                for followed in scene.tracks.values():
                    followed.watches.pop(name, None)
                    followed.waiting = [one for one in followed.waiting if one.desk.rule.id != name]
            for judge in (*scene.track_judges.items(), *scene.scene_judges.items()):
                judge[1].rule = self._desks[judge[0]].rule  # type: ignore[attr-defined]

    def calibrate(self, surveys: Mapping[str, Survey]) -> None:
        """The ground of calibrated cameras, by camera; a camera whose ground changed starts afresh."""
        for camera in self._surveys.keys() | surveys.keys():
            if self._surveys.get(camera) != surveys.get(camera):
                self._scenes.pop(camera, None)
        self._surveys = dict(surveys)

    def suppressed(self, rule: str) -> Counter[str]:
        """Why this rule kept silent, by reason (see RuleState)."""
        desk = self._desks.get(rule)
        return Counter(desk.suppressed) if desk is not None else Counter()

    def states(self) -> list[RuleState]:
        """How every rule does."""
        return [desk.state() for desk in self._desks.values()]

    def update(self, frame: TrackFrame) -> list[Event]:
        """The events that this picture confirms.

        Pictures come in order of stream time; one that is not newer than the last is ignored. Boxes that are not
        finite or have no area are ignored too.
        """
        scene = self._scene(frame)
        if scene is None:
            return []
        desks = self._cameras.get(frame.camera, [])
        for desk in desks:
            if not desk.since:
                desk.since = frame.wall
        if scene.judges is None:
            scene.judges = [(desk, self._track_judge(scene, desk.rule)) for desk in desks if not _whole(desk.rule)]
        events: list[Event] = []
        seen: list[tuple[int, _Followed]] = []
        for track in frame.tracks:
            if not _usable(track):
                continue
            followed = scene.tracks.get(track.id)
            if followed is None:
                followed = scene.tracks[track.id] = _Followed()
            followed.present = frame.stream_time
            # A predicted box proves nothing: only where the object was really seen counts.
            if track.seen:
                self._judge(frame, scene, scene.judges, track, followed)
                if track.parent and not followed.adopted:
                    self._adopt(frame, scene, scene.judges, scene.tracks.get(track.parent), followed)
                seen.append((track.id, followed))
                if followed.waiting:
                    events += self._raise(frame, scene, track.id, followed)
        for number, followed in scene.tracks.items():
            if not followed.lost and frame.stream_time - followed.seen >= _LOST_S * TIMESCALE:
                followed.lost = True
                for name, watch in followed.watches.items():
                    self._wait(scene, followed, self._desks[name], watch.lost())
                events += self._raise(frame, scene, number, followed)
            elif followed.lost and followed.waiting:
                events += self._raise(frame, scene, number, followed)
        for desk in desks:
            if _whole(desk.rule):
                events += self._judge_whole(frame, scene, desk, seen)
            elif isinstance(desk.rule, LineCount) and desk.rule.every_s:
                events += self._tell_totals(frame, scene, desk)
        self._forget(scene)
        return events

    def _scene(self, frame: TrackFrame) -> _Scene | None:
        if frame.width < 1 or frame.height < 1:
            return None
        scene = self._scenes.get(frame.camera)
        if scene is None or (scene.epoch, scene.width, scene.height) != (frame.epoch, frame.width, frame.height):
            survey = self._surveys.get(frame.camera)
            ground = survey(frame.width, frame.height) if survey is not None else None
            scene = _Scene(frame.epoch, frame.width, frame.height, Measure(frame.height, ground))
            self._scenes[frame.camera] = scene
        if frame.stream_time <= scene.ticks:
            return None
        scene.ticks = frame.stream_time
        scene.pictures += 1
        return scene

    def _judge(
        self,
        frame: TrackFrame,
        scene: _Scene,
        judges: list[tuple[Desk, TrackJudge]],
        track: TrackBox,
        followed: _Followed,
    ) -> None:
        followed.seen, followed.lost = frame.stream_time, False
        trail = followed.trail
        sightings = trail.add(track, frame.stream_time, frame.wall, frame.width, frame.height, scene.pictures)
        if followed.judges is not judges:
            _gather(followed, judges)
        for desk, anchor, observe in followed.observers:
            found = observe(sightings[anchor])
            if found:
                self._wait(scene, followed, desk, found)

    def _adopt(
        self,
        frame: TrackFrame,
        scene: _Scene,
        judges: list[tuple[Desk, TrackJudge]],
        parent: _Followed | None,
        followed: _Followed,
    ) -> None:
        """Somebody stepped out from behind another: lines that this one crossed until then he has crossed too."""
        followed.adopted = True
        if parent is None:
            return
        followed.trail.came_with(parent.trail)
        known = {name for name, _ in followed.raised} | {one.desk.rule.id for one in followed.waiting}
        for desk, judge in judges:
            if isinstance(desk.rule, ALONG):
                watch = followed.watches[desk.rule.id] = judge.watch(_note(desk))
                found = came_along(desk.rule, watch, followed.trail, frame)
                if desk.rule.id not in known:
                    self._wait(scene, followed, desk, found)
        followed.judges = None

    def _wait(self, scene: _Scene, followed: _Followed, desk: Desk, found: list[Finding]) -> None:
        """Judge size and speed as they are now; the rest may still come."""
        for finding in found:
            size = size_of(desk.rule, followed.trail, scene.width, scene.measure)
            reason, doubts = limits(desk.rule, size)
            if reason:
                desk.suppressed[reason] += 1
            else:
                followed.waiting.append(_Waiting(desk, replace(finding, doubts=doubts) if doubts else finding, size))

    def _raise(self, frame: TrackFrame, scene: _Scene, track: int, followed: _Followed) -> list[Event]:
        """Events of the findings whose track counts by now; the others wait a little longer."""
        events = []
        still_waiting = []
        for one in followed.waiting:
            desk, finding, rule = one.desk, one.finding, one.desk.rule
            lacks = patience(rule, followed.trail, scene.pictures)
            if lacks:
                if frame.stream_time - finding.ticks <= _WAIT_FOR_HITS_S * TIMESCALE:
                    still_waiting.append(one)
                else:
                    desk.suppressed[lacks] += 1
                continue
            reason = desk.silent(finding.wall)
            counted = finding.kind is EventKind.LINE_COUNT
            if not reason and not counted:
                last = followed.raised.get((rule.id, finding.kind))
                if last is not None and finding.ticks - last < rule.cooldown_s * TIMESCALE:
                    reason = "cooldown"
                elif desk.cooling(finding.wall):
                    reason = "rule_cooldown"
            if reason:
                desk.suppressed[reason] += 1
                continue
            event = desk.judge(track_event(frame, rule, finding, one.size, track, followed.trail, scene.pictures))
            if event is None:
                continue
            if counted:
                total = desk.count(finding.direction)
                each = getattr(rule, "each", 0)
                if not (each and total and total % each == 0):
                    continue
                event = with_totals(event, desk.totals, total)
            followed.raised[rule.id, finding.kind] = finding.ticks
            desk.tell(event)
            events.append(event)
        followed.waiting = still_waiting
        return events

    def _judge_whole(
        self, frame: TrackFrame, scene: _Scene, desk: Desk, seen: list[tuple[int, _Followed]]
    ) -> list[Event]:
        rule = desk.rule
        members = []
        for number, followed in seen:
            trail = followed.trail
            at = trail.at[rule.anchor]
            counts = not patience(rule, trail, scene.pictures)
            if counts and (rule.min_height or rule.max_height or rule.min_speed or rule.max_speed):
                counts = not limits(rule, size_of(rule, trail, scene.width, scene.measure))[0]
            members.append(Member(number, at, trail.pixels, counts))
        scores = [followed.trail.score for (_, followed), member in zip(seen, members, strict=True) if member.counts]
        judge = scene.scene_judges.get(rule.id)
        if judge is None:
            judge = scene.scene_judges[rule.id] = scene_judge(rule, scene.width, scene.height)
        events = []
        for finding in judge.observe(frame.stream_time, frame.wall, members):
            reason = desk.silent(finding.wall) or ("rule_cooldown" if desk.cooling(finding.wall) else "")
            if reason:
                desk.suppressed[reason] += 1
                continue
            event = desk.judge(scene_event(frame, rule, finding, max(scores, default=0.0)))
            if event is not None:
                desk.tell(event)
                events.append(event)
        return events

    def _tell_totals(self, frame: TrackFrame, scene: _Scene, desk: Desk) -> list[Event]:
        rule = desk.rule
        every = round(getattr(rule, "every_s", 0.0) * TIMESCALE)
        due = scene.told.setdefault(rule.id, frame.stream_time) + every
        if frame.stream_time < due:
            return []
        due += (frame.stream_time - due) // every * every
        scene.told[rule.id] = due
        wall = frame.wall - (frame.stream_time - due) / TIMESCALE
        if reason := desk.silent(wall):
            desk.suppressed[reason] += 1
            return []
        line = getattr(rule, "line", ((0.5, 0.5), (0.5, 0.5)))
        a, b = line[0], line[1]
        point = ((a[0] + b[0]) / 2 * scene.width, (a[1] + b[1]) / 2 * scene.height)
        finding = Finding(EventKind.LINE_COUNT, due, wall, point, box=around(line, scene.width, scene.height))
        event = desk.judge(with_totals(scene_event(frame, rule, finding, 0.0), desk.totals, sum(desk.totals)))
        if event is None:
            return []
        desk.tell(event)
        return [event]

    def _track_judge(self, scene: _Scene, rule: Rule) -> TrackJudge:
        judge = scene.track_judges.get(rule.id)
        if judge is None:
            judge = scene.track_judges[rule.id] = track_judge(rule, scene.width, scene.height, scene.measure)
        return judge

    def _forget(self, scene: _Scene) -> None:
        oldest = scene.ticks - _FORGET_S * TIMESCALE
        gone = [number for number, followed in scene.tracks.items() if followed.present < oldest]
        for number in gone:
            del scene.tracks[number]


def _gather(followed: _Followed, judges: list[tuple[Desk, TrackJudge]]) -> None:
    """What each rule has observe this track, begun where it is new."""
    followed.judges, followed.observers = judges, []
    for desk, judge in judges:
        rule = desk.rule
        watch = followed.watches.get(rule.id)
        if watch is None:
            watch = followed.watches[rule.id] = judge.watch(_note(desk))
        followed.observers.append((desk, rule.anchor, watch.observe))


def _whole(rule: Rule) -> bool:
    return isinstance(rule, Count | LeftObject)


def _note(desk: Desk) -> Note:
    def note(reason: str, /) -> None:
        desk.suppressed[reason] += 1

    return note


def _sense(rule: Rule) -> tuple[object, ...]:
    """What makes the rule this one."""
    return tuple(getattr(rule, name, None) for name in _REDRAWN)


def _usable(track: TrackBox) -> bool:
    x1, y1, x2, y2 = track.box
    return all(map(math.isfinite, track.box)) and x2 > x1 and y2 > y1

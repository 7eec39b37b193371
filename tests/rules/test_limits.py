"""Size, speed, evidence, arming, cool-down of the rule, one shot, conditions: what lets a finding out, and why not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pytest

from perishield.model.alarms import Event
from perishield.model.errors import RuleError
from perishield.model.geometry import Point
from perishield.model.remarks import Remark
from perishield.model.rules import Fence, LineCount, Loiter, Tripwire, WrongWay, check, in_metres, rule_from_dict
from perishield.model.schedule import Hours, Schedule
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.rules.verdict import UNKNOWN_HEIGHT

Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]


def wire(**changes: object) -> Tripwire:
    values: dict[str, object] = {"id": "w", "camera": "yard", "name": "wire", "line": ((0.5, 0.2), (0.5, 0.8))}
    return Tripwire(**(values | changes))  # type: ignore[arg-type]


class Flat:
    """Ten pixels to the metre, wherever one looks."""

    def project(self, points: Sequence[Point]) -> list[Point]:
        return [(x / 10, y / 10) for x, y in points]

    def scale_at(self, point: Point) -> float:
        return 0.1

    def valid(self, point: Point) -> bool:
        return True


def flat(_width: int, _height: int) -> Flat:
    return Flat()


def cross(
    engine: RuleEngine, frames: Frames, tracks: Tracks, *, start: float = 0.0, track: int = 1, **changes: object
) -> list[Event]:
    """Somebody 100 pixels high walks over x 500 at 100 pixels a second."""
    return [
        event
        for index in range(40)
        for event in engine.update(
            frames(start + index / 10, tracks((300.5 + 10 * index, 500), index + 1, id=track, **changes))
        )
    ]


def engine_of(*rules: Tripwire | Fence | LineCount) -> RuleEngine:
    engine = RuleEngine()
    engine.configure(rules)
    return engine


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"min_height": 0.11}, "size"),
        ({"max_height": 0.09}, "size"),
        ({"min_height": 99, "max_height": 101, "height_unit": "px"}, ""),
        ({"min_height": 101, "height_unit": "px"}, "size"),
        ({"min_speed": 1.1}, "speed"),
        ({"max_speed": 0.9}, "speed"),
        ({"min_speed": 0.9, "max_speed": 1.1}, ""),
        ({"min_score": 0.9}, "score"),
        ({"min_hits": 100}, "evidence"),
        ({"labels": ("car",)}, "label"),
        ({"arming": "disarmed"}, "disarmed"),
        ({"condition": "score > 0.9"}, "condition"),
        ({"condition": "score > 0.5 && direction == 'right_to_left'"}, ""),
    ],
)
def test_what_does_not_count_is_counted_by_its_reason(
    frames: Frames, tracks: Tracks, limits: dict[str, object], reason: str
) -> None:
    engine = engine_of(wire(**limits))
    events = cross(engine, frames, tracks)
    # A finding waits 3 s for what may still come.
    events += engine.update(frames(9.0))
    assert len(events) == (0 if reason else 1)
    assert engine.suppressed("w") == ({reason: 1} if reason else {})


def test_metres_are_measured_where_the_ground_is_calibrated(frames: Frames, tracks: Tracks) -> None:
    tall = wire(min_height=9.5, max_height=10.5, height_unit="m", min_speed=9.5, max_speed=10.5, speed_unit="m")
    engine = engine_of(tall)
    engine.calibrate({"yard": flat})
    (event,) = cross(engine, frames, tracks)
    assert event.height_m == pytest.approx(10)
    assert event.speed_mps == pytest.approx(10, rel=0.05)
    assert event.doubts == ()
    engine = engine_of(wire(min_height=11, height_unit="m"))
    engine.calibrate({"yard": flat})
    assert cross(engine, frames, tracks) == []


def test_metres_that_cannot_be_told_silence_nobody(frames: Frames, tracks: Tracks) -> None:
    (event,) = cross(engine_of(wire(min_height=50, height_unit="m")), frames, tracks)
    assert event.doubts == (UNKNOWN_HEIGHT,)
    (event,) = cross(engine_of(wire(condition="speed_mps > 1.0")), frames, tracks)
    (doubt,) = event.remarks
    assert doubt.code == "condition_failed"
    assert doubt.text == f"condition: {doubt.params['detail']}"


def test_the_event_explains_itself(frames: Frames, tracks: Tracks) -> None:
    (event,) = cross(engine_of(wire(min_score=0.3, condition="speed > 0.1")), frames, tracks)
    assert event.height == pytest.approx(0.1)
    assert event.speed == pytest.approx(1.0, abs=0.05)
    assert event.scores == pytest.approx((0.8, 0.8, 0.8))
    assert event.evidence[0] == event.evidence[1] > 20
    assert event.weighed == ("label", "evidence", "score", "arming", "cooldown", "condition")


def test_the_event_tells_what_the_detector_said_of_who_creeps(frames: Frames, tracks: Tracks) -> None:
    (event,) = cross(engine_of(wire()), frames, tracks, said="horse")
    assert event.label == "person"
    assert event.doubts == (Remark("label_too", "label: the detector said horse too", {"label": "horse"}),)


def test_evidence_may_be_asked_of_the_last_pictures(frames: Frames, tracks: Tracks) -> None:
    for every, told in ((1, 1), (4, 0)):
        engine = engine_of(wire(min_hits=6, of_pictures=10))
        events = []
        for index in range(80):
            seen = index % every == 0
            boxes = [tracks((300.5 + 5 * index, 500), index + 1)] if seen else []
            events += engine.update(frames(index / 10, *boxes))
        assert len(events) == told


def test_arming_changes_in_a_moment_and_keeps_the_tracks(frames: Frames, tracks: Tracks) -> None:
    engine = engine_of(wire(arming="disarmed"))
    events = []
    for index in range(40):
        if index == 21:
            engine.configure([wire(arming="armed")])
        events += engine.update(frames(index / 10, tracks((300.5 + 10 * index, 500), index + 1)))
    assert len(events) == 1


def test_a_schedule_goes_by_the_moment_of_the_crossing(frames: Frames, tracks: Tracks) -> None:
    at = dt.datetime.fromtimestamp(1_000_002, dt.UTC)
    minute = at.hour * 60 + at.minute
    now = Schedule(windows=(Hours(days=(at.weekday(),), start=minute, end=minute + 1),))
    later = Schedule(windows=(Hours(days=(at.weekday(),), start=minute + 1, end=minute + 2),))
    assert len(cross(engine_of(wire(schedule=now)), frames, tracks)) == 1
    engine = engine_of(wire(schedule=later))
    assert cross(engine, frames, tracks) == []
    assert engine.suppressed("w") == {"schedule": 1}
    assert len(cross(engine_of(wire(schedule=later, arming="armed")), frames, tracks)) == 1


def test_one_shot_waits_to_be_armed_anew(frames: Frames, tracks: Tracks) -> None:
    engine = engine_of(wire(one_shot=True))
    assert len(cross(engine, frames, tracks)) == 1
    assert engine.states()[0].spent
    assert cross(engine, frames, tracks, start=10, track=2) == []
    engine.configure([wire(one_shot=True, rearmed=5.0)])
    assert len(cross(engine, frames, tracks, start=20, track=3)) == 1
    assert engine.suppressed("w") == {"one_shot": 1}


def test_one_shot_arms_itself_after_a_time(frames: Frames, tracks: Tracks) -> None:
    engine = engine_of(wire(one_shot=True, rearm_after_s=15))
    told = [len(cross(engine, frames, tracks, start=10 * number, track=number)) for number in range(4)]
    assert told == [1, 0, 1, 0]


def test_the_rules_own_cooldown_is_for_all_tracks(frames: Frames, tracks: Tracks) -> None:
    engine = engine_of(wire(rule_cooldown_s=15))
    told = [len(cross(engine, frames, tracks, start=10 * number, track=number)) for number in range(4)]
    assert told == [1, 0, 1, 0]
    assert engine.suppressed("w") == {"rule_cooldown": 2}


def test_jitter_is_counted_as_such(frames: Frames, tracks: Tracks) -> None:
    engine = engine_of(wire())
    for index in range(30):
        x = 400 + 10 * index if index < 10 else 500 + (3 if index % 2 else -3)
        engine.update(frames(index / 10, tracks((x, 500), index + 1)))
    engine.update(frames(9.0))
    assert engine.suppressed("w") == {"band": 1}


def test_a_wider_band_asks_for_more(frames: Frames, tracks: Tracks) -> None:
    way = [400 + 5 * step for step in range(25)] + [520] * 5
    for band, told in ((0.06, 1), (0.3, 0)):
        engine = engine_of(wire(band=band))
        events = [
            event
            for index, x in enumerate(way)
            for event in engine.update(frames(index / 10, tracks((x, 500), index + 1)))
        ]
        assert len(events) == told


def test_crossings_are_counted_by_direction(frames: Frames, tracks: Tracks) -> None:
    rule = LineCount(id="n", camera="yard", name="n", line=((0.5, 0.2), (0.5, 0.8)), each=3)
    engine = engine_of(rule)
    told = [cross(engine, frames, tracks, start=10 * number, track=number) for number in range(7)]
    assert [len(events) for events in told] == [0, 0, 1, 0, 0, 1, 0]
    assert told[5][0].totals == (0, 6)
    assert told[5][0].count == 6
    assert (engine.states()[0].left_to_right, engine.states()[0].right_to_left) == (0, 7)


def test_totals_are_told_at_the_interval(frames: Frames, tracks: Tracks) -> None:
    rule = LineCount(id="n", camera="yard", name="n", line=((0.5, 0.2), (0.5, 0.8)), every_s=10, cooldown_s=600)
    engine = engine_of(rule)
    events = [event for number in range(4) for event in cross(engine, frames, tracks, start=10 * number, track=number)]
    assert [(event.totals, event.track) for event in events] == [((0, 1), -1), ((0, 2), -1), ((0, 3), -1)]
    assert [event.wall for event in events] == pytest.approx([1_000_010, 1_000_020, 1_000_030])


def fence(**changes: object) -> Fence:
    values: dict[str, object] = {
        "id": "f",
        "camera": "yard",
        "name": "f",
        "outer": ((0.4, 0.2), (0.4, 0.8)),
        "direction": "right_to_left",
    }
    return Fence(**(values | changes))  # type: ignore[arg-type]


def test_a_fence_may_go_by_depth(frames: Frames, tracks: Tracks) -> None:
    (event,) = cross(engine_of(fence(depth=1.5)), frames, tracks)
    assert event.point[0] == pytest.approx(0.55, abs=0.011)
    assert cross(engine_of(fence(depth=4.0)), frames, tracks) == []
    assert cross(engine_of(fence(depth=1.5, direction="left_to_right")), frames, tracks) == []
    assert cross(engine_of(fence(depth=1.5, within_s=1.0)), frames, tracks) == []
    engine = engine_of(fence(depth=15, depth_unit="m"))
    engine.calibrate({"yard": flat})
    assert len(cross(engine, frames, tracks)) == 1


def test_a_fence_may_have_lines_in_between(frames: Frames, tracks: Tracks) -> None:
    inner, on_the_way, aside = ((0.6, 0.2), (0.6, 0.8)), ((0.5, 0.2), (0.5, 0.8)), ((0.5, 0.6), (0.5, 0.8))
    assert len(cross(engine_of(fence(inner=inner, between=(on_the_way,))), frames, tracks)) == 1
    assert cross(engine_of(fence(inner=inner, between=(aside,))), frames, tracks) == []
    assert cross(engine_of(fence(inner=on_the_way, between=(inner,))), frames, tracks) == []


def test_metres_are_named_by_their_field() -> None:
    assert in_metres(wire(height_unit="m")) == ""
    assert in_metres(wire(height_unit="m", max_height=2)) == "max_height"
    assert in_metres(wire(speed_unit="m", min_speed=2)) == "min_speed"
    assert in_metres(fence(depth=2, depth_unit="m")) == "depth"
    square = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
    assert in_metres(Loiter(id="l", camera="y", name="l", polygon=square, radius=2, radius_unit="m")) == "radius"
    way = WrongWay(id="l", camera="y", name="l", polygon=square, way=((0, 0), (1, 1)), distance_unit="m")
    assert in_metres(way) == "distance"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"min_height": 0.5, "max_height": 0.4}, "max_height"),
        ({"min_height": 2}, "min_height"),
        ({"of_pictures": 2}, "of_pictures"),
        ({"band": 2}, "band"),
        ({"condition": "x" * 501}, "condition"),
        ({"rearm_after_s": -1}, "rearm_after_s"),
        ({"labels": ("",)}, "labels"),
    ],
)
def test_limits_that_make_no_sense_are_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(RuleError) as refused:
        check(wire(**change))
    assert refused.value.params["field"] == field


def test_a_field_that_there_is_not_or_of_another_type_is_named() -> None:
    data = {"kind": "tripwire", "id": "w", "camera": "yard", "name": "w", "line": [[0, 0], [1, 1]]}
    assert rule_from_dict(data) == Tripwire(id="w", camera="yard", name="w", line=((0, 0), (1, 1)))
    for change, field in (({"lines": []}, "lines"), ({"level": "high"}, "level"), ({"line": [[0], [1]]}, "line")):
        with pytest.raises(RuleError) as refused:
            rule_from_dict(data | change)
        assert refused.value.params["field"] == field

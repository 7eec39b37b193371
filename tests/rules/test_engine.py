from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.alarms import Event
from perishield.model.errors import RuleError
from perishield.model.rules import (
    Count,
    Fence,
    LeftObject,
    LineCount,
    Loiter,
    Tripwire,
    WrongWay,
    Zone,
    rule_from_dict,
)
from perishield.model.schedule import Hours, Schedule
from perishield.model.vision import MOTION, TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
OVER = [(300, 500), (700, 500)]


def wire(**changes: object) -> Tripwire:
    values: dict[str, object] = {"id": "w", "camera": "yard", "name": "wire", "line": ((0.5, 0.2), (0.5, 0.8))}
    return Tripwire(**(values | changes))  # type: ignore[arg-type]


def test_the_event_carries_the_rule_as_it_stood(walk: Walk) -> None:
    (event,) = walk(wire(level=3, name="north"), OVER)
    assert rule_from_dict(event.rule) == wire(level=3, name="north")


def test_other_classes_cameras_and_disabled_rules_are_left_alone(walk: Walk) -> None:
    assert walk(wire(), OVER, label="dog") == []
    assert len(walk(wire(labels=("dog",)), OVER, label="dog")) == 1
    assert walk(wire(camera="gate"), OVER) == []
    assert walk(wire(enabled=False), OVER) == []


@pytest.mark.parametrize(("level", "lowered"), [(1, 2), (3, 4), (4, 4)])
def test_motion_is_judged_by_every_rule_one_level_lower(walk: Walk, level: int, lowered: int) -> None:
    (event,) = walk(wire(level=level), OVER, label=MOTION)
    assert (event.level, event.label) == (lowered, MOTION)


def test_the_median_score_must_reach_the_least(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire(min_score=0.5)])
    for index in range(40):
        score = 0.9 if index % 10 == 0 else 0.4
        assert engine.update(frames(index / 10, tracks((300 + 10 * index, 500), index + 1, score=score))) == []


def test_a_crossing_waits_until_the_track_counts(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire(min_hits=8)])
    raised = {}
    for index in range(20):
        for event in engine.update(frames(index / 10, tracks((470 + 10 * index, 500), index + 1))):
            raised[index] = event
    assert list(raised) == [7]
    assert raised[7].wall == pytest.approx(1_000_000.3)


def test_cooldown_holds_per_track_and_rule(walk: Walk) -> None:
    back_and_forth = [(400, 500), (600, 500), (400, 500), (600, 500)]
    assert len(walk(wire(cooldown_s=0), back_and_forth)) == 3
    assert len(walk(wire(cooldown_s=4), back_and_forth)) == 2
    assert len(walk(wire(cooldown_s=60), back_and_forth)) == 1
    assert len(walk([wire(cooldown_s=60), wire(id="other", cooldown_s=60)], OVER)) == 2


def test_tracks_are_judged_apart(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    events = []
    for index in range(40):
        there, back = tracks((300 + 10 * index, 500), index + 1), tracks((700 - 10 * index, 400), index + 1, id=2)
        events += engine.update(frames(index / 10, there, back))
    assert {(event.track, event.direction) for event in events} == {(1, "right_to_left"), (2, "left_to_right")}


def crossing_events(engine: RuleEngine, frames: Frames, tracks: Tracks, between: Callable[[], None]) -> int:
    count = 0
    for index in range(40):
        if index == 20:
            between()
        count += len(engine.update(frames(index / 10, tracks((300.5 + 10 * index, 500), index + 1))))
    return count


def test_rules_change_while_running_and_unchanged_ones_keep_what_they_know(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    other = Zone(id="z", camera="yard", name="z", polygon=((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)))
    renamed = wire(name="renamed", level=1, revision=7)
    assert crossing_events(engine, frames, tracks, lambda: engine.configure([other, renamed])) == 1


def test_other_hours_count_at_once_and_leave_what_is_known(frames: Frames, tracks: Tracks) -> None:
    always, never = Schedule(windows=(Hours(days=tuple(range(7))),)), Schedule(windows=(Hours(days=(1,)),))
    # They walk on Monday, 12 January 1970.
    engine = RuleEngine()
    engine.configure([wire(schedule=never)])
    assert crossing_events(engine, frames, tracks, lambda: None) == 0
    engine = RuleEngine()
    engine.configure([wire(schedule=never)])
    assert crossing_events(engine, frames, tracks, lambda: engine.configure([wire(schedule=always)])) == 1


def test_a_redrawn_rule_starts_afresh(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    # At that moment the track stands where the new line is: nobody can say from which side it came.
    redrawn = replace(wire(), line=((0.502, 0.2), (0.502, 0.8)))
    assert crossing_events(engine, frames, tracks, lambda: engine.configure([redrawn])) == 0
    engine = RuleEngine()
    engine.configure([wire()])
    assert crossing_events(engine, frames, tracks, lambda: engine.configure([])) == 0


def test_a_rule_that_makes_no_sense_changes_nothing(walk: Walk) -> None:
    engine = RuleEngine()
    with pytest.raises(RuleError):
        engine.configure([wire(), wire(id="bad", level=9)])
    assert engine.update(TrackFrame(**_empty())) == []


def _empty(**changes: object) -> dict[str, object]:
    return {
        "camera": "yard",
        "epoch": 1,
        "stream_time": 0,
        "wall": 0.0,
        "arrival": 0.0,
        "width": 0,
        "height": 0,
        "tracks": (),
    } | changes


@pytest.mark.parametrize("change", [{"epoch": 2}, {"size": 500}])
def test_another_epoch_or_picture_size_starts_afresh(frames: Frames, tracks: Tracks, change: dict[str, int]) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    for index in range(20):
        engine.update(frames(index / 10, tracks((300 + 10 * index, 500), index + 1)))
    for index in range(20, 40):
        assert engine.update(frames(index / 10, tracks((600, 300), index + 1), **change)) == []


def test_pictures_that_come_twice_or_late_are_ignored(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire(cooldown_s=0)])
    pictures = [frames(index / 10, tracks((300 + 10 * index, 500), index + 1)) for index in range(40)]
    events = [event for picture in pictures for event in (*engine.update(picture), *engine.update(picture))]
    events += [event for picture in pictures for event in engine.update(picture)]
    assert len(events) == 1


def test_a_track_gone_for_long_is_forgotten(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    for index in range(10):
        engine.update(frames(index / 10, tracks((400, 500), index + 1)))
    engine.update(frames(60.0))
    for index in range(10):
        assert engine.update(frames(61 + index / 10, tracks((600, 500), 10 + index))) == []


_odd = st.floats(allow_nan=True, allow_infinity=True)
Row = tuple[int, tuple[float, ...], float, bool]
_boxes = st.tuples(_odd, _odd, _odd, _odd)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), _boxes, _odd, st.booleans()), max_size=4),
            st.integers(-5, 10**6),
            st.sampled_from([0, 1, 640]),
        ),
        max_size=12,
    )
)
def test_no_input_breaks_the_engine(
    pictures: list[tuple[list[tuple[int, tuple[float, ...], float, bool]], int, int]],
) -> None:
    engine = RuleEngine()
    rules = [
        wire(min_hits=1),
        Zone(id="z", camera="yard", name="z", polygon=((0, 0), (1, 0), (1, 1), (0, 1)), on=("enter", "exit")),
        Fence(id="f", camera="yard", name="f", outer=((0.3, 0), (0.3, 1)), inner=((0.6, 0), (0.6, 1))),
        Fence(id="d", camera="yard", name="d", outer=((0.3, 0), (0.3, 1)), depth=0.1, depth_unit="m", min_hits=1),
        Loiter(id="l", camera="yard", name="l", polygon=SQUARE, stay_s=1, radius=1, min_hits=1),
        WrongWay(id="y", camera="yard", name="y", polygon=SQUARE, way=((0, 0), (1, 0)), min_hits=1),
        Count(id="c", camera="yard", name="c", polygon=SQUARE, at_most=0, for_s=0, every_s=1),
        LineCount(id="n", camera="yard", name="n", line=((0.5, 0), (0.5, 1)), each=1, every_s=1, min_hits=1),
        LeftObject(id="o", camera="yard", name="o", polygon=SQUARE, stay_s=5, settle_s=1, min_hits=1),
        wire(id="m", min_hits=1, max_speed=3, min_height=0.01, condition="speed >= 0.0 && score >= 0.0"),
    ]
    engine.configure(rules)
    for rows, stream_time, size in pictures:
        boxes = tuple(TrackBox(i, "person", score, box, 5, seen) for i, box, score, seen in rows)  # type: ignore[arg-type]
        frame = TrackFrame(**_empty(stream_time=stream_time, width=size, height=size, tracks=boxes))
        for event in engine.update(frame):
            assert all(
                map(math.isfinite, (*event.point, *event.box, event.wall, event.height, event.speed, event.stayed_s))
            )

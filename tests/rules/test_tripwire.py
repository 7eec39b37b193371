from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import Tripwire
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def wire(*line: tuple[float, float], **changes: object) -> Tripwire:
    values: dict[str, object] = {"id": "w", "camera": "yard", "name": "wire", "cooldown_s": 0} | changes
    return Tripwire(line=line or ((0.5, 0.2), (0.5, 0.8)), **values)  # type: ignore[arg-type]


def test_who_walks_over_the_line_raises_one_event_with_all_that_explains_it(walk: Walk) -> None:
    (event,) = walk(wire(level=1), [(300, 500), (700, 500)])
    assert event.kind is EventKind.TRIPWIRE
    assert event.direction == "right_to_left"
    assert event.point == pytest.approx((0.5, 0.5))
    assert event.wall == pytest.approx(1_000_002.5)
    assert event.stream_time == 225_000
    assert event.arrival == pytest.approx(1_000_002.9, abs=0.11)
    assert (event.camera, event.epoch, event.track, event.label, event.level) == ("yard", 1, 1, "person", 1)
    assert event.score == pytest.approx(0.8)
    assert event.rule["id"] == "w"
    assert event.rule["kind"] == "tripwire"
    assert event.detector == "test"
    assert len(event.id) == 32
    assert event.path[0] == pytest.approx((0, 0.3, 0.5))
    assert event.path[-1] == pytest.approx((225_000, 0.5, 0.5))
    assert [point[0] for point in event.path] == sorted(point[0] for point in event.path)
    assert all(0 <= side <= 1 for side in event.box)


def test_the_path_holds_the_last_eight_seconds(walk: Walk) -> None:
    (event,) = walk(wire(), [(100, 500), (700, 500)], speed=20)
    seconds = (event.path[-1][0] - event.path[0][0]) / 90_000
    assert 7.8 <= seconds <= 8


@pytest.mark.parametrize(
    ("direction", "rightwards", "leftwards"), [("any", 1, 1), ("left_to_right", 0, 1), ("right_to_left", 1, 0)]
)
def test_direction(walk: Walk, direction: str, rightwards: int, leftwards: int) -> None:
    rule = wire(direction=direction)
    assert len(walk(rule, [(300, 500), (700, 500)])) == rightwards
    assert len(walk(rule, [(700, 500), (300, 500)])) == leftwards


def test_passing_beyond_its_ends_is_no_crossing(walk: Walk) -> None:
    assert walk(wire(), [(300, 900), (700, 900)]) == []
    assert walk(wire(), [(300, 150), (700, 150)]) == []
    assert walk(wire(), [(300, 500), (300, 900), (700, 900), (700, 500)]) == []


coordinates = st.integers(50, 950)
places = st.tuples(coordinates, coordinates)


def mirrored(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(1000 - x, y) for x, y in corners]


@relaxed
@given(st.lists(places, min_size=2, max_size=5), places, places)
def test_the_mirrored_scene_gives_the_mirrored_direction(
    walk: Walk, corners: list[tuple[float, float]], start: tuple[float, float], end: tuple[float, float]
) -> None:
    assume(math.dist(start, end) > 20)

    def line(a: tuple[float, float], b: tuple[float, float]) -> Tripwire:
        return wire((a[0] / 1000, a[1] / 1000), (b[0] / 1000, b[1] / 1000))

    plain = walk(line(start, end), [(x + 0.37, y + 0.29) for x, y in corners])
    other = walk(
        line((1000 - start[0], start[1]), (1000 - end[0], end[1])),
        [(1000 - x - 0.37, y + 0.29) for x, y in corners],
    )
    swap = {"left_to_right": "right_to_left", "right_to_left": "left_to_right"}
    # The picture ends at its last pixel, 999, so the mirror is off by one only where a walk leaves the picture.
    assert [swap[event.direction] for event in plain] == [event.direction for event in other]
    assert [event.stream_time for event in plain] == pytest.approx([event.stream_time for event in other], abs=2)


@relaxed
@given(st.lists(places, min_size=2, max_size=5), places, places, st.floats(0.1, 0.9))
def test_a_line_with_a_point_more_fires_as_often(
    walk: Walk,
    corners: list[tuple[float, float]],
    start: tuple[float, float],
    end: tuple[float, float],
    share: float,
) -> None:
    assume(math.dist(start, end) > 20)
    a, b = (start[0] / 1000, start[1] / 1000), (end[0] / 1000, end[1] / 1000)
    middle = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
    corners = [(x + 0.37, y + 0.29) for x, y in corners]
    whole, split = walk(wire(a, b), corners), walk(wire(a, middle, b), corners)
    assert [event.direction for event in whole] == [event.direction for event in split]


def test_crossing_exactly_at_a_bend_counts_once(walk: Walk) -> None:
    bent = wire((0.5, 0.2), (0.6, 0.5), (0.5, 0.8))
    assert len(walk(bent, [(300, 500), (900, 500)])) == 1
    assert len(walk(bent, [(300, 500), (900, 500), (300, 500)])) == 2


def test_cutting_off_a_corner_and_coming_back_out_is_no_crossing(walk: Walk) -> None:
    angle = wire((0.5, 0.2), (0.5, 0.5), (0.8, 0.5))
    assert walk(angle, [(450, 300), (450, 560), (700, 560)]) == []
    assert len(walk(angle, [(450, 300), (700, 300)])) == 1


@relaxed
@given(st.lists(st.floats(-4.5, 4.5), min_size=20, max_size=80))
def test_jitter_on_the_line_never_fires(frames: Frames, tracks: Tracks, noise: list[float]) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    way = [(400 + 10 * step, 500) for step in range(10)] + [(500 + shift, 500) for shift in noise]
    events = [
        event
        for index, point in enumerate(way)
        for event in engine.update(frames(index / 10, tracks(point, index + 1)))
    ]
    assert events == []


def test_jitter_on_the_way_over_fires_once(frames: Frames, tracks: Tracks) -> None:
    rng = np.random.default_rng(3)
    engine = RuleEngine()
    engine.configure([wire()])
    events = []
    for index in range(200):
        point = (400 + index + rng.normal(0, 4), 500 + rng.normal(0, 4))
        events += engine.update(frames(index / 25, tracks(point, index + 1)))
    assert len(events) == 1
    assert events[0].wall == pytest.approx(1_000_004, abs=0.4)


def test_one_wrong_box_is_no_crossing(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    way = [(400, 500)] * 10 + [(600, 500)] + [(400, 500)] * 10
    assert not any(engine.update(frames(i / 10, tracks(point, i + 1))) for i, point in enumerate(way))


@pytest.mark.parametrize("rate", [5, 6, 8, 12.5, 15, 25])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.7])
def test_the_picture_rate_does_not_matter(walk: Walk, rate: float, phase: float) -> None:
    corners = [(300, 400), (700, 500), (700, 600), (300, 500)]
    events = walk(wire(), corners, rate=rate, phase=phase)
    assert [event.direction for event in events] == ["right_to_left", "left_to_right"]
    reference = walk(wire(), corners, rate=50)
    assert [event.wall for event in events] == pytest.approx([event.wall for event in reference], abs=0.05)


def test_a_track_that_appears_beyond_the_line_or_on_it_does_not_fire(walk: Walk) -> None:
    assert walk(wire(), [(520, 500), (700, 500)]) == []
    assert walk(wire(), [(499, 500), (700, 500)]) == []
    at_border = wire((0.004, 0.1), (0.004, 0.9))
    assert walk(at_border, [(-30, 500), (-10, 500), (300, 500)], speed=40) == []


def test_predicted_boxes_prove_nothing(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    for index in range(10):
        assert engine.update(frames(index / 10, tracks((400 + 5 * index, 500), index + 1))) == []
    for index in range(10, 40):
        assert engine.update(frames(index / 10, tracks((400 + 5 * index, 500), 10, seen=False))) == []


def test_who_is_hidden_on_one_side_and_seen_on_the_other_has_crossed(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    for index in range(10):
        engine.update(frames(index / 10, tracks((450, 500), index + 1)))
    for index in range(10, 30):
        engine.update(frames(index / 10))
    events = [
        event for index in (30, 31) for event in engine.update(frames(index / 10, tracks((600, 500), index - 19)))
    ]
    assert [event.direction for event in events] == ["right_to_left"]
    assert 1_000_000.9 < events[0].wall < 1_000_003


def test_who_is_seen_beyond_the_line_only_once_and_then_no_more_has_crossed(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    way = [(400 + 10 * step, 500) for step in range(10)] + [(530, 500)]
    for index, point in enumerate(way):
        assert engine.update(frames(index / 10, tracks(point, index + 1))) == []
    events = [(index, event) for index in range(11, 30) for event in engine.update(frames(index / 10))]
    assert [(index, event.direction) for index, event in events] == [(14, "right_to_left")]
    assert events[0][1].wall < 1_000_001


def test_who_vanishes_on_the_line_has_not_crossed(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([wire()])
    for index in range(11):
        engine.update(frames(index / 10, tracks((403 + 10 * index, 500), index + 1)))
    for index in range(11, 30):
        assert engine.update(frames(index / 10, tracks((600, 500), 11, seen=False))) == []


def test_a_foot_below_the_picture_stands_on_its_edge(walk: Walk) -> None:
    to_the_edge = wire((0.5, 0.5), (0.5, 0.996))
    (event,) = walk(to_the_edge, [(300, 1040), (700, 1040)])
    assert event.point == pytest.approx((0.5, 0.999))


def test_the_centre_may_be_the_anchor(walk: Walk) -> None:
    low = wire((0.5, 0.52), (0.5, 0.8))
    assert len(walk(low, [(300, 550), (700, 550)])) == 1
    assert walk(wire((0.5, 0.52), (0.5, 0.8), anchor="centre"), [(300, 550), (700, 550)]) == []

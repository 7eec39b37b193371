"""What must hold of every kind, wherever the scene stands and however it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.model.alarms import Event
from perishield.model.geometry import Point
from perishield.model.rules import Fence, Loiter, Rule, Tripwire, WrongWay, Zone
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12)
BASE = {"camera": "yard", "cooldown_s": 0.0}


def rules(place: Callable[[Point], Point]) -> list[Rule]:
    """One of every kind that judges tracks; `place` moves the drawing."""

    def at(*points: Point) -> tuple[Point, ...]:
        return tuple(place(point) for point in points)

    square = at((0.4, 0.3), (0.6, 0.3), (0.6, 0.6), (0.4, 0.6))
    return [
        Tripwire(id="wire", name="wire", line=at((0.5, 0.2), (0.5, 0.7)), **BASE),  # type: ignore[arg-type]
        Zone(id="zone", name="zone", polygon=square, on=("enter", "exit", "inside"), stay_s=1, **BASE),  # type: ignore[arg-type]
        Fence(
            id="fence", name="fence", direction="right_to_left",
            outer=at((0.45, 0.2), (0.45, 0.7)), inner=at((0.55, 0.2), (0.55, 0.7)), **BASE,
        ),
        Loiter(id="loiter", name="loiter", polygon=square, stay_s=2, **BASE),  # type: ignore[arg-type]
        WrongWay(id="way", name="way", camera="yard", polygon=square, way=at((0.6, 0.5), (0.4, 0.5))),
    ]  # fmt: skip


def told(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    """In the order of what happened, not of what was confirmed first."""
    return [
        (event.rule["id"], event.kind.value, event.direction)
        for event in sorted(events, key=lambda event: (event.rule["id"], event.stream_time))
    ]


THERE_AND_BACK: list[Point] = [(320.3, 450), (680.3, 460), (330.3, 440)]


@pytest.mark.parametrize("rate", [5, 7.3, 12.5, 25])
@pytest.mark.parametrize("phase", [0.0, 0.6])
def test_the_picture_rate_does_not_matter(walk: Walk, rate: float, phase: float) -> None:
    reference = walk(rules(lambda point: point), THERE_AND_BACK, rate=50)
    events = walk(rules(lambda point: point), THERE_AND_BACK, rate=rate, phase=phase)
    assert {kind for _, kind, _ in told(reference)} >= {"tripwire", "zone_enter", "zone_inside", "fence", "loiter"}
    assert told(events) == told(reference)
    pairs = zip(
        sorted(events, key=lambda event: (event.rule["id"], event.stream_time)),
        sorted(reference, key=lambda event: (event.rule["id"], event.stream_time)),
        strict=True,
    )
    for event, expected in pairs:
        assert event.wall == pytest.approx(expected.wall, abs=1.1 / rate)


@relaxed
@given(dx=st.floats(-0.25, 0.25), dy=st.floats(-0.1, 0.25))
def test_the_scene_may_stand_anywhere(walk: Walk, dx: float, dy: float) -> None:
    moved = walk(
        rules(lambda point: (point[0] + dx, point[1] + dy)),
        [(x + dx * 1000, y + dy * 1000) for x, y in THERE_AND_BACK],
    )
    assert told(moved) == told(walk(rules(lambda point: point), THERE_AND_BACK))


def at_size(frames: Frames, size: int) -> list[Event]:
    """What is told of a way there and back, on a picture of that size."""
    engine = RuleEngine()
    engine.configure(rules(lambda point: point))
    scale = size / 1000
    events = []
    way = [320.3 + 8 * step for step in range(45)] + [680.3 - 8 * step for step in range(45)]
    for index, x in enumerate(way):
        box = ((x - 20) * scale, 350 * scale, (x + 20) * scale, 450 * scale)
        events += engine.update(frames(index / 10, TrackBox(1, "person", 0.8, box, index + 1), size=size))
    return events


@pytest.mark.parametrize("size", [500, 720, 2000, 3840])
def test_the_scene_may_be_of_any_size(frames: Frames, size: int) -> None:
    events, reference = at_size(frames, size), at_size(frames, 1000)
    assert {"tripwire", "zone_enter", "zone_exit", "fence", "wrong_way"} <= {kind for _, kind, _ in told(reference)}
    assert told(events) == told(reference)
    assert [event.wall for event in events] == pytest.approx([event.wall for event in reference], abs=0.02)


@relaxed
@given(missing=st.sets(st.integers(5, 80), max_size=40))
def test_order_is_kept_when_pictures_are_missing(frames: Frames, tracks: Tracks, missing: set[int]) -> None:
    engine = RuleEngine()
    engine.configure(rules(lambda point: point))
    events = []
    for index in range(100):
        if index not in missing or index % 4 == 0:
            events += engine.update(frames(index / 10, tracks((300.3 + 4 * index, 450), index + 1)))
    order = [event.kind.value for event in sorted(events, key=lambda event: event.stream_time)]
    assert order.index("zone_enter") < order.index("tripwire") < order.index("fence") < order.index("zone_exit")
    once = [kind for kind in order if kind != "wrong_way"]
    assert len(once) == len(set(once))


@relaxed
@given(st.lists(st.floats(-5, 5), min_size=40, max_size=80))
def test_jitter_on_any_boundary_never_fires(frames: Frames, tracks: Tracks, noise: list[float]) -> None:
    engine = RuleEngine()
    engine.configure([rule for rule in rules(lambda point: point) if rule.kind != "loiter"])
    for index, shift in enumerate([-40.0] * 3 + noise):
        # On the zone's left edge, x 400.
        assert engine.update(frames(index / 10, tracks((400 + shift, 450), index + 1))) == []

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import Zone
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
SQUARE = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))


def zone(polygon: tuple[tuple[float, float], ...] = SQUARE, **changes: object) -> Zone:
    values: dict[str, object] = {"id": "z", "camera": "yard", "name": "zone", "cooldown_s": 0} | changes
    return Zone(polygon=polygon, **{"on": ("enter", "exit"), **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [5, 6, 12.5, 25])
def test_walking_through_enters_and_leaves_at_the_edges(walk: Walk, rate: float) -> None:
    enter, leave = walk(zone(), [(200, 500), (800, 500)], rate=rate)
    assert (enter.kind, leave.kind) == (EventKind.ZONE_ENTER, EventKind.ZONE_EXIT)
    assert enter.point == pytest.approx((0.4, 0.5))
    assert leave.point == pytest.approx((0.6, 0.5))
    assert enter.wall == pytest.approx(1_000_002.5)
    assert leave.wall == pytest.approx(1_000_005)
    assert enter.direction == ""


@pytest.mark.parametrize(("on", "kinds"), [(("enter",), ["zone_enter"]), (("exit",), ["zone_exit"])])
def test_only_what_is_asked_for(walk: Walk, on: tuple[str, ...], kinds: list[str]) -> None:
    assert [event.kind for event in walk(zone(on=on), [(200, 500), (800, 500)])] == kinds


def test_who_appears_inside_has_not_entered_but_leaves(walk: Walk) -> None:
    assert [event.kind for event in walk(zone(), [(500, 500), (800, 500)])] == [EventKind.ZONE_EXIT]


def test_passing_by_is_nothing(walk: Walk) -> None:
    assert walk(zone(), [(200, 700), (800, 700)]) == []


def test_standing_on_the_edge_is_nothing(frames: Callable[..., TrackFrame], tracks: Callable[..., TrackBox]) -> None:
    rng = np.random.default_rng(5)
    engine = RuleEngine()
    engine.configure([zone()])
    way = [(300 + 10 * step, 500.0) for step in range(10)]
    way += [(400 + shift, 500.0) for shift in rng.uniform(-4.5, 4.5, 100)]
    assert not any(engine.update(frames(i / 10, tracks(point, i + 1))) for i, point in enumerate(way))


def test_a_zone_that_reaches_the_border_holds_who_is_cut_off_by_it(walk: Walk) -> None:
    floor = zone(((0.4, 0.7), (0.6, 0.7), (0.6, 0.998), (0.4, 0.998)))
    enter, leave = walk(floor, [(200, 1030), (800, 1030)])
    assert enter.point == pytest.approx((0.4, 0.999))
    assert leave.point == pytest.approx((0.6, 0.999))


def test_a_narrow_zone_still_has_an_inside(walk: Walk) -> None:
    strip = zone(((0.495, 0.2), (0.505, 0.2), (0.505, 0.8), (0.495, 0.8)))
    events = walk(strip, [(450, 500), (500, 500), (500, 505), (500, 500), (450, 500)], speed=20, rate=25)
    assert [event.kind for event in events] == [EventKind.ZONE_ENTER, EventKind.ZONE_EXIT]


def test_the_mirrored_zone_gives_the_same_events(walk: Walk) -> None:
    corner = ((0.3, 0.3), (0.7, 0.4), (0.5, 0.8))
    mirror = tuple((1 - x, y) for x, y in corner)
    way = [(100, 350), (900, 650), (450, 900), (450, 100)]
    plain = walk(zone(corner), way)
    other = walk(zone(mirror), [(1000 - x, y) for x, y in way])
    assert [event.kind for event in plain] == [event.kind for event in other]
    assert len(plain) >= 2


def test_who_is_seen_inside_only_once_and_then_no_more_has_entered(
    frames: Callable[..., TrackFrame], tracks: Callable[..., TrackBox]
) -> None:
    engine = RuleEngine()
    engine.configure([zone()])
    for index, x in enumerate([300, 340, 380, 420]):
        assert engine.update(frames(index / 10, tracks((x, 500), index + 1))) == []
    (event,) = engine.update(frames(1.0))
    assert event.kind is EventKind.ZONE_ENTER
    assert engine.update(frames(1.1)) == []

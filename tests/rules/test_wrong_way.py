from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import WrongWay
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]


def one_way(**changes: object) -> WrongWay:
    values: dict[str, object] = {
        "id": "o",
        "camera": "yard",
        "name": "one way",
        "polygon": ((0.1, 0.3), (0.9, 0.3), (0.9, 0.7), (0.1, 0.7)),
        "way": ((0.2, 0.5), (0.8, 0.5)),
    }
    return WrongWay(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [5, 8, 15, 25])
def test_who_goes_against_the_arrow_is_told_after_the_distance(walk: Walk, rate: float) -> None:
    (event,) = walk(one_way(distance=2.0), [(800, 500), (200, 500)], rate=rate)
    assert event.kind is EventKind.WRONG_WAY
    assert event.point[0] == pytest.approx(0.6, abs=0.01)
    assert event.wall == pytest.approx(1_000_002.5, abs=0.15)


def test_who_goes_with_it_or_across_it_is_not(walk: Walk) -> None:
    assert walk(one_way(), [(200, 500), (800, 500)]) == []
    assert walk(one_way(), [(500, 350), (480, 650)]) == []
    assert len(walk(one_way(tolerance_deg=89), [(500, 340), (300, 680)])) == 1


def test_turning_round_counts_from_the_turning_point(walk: Walk) -> None:
    (event,) = walk(one_way(distance=3.0), [(200, 500), (700, 500), (250, 500)])
    assert event.point[0] == pytest.approx(0.4, abs=0.02)


def test_swaying_never_adds_up(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([one_way(distance=0.5)])
    for index in range(300):
        x = 500 + (40 if index % 10 < 5 else 0)
        assert engine.update(frames(index / 10, tracks((x, 500), index + 1))) == []


def test_outside_the_zone_nothing_counts(walk: Walk) -> None:
    assert walk(one_way(), [(800, 800), (200, 800)]) == []


def test_the_mirrored_arrow_takes_the_mirrored_way(walk: Walk) -> None:
    mirrored = one_way(way=((0.8, 0.5), (0.2, 0.5)))
    assert len(walk(mirrored, [(200, 500), (800, 500)])) == len(walk(one_way(), [(800, 500), (200, 500)])) == 1

from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import Count
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]


def count(**changes: object) -> Count:
    values: dict[str, object] = {
        "id": "c",
        "camera": "yard",
        "name": "post",
        "polygon": ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)),
        "for_s": 2,
    }
    return Count(**(values | changes))  # type: ignore[arg-type]


def run(
    rule: Count, frames: Frames, tracks: Tracks, numbers: Callable[[float], int], seconds: float, rate: float = 5
) -> list[Event]:
    engine = RuleEngine()
    engine.configure([rule])
    events: list[Event] = []
    for picture in range(round(seconds * rate)):
        time_s = picture / rate
        people = [tracks((300 + 60 * n, 500), picture + 1, id=n) for n in range(numbers(time_s))]
        events += engine.update(frames(time_s, *people))
    return events


@pytest.mark.parametrize("rate", [5, 12.5, 25])
def test_many_at_once_for_long_enough(frames: Frames, tracks: Tracks, rate: float) -> None:
    events = run(count(at_least=3), frames, tracks, lambda t: 3 if t >= 4 else 2, 12, rate)
    assert [(event.kind, event.count, event.track) for event in events] == [(EventKind.COUNT, 3, -1)]
    # The third is clear of the boundary in two pictures before he counts.
    assert events[0].wall == pytest.approx(1_000_006, abs=2.1 / rate)
    assert events[0].box == pytest.approx((0.2, 0.2, 0.8, 0.8))


def test_a_guard_post_that_stands_empty(frames: Frames, tracks: Tracks) -> None:
    events = run(count(at_most=0, for_s=5, every_s=10), frames, tracks, lambda t: 1 if t < 4 else 0, 25)
    # Missed at 4 s, forgiven until 7 s, empty for 5 s.
    assert [event.wall - 1_000_000 for event in events] == pytest.approx([12, 22], abs=0.5)


def test_a_detection_missed_now_and_then_is_nobody_gone(frames: Frames, tracks: Tracks) -> None:
    assert run(count(at_most=0, for_s=1), frames, tracks, lambda t: 0 if 1.5 < t % 4 < 3.5 else 1, 30) == []


def test_other_classes_and_sizes_do_not_count(frames: Frames, tracks: Tracks) -> None:
    assert run(count(at_least=1, labels=("car",)), frames, tracks, lambda _: 2, 6) == []
    assert run(count(at_least=1, min_height=0.2), frames, tracks, lambda _: 2, 6) == []
    assert len(run(count(at_least=1, min_height=0.05), frames, tracks, lambda _: 2, 6)) == 1


def test_a_class_that_does_not_count_does_not_either_while_it_is_missed(frames: Frames, tracks: Tracks) -> None:
    rule = count(at_least=1, labels=("car",), for_s=0)
    assert run(rule, frames, tracks, lambda t: 1 if int(t * 5) % 2 else 0, 6) == []

from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import LeftObject
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]


def left(**changes: object) -> LeftObject:
    values: dict[str, object] = {
        "id": "o",
        "camera": "yard",
        "name": "bag",
        "labels": ("suitcase",),
        "polygon": ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)),
        "stay_s": 20,
        "settle_s": 5,
    }
    return LeftObject(**(values | changes))  # type: ignore[arg-type]


def run(frames: Frames, tracks: Tracks, what: Callable[[float], list[tuple[int, float]]], seconds: int) -> list[Event]:
    """`what`: (track, x) of the suitcases seen at a moment."""
    engine = RuleEngine()
    engine.configure([left()])
    events: list[Event] = []
    for picture in range(seconds * 5):
        time_s = picture / 5
        there = [tracks((x, 500), picture + 1, id=track, label="suitcase") for track, x in what(time_s)]
        events += engine.update(frames(time_s, *there))
    return events


def test_what_appears_and_stays_is_told_once(frames: Frames, tracks: Tracks) -> None:
    (event,) = run(frames, tracks, lambda t: [(1, 500)] if t >= 8 else [], 120)
    assert event.kind is EventKind.LEFT_OBJECT
    assert event.wall == pytest.approx(1_000_028, abs=0.2)
    assert event.stayed_s == pytest.approx(20, abs=0.2)


def test_what_stood_there_from_the_beginning_is_not(frames: Frames, tracks: Tracks) -> None:
    assert run(frames, tracks, lambda _: [(1, 500)], 60) == []
    # Hidden for long, and found again under another number.
    assert run(frames, tracks, lambda t: [] if 10 < t < 60 else [(1 if t < 60 else 9, 503)], 120) == []


def test_who_passes_before_it_and_a_new_number_change_nothing(frames: Frames, tracks: Tracks) -> None:
    (event,) = run(frames, tracks, lambda t: [] if t < 8 or 15 < t < 20 else [(1 if t < 18 else 2, 500)], 60)
    assert event.wall == pytest.approx(1_000_028, abs=0.2)


def test_what_is_carried_through_is_not_left(frames: Frames, tracks: Tracks) -> None:
    assert run(frames, tracks, lambda t: [(1, 200 + (t - 8) * 12)] if 8 <= t < 60 else [], 60) == []


def test_it_counts_from_where_it_was_put_down(frames: Frames, tracks: Tracks) -> None:
    (event,) = run(frames, tracks, lambda t: [(1, min(200 + (t - 8) * 50, 600))] if t >= 8 else [], 80)
    assert event.wall == pytest.approx(1_000_036, abs=0.8)

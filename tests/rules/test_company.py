"""Who was hidden behind somebody has crossed the lines that this one crossed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event
from perishield.model.rules import Fence, LineCount, Loiter, Rule, Tripwire
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]
WIRE = Tripwire(id="w", camera="yard", name="wire", line=((0.5, 0.2), (0.5, 0.8)))
FENCE = Fence(
    id="f", camera="yard", name="fence", outer=((0.45, 0.1), (0.45, 0.9)), inner=((0.5, 0.1), (0.5, 0.9)),
    direction="right_to_left",
)  # fmt: skip
COUNT = LineCount(id="c", camera="yard", name="count", line=((0.5, 0.2), (0.5, 0.8)), every_s=3600)
LOITER = Loiter(id="l", camera="yard", name="loiter", polygon=((0, 0), (1, 0), (1, 1), (0, 1)), stay_s=3)


def together(
    frames: Frames, tracks: Tracks, *rules: Rule, parent: int = 1, seen_from: float = 2.0, until: float = 5.0
) -> tuple[list[Event], RuleEngine]:
    """Two cross at 500 pixels after 2 s, one behind the other; the second is seen from `seen_from` on, and from the
    third picture on known to have come with the first."""
    engine = RuleEngine()
    engine.configure(list(rules))
    events: list[Event] = []
    for index in range(round(until * 10)):
        x = 340 + index * 8
        shown = [tracks((x, 500), index + 1)]
        hits = index - round(seen_from * 10)
        if hits > 0:
            came = parent if hits >= 3 else 0
            shown.append(tracks((x - 50, 500), hits, id=2, parent=came))
        events += engine.update(frames(index / 10, *shown))
    return events, engine


@pytest.mark.parametrize("rule", [WIRE, FENCE], ids=["tripwire", "fence"])
def test_who_was_hidden_at_the_line_is_told_of_too(frames: Frames, tracks: Tracks, rule: Rule) -> None:
    events, _ = together(frames, tracks, rule, seen_from=3.0)
    assert sorted(event.track for event in events) == [1, 2]
    first, second = sorted(events, key=lambda event: event.track)
    assert second.wall == pytest.approx(first.wall), "at the instant at which the one who hid him crossed"
    assert second.path[0][0] < second.stream_time - 90_000, "with the way of that one"


def test_without_somebody_who_hid_him_who_appears_beyond_has_not_crossed(frames: Frames, tracks: Tracks) -> None:
    events, _ = together(frames, tracks, WIRE, FENCE, parent=0, seen_from=3.0)
    assert {event.track for event in events} == {1}
    events, _ = together(frames, tracks, WIRE, FENCE, parent=77, seen_from=3.0)
    assert {event.track for event in events} == {1}, "nobody knows 77"


def test_who_crosses_in_sight_is_told_of_once(frames: Frames, tracks: Tracks) -> None:
    events, _ = together(frames, tracks, WIRE, FENCE, seen_from=0.5)
    assert sorted((event.rule["id"], event.track) for event in events) == [("f", 1), ("f", 2), ("w", 1), ("w", 2)]


def test_a_fence_between_whose_lines_he_was_first_seen_is_crossed(frames: Frames, tracks: Tracks) -> None:
    events, _ = together(frames, tracks, FENCE, seen_from=2.0)
    assert sorted(event.track for event in events) == [1, 2]


def test_a_line_that_was_crossed_long_ago_is_not_told_of_anew(frames: Frames, tracks: Tracks) -> None:
    events, _ = together(frames, tracks, WIRE, seen_from=7.5, until=9.0)
    assert [event.track for event in events] == [1]


def test_lines_that_count_count_him(frames: Frames, tracks: Tracks) -> None:
    _, engine = together(frames, tracks, COUNT, seen_from=3.0)
    assert engine.states()[0].right_to_left == 2


def test_how_long_he_stays_is_asked_for_himself(frames: Frames, tracks: Tracks) -> None:
    events, _ = together(frames, tracks, LOITER, seen_from=3.0)
    assert [event.track for event in events] == [1]

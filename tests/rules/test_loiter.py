from __future__ import annotations

from collections.abc import Callable

import pytest

from perishield.model.alarms import Event, EventKind
from perishield.model.rules import Loiter, Zone
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine

Walk = Callable[..., list[Event]]
Frames = Callable[..., TrackFrame]
Tracks = Callable[..., TrackBox]
YARD = ((0.4, 0.3), (0.8, 0.3), (0.8, 0.9), (0.4, 0.9))


def loiter(**changes: object) -> Loiter:
    values: dict[str, object] = {"id": "l", "camera": "yard", "name": "stay", "polygon": YARD, "stay_s": 10}
    return Loiter(**(values | changes))  # type: ignore[arg-type]


def seen(
    engine: RuleEngine, frames: Frames, tracks: Tracks, places: list[tuple[float, tuple[float, float] | None]]
) -> list[Event]:
    """Events of one track seen at those places; None: out of sight."""
    events: list[Event] = []
    for hits, (time_s, point) in enumerate(places):
        events += engine.update(frames(time_s, *([tracks(point, hits + 1)] if point else [])))
    return events


def standing(seconds: float, at: tuple[float, float], rate: float = 5, start: float = 0.0) -> list:  # type: ignore[type-arg]
    return [(start + n / rate, at) for n in range(round(seconds * rate) + 1)]


@pytest.mark.parametrize("rate", [5, 8, 15, 25])
def test_who_stays_is_told_once_at_the_moment_the_time_is_up(walk: Walk, rate: float) -> None:
    # Over the boundary at x 400 after 1.25 s, then about within the zone for some 14 s.
    events = walk(loiter(), [(300, 500), (600, 500), (450, 700), (700, 700), (450, 600), (700, 400)], rate=rate)
    assert [event.kind for event in events] == [EventKind.LOITER]
    assert events[0].wall == pytest.approx(1_000_000 + 1.25 + 10, abs=0.02)
    assert events[0].stayed_s == pytest.approx(10, abs=0.02)


def test_it_is_told_again_at_the_interval(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([loiter(every_s=5, cooldown_s=0)])
    events = seen(engine, frames, tracks, standing(22, (600, 600)))
    assert [event.stayed_s for event in events] == pytest.approx([10, 15, 20])


def test_a_short_absence_is_forgiven_and_a_long_one_is_not(frames: Frames, tracks: Tracks) -> None:
    inside, outside = (600.0, 600.0), (300.0, 600.0)
    for away, told in ((2.0, 1), (5.0, 0)):
        engine = RuleEngine()
        engine.configure([loiter(forgive_s=3)])
        way = standing(5, inside) + standing(away, outside, start=5.2) + standing(5, inside, start=5.4 + away)
        assert len(seen(engine, frames, tracks, way)) == told


def test_who_is_hidden_for_longer_than_is_forgiven_starts_anew(frames: Frames, tracks: Tracks) -> None:
    for hidden, told in ((2.0, 1), (6.0, 0)):
        engine = RuleEngine()
        engine.configure([loiter(forgive_s=3)])
        gap = [(time_s, None) for time_s, _ in standing(hidden, (0, 0), start=5.2)]
        way = standing(5, (600, 600)) + gap + standing(6, (600, 600), start=5.4 + hidden)
        assert len(seen(engine, frames, tracks, way)) == told


def test_with_a_radius_who_walks_about_does_not_loiter(walk: Walk, frames: Frames, tracks: Tracks) -> None:
    about = [(300, 500), (600, 500), (450, 800), (700, 800), (450, 400), (700, 400), (450, 800)]
    assert len(walk(loiter(), about)) == 1
    assert walk(loiter(radius=2.0), about) == []
    engine = RuleEngine()
    engine.configure([loiter(radius=2.0)])
    assert len(seen(engine, frames, tracks, standing(12, (600, 600)))) == 1


def test_a_shorter_time_takes_effect_while_somebody_stays(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    engine.configure([loiter(stay_s=1000)])
    assert seen(engine, frames, tracks, standing(20, (600, 600))) == []
    engine.configure([loiter(stay_s=15)])
    (event,) = engine.update(frames(20.2, tracks((600, 600), 200)))
    assert event.stayed_s == pytest.approx(20.2, abs=0.2)


def test_presence_in_a_zone_from_the_first_picture_on(frames: Frames, tracks: Tracks) -> None:
    engine = RuleEngine()
    zone = Zone(id="z", camera="yard", name="z", polygon=YARD, on=("inside",), stay_s=4, every_s=3, cooldown_s=0)
    engine.configure([zone])
    events = seen(engine, frames, tracks, standing(11, (600, 600)))
    assert [event.kind for event in events] == [EventKind.ZONE_INSIDE] * 3
    assert [event.stayed_s for event in events] == pytest.approx([4, 7, 10])

"""Where nothing can change nothing is measured; what would have been measured comes to the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.geometry import Point
from perishield.model.rules import Zone
from perishield.rules.line_watch import LineShape, LineWatch
from perishield.rules.sighting import Sighting
from perishield.rules.zone import Presence, ZoneShape

WIDTH, HEIGHT = 200, 120
steps = st.lists(st.tuples(st.floats(-14, 14), st.floats(-14, 14), st.floats(8, 60)), min_size=5, max_size=80)


def walk(moves: list[tuple[float, float, float]]) -> list[Sighting]:
    """From the middle on, kept within the picture; boxes of changing height, so that margins change."""
    x, y = 100.0, 60.0
    seen = []
    for number, (across, down, height) in enumerate(moves):
        x, y = min(max(x + across, 0.0), WIDTH - 1.0), min(max(y + down, 0.0), HEIGHT - 1.0)
        seen.append(Sighting(number * 15_000, number / 6, (x, y), height))
    return seen


@given(steps)
def test_crossings_of_a_line_are_the_same(moves: list[tuple[float, float, float]]) -> None:
    shape = LineShape(((0.3, 0.1), (0.5, 0.6), (0.9, 0.7)), WIDTH, HEIGHT)
    told: tuple[list[str], list[str]] = ([], [])
    quick, slow = (LineWatch(shape, 0.1, 3.0, notes.append) for notes in told)
    for now in walk(moves):
        slow._free = 0.0
        assert quick.observe(now) == slow.observe(now)
    assert quick.lost() == slow.lost()
    assert told[0] == told[1]


@given(steps)
def test_presence_in_a_zone_is_the_same(moves: list[tuple[float, float, float]]) -> None:
    polygon = ((0.2, 0.2), (0.6, 0.25), (0.8, 0.8), (0.15, 0.6))
    shape = ZoneShape(polygon, WIDTH, HEIGHT)
    rule = Zone(id="z", camera="c", name="z", polygon=polygon)
    told: tuple[list[str], list[str]] = ([], [])
    quick, slow = (Presence(shape, rule, notes.append) for notes in told)
    for now in walk(moves):
        slow._free = 0.0
        assert quick.observe(now) == slow.observe(now)
        assert quick.inside == slow.inside
    assert quick.lost() == slow.lost()
    assert told[0] == told[1]


class CountedLine(LineShape):
    """Counts how often it is measured."""

    measured = 0

    def distance(self, point: Point) -> float:
        self.measured += 1
        return super().distance(point)


def test_most_of_a_way_far_from_a_line_is_not_measured() -> None:
    shape = CountedLine(((0.1, 0.0), (0.1, 1.0)), WIDTH, HEIGHT)
    watch = LineWatch(shape, 0.1, 3.0)
    for number in range(60):
        watch.observe(Sighting(number, number / 6, (150.0 - number / 2, 60.0), 40.0))
    assert shape.measured == 1

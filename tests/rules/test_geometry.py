from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.geometry import Point, area, crossing, distance, inside, prolonged, side

whole = st.integers(-20, 20)
points = st.tuples(whole, whole)
paths = st.lists(points, min_size=2, max_size=12)


def count(path: list[Point], start: Point, end: Point) -> int:
    return sum(crossing(a, b, start, end) is not None for a, b in itertools.pairwise(path))


@given(points, points, points, points, st.lists(st.floats(0, 1), max_size=5))
def test_a_path_cut_anywhere_crosses_as_often(a: Point, b: Point, start: Point, end: Point, cuts: list[float]) -> None:
    way = [(a[0] + (b[0] - a[0]) * cut, a[1] + (b[1] - a[1]) * cut) for cut in sorted(cuts)]
    # A long line: at the very end of a segment rounding may decide either way.
    far_start, far_end = prolonged(end, start, 1000), prolonged(start, end, 1000)
    if start == end or side(a, start, end) == 0 or side(b, start, end) == 0:
        return
    # Only the two ends and points on the line can decide; rounding of a cut near the line flips it twice at most.
    assert count([a, *way, b], far_start, far_end) % 2 == count([a, b], far_start, far_end) % 2


@given(points, points, st.integers(-20, 20), st.lists(st.integers(0, 40), max_size=5))
def test_a_path_cut_on_whole_pixels_crosses_as_often(a: Point, b: Point, x: int, cuts: list[int]) -> None:
    start, end = (x, -1000), (x, 1000)
    way = [(a[0] + (b[0] - a[0]) * cut / 40, a[1] + (b[1] - a[1]) * cut / 40) for cut in sorted(cuts)]
    assert count([a, *way, b], start, end) == count([a, b], start, end)


@given(paths, points, points)
def test_crossings_alternate_between_the_two_ways(path: list[Point], start: Point, end: Point) -> None:
    if start == end:
        return
    far_start, far_end = prolonged(end, start, 1000), prolonged(start, end, 1000)
    signs = [
        side(b, far_start, far_end) > side(a, far_start, far_end)
        for a, b in itertools.pairwise(path)
        if crossing(a, b, far_start, far_end) is not None
    ]
    assert all(one != other for one, other in itertools.pairwise(signs))


def test_the_line_belongs_to_its_left_side() -> None:
    start, end = (0, 0), (10, 0)
    left, on, right = (5, -3), (5, 0), (5, 3)
    assert side(right, start, end) > 0
    assert crossing(right, on, start, end) == 1
    assert crossing(on, left, start, end) is None
    assert crossing(left, on, start, end) is None
    assert crossing(on, right, start, end) == 0


def test_a_path_past_the_ends_does_not_cross() -> None:
    assert crossing((11, -1), (11, 1), (0, 0), (10, 0)) is None
    assert crossing((10, -1), (10, 1), (0, 0), (10, 0)) == 0.5
    assert crossing((-1, -1), (-1, 1), (0, 0), (10, 0)) is None


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_odd_numbers_do_not_cross(odd: float) -> None:
    assert crossing((odd, odd), (5, 1), (0, 0), (10, 0)) is None
    assert crossing((5, -1), (5, 1), (0, 0), (0, 0)) is None


@given(points, st.integers(1, 10), st.integers(1, 10))
def test_two_neighbouring_zones_share_every_point_once(point: Point, width: int, height: int) -> None:
    left = [(-width, -height), (0, -height), (0, height), (-width, height)]
    right = [(0, -height), (width, -height), (width, height), (0, height)]
    both = [(-width, -height), (width, -height), (width, height), (-width, height)]
    assert inside(point, left) + inside(point, right) == inside(point, both)


def test_a_zone_owns_its_upper_and_left_edge() -> None:
    square = [(0, 0), (10, 0), (10, 10), (0, 10)]
    assert inside((5, 0), square)
    assert inside((0, 5), square)
    assert not inside((5, 10), square)
    assert not inside((10, 5), square)
    assert area(square) == 100


@given(points, points, points)
def test_distance_is_that_of_the_nearest_sampled_point(point: Point, start: Point, end: Point) -> None:
    sampled = min(
        math.dist(point, (start[0] + (end[0] - start[0]) * k / 200, start[1] + (end[1] - start[1]) * k / 200))
        for k in range(201)
    )
    assert distance(point, start, end) <= sampled + 1e-9
    assert distance(point, start, end) == pytest.approx(sampled, abs=0.2)


def test_prolonging_keeps_the_direction() -> None:
    assert prolonged((0, 0), (3, 4), 5) == pytest.approx((6, 8))
    assert prolonged((1, 1), (1, 1), 5) == (1, 1)

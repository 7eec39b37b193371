from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from perishield.model.trajectory import Step
from perishield.tracking.path import simplified

steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1)), max_size=40)


def at(path: tuple[Step, ...], time: float) -> tuple[float, float]:
    for (begin, x, y), (end, to_x, to_y) in itertools.pairwise(path):
        if begin <= time <= end:
            share = (time - begin) / (end - begin) if end > begin else 0.0
            return x + (to_x - x) * share, y + (to_y - y) * share
    return path[-1][1:]


@given(steps, st.floats(0.001, 0.5))
def test_at_every_time_the_kept_path_is_within_the_bound(gaps: list[Step], bound: float) -> None:
    time, path = 0.0, []
    for gap, x, y in gaps:
        time += 0.01 + gap
        path.append((time, x, y))
    kept = simplified(path, bound)
    assert set(kept) <= set(path)
    assert kept[:1] == tuple(path[:1])
    assert kept[-1:] == tuple(path[-1:])
    for time, x, y in path:
        assert math.dist(at(kept, time), (x, y)) <= bound + 1e-9


def test_a_straight_walk_is_two_points_and_a_rest_on_it_shows() -> None:
    walk = [(t / 10, 0.01 * t, 0.5) for t in range(50)]
    assert len(simplified(walk, 0.004)) == 2
    rest = [*walk, *((5 + t / 10, 0.49, 0.5) for t in range(100)), (15.1, 0.6, 0.5)]
    assert len(simplified(rest, 0.004)) == 4

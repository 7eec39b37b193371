from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from perishield.streams.pressure import LEVELS, Pressure


def test_the_level_follows_the_fill_of_a_queue_that_does_not_empty() -> None:
    for fill, level in ((0.1, 0), (0.25, 1), (0.5, 2), (0.75, 3), (0.95, 4)):
        pressure = Pressure()
        assert pressure.update(fill, 0.5, 0.0, 0.0) == (level > 0)
        assert pressure.level == level


def test_a_burst_that_is_written_at_once_is_no_pressure() -> None:
    pressure = Pressure()
    assert not pressure.update(1.0, 0.1, 0.0, 0.0)
    assert pressure.level == 0


def test_waiting_and_a_disk_that_syncs_slowly_spare_reads_but_never_recording() -> None:
    for waited, late, level in ((1.0, 0.0, 1), (2.5, 0.0, 2), (1e9, 0.0, 2), (0.0, 3.0, 1), (0.0, 1e9, 2)):
        pressure = Pressure()
        pressure.update(0.0, waited, late, 0.0)
        assert pressure.level == level


def test_it_falls_step_by_step_after_a_calm_while_and_does_not_flap() -> None:
    pressure = Pressure()
    pressure.update(1.0, 1.0, 0.0, 0.0)
    seen = [(pressure.level, tenth / 10) for tenth in range(1, 120) if pressure.update(0.0, 0.0, 0.0, tenth / 10)]
    assert [level for level, _ in seen] == [3, 2, 1, 0]
    assert all(later - earlier >= 2.0 for (_, earlier), (_, later) in pairwise(seen))
    pressure.update(0.6, 1.0, 0.0, 20.0)
    changes = sum(pressure.update(0.45 if tenth % 2 else 0.55, 0.5, 0.0, 20 + tenth / 10) for tenth in range(200))
    assert (changes, pressure.level) == (0, 2)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 10), st.floats(0, 20), st.floats(0, 1)), max_size=60))
def test_levels_stay_in_range_and_fall_by_one(load: list[tuple[float, float, float, float]]) -> None:
    pressure, now = Pressure(), 0.0
    for fill, waited, late, step in load:
        now += step
        before = pressure.level
        changed = pressure.update(fill, waited, late, now)
        assert changed == (pressure.level != before)
        assert 0 <= pressure.level < len(LEVELS)
        assert pressure.level >= before - 1

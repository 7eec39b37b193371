from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.rtsp.clock import RtpClock, WallClock, signed_difference


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_differences_wrap(start, step):
    assert signed_difference((start + step) % 2**32, start) == step


def test_stream_time_runs_through_the_wrap():
    clock = RtpClock(100)
    stamps = [(2**32 - 7200 + 3600 * n) % 2**32 for n in range(5)]
    assert [clock.ticks(stamp, n / 25) for n, stamp in enumerate(stamps)] == [100 + 3600 * n for n in range(5)]
    assert clock.jumps == 0


@pytest.mark.parametrize("jump", [3600 * 90_000, -30 * 90_000])
def test_a_jump_is_counted_and_smoothed(jump):
    clock = RtpClock(0)
    for n in range(10):
        clock.ticks(n * 3600 + 2**31, n / 25)
    assert clock.ticks((10 * 3600 + 2**31 + jump) % 2**32, 10 / 25) == 10 * 3600
    assert clock.ticks((11 * 3600 + 2**31 + jump) % 2**32, 11 / 25) == 11 * 3600
    assert clock.jumps == 1


def test_a_pause_that_the_host_saw_as_well_is_no_jump():
    clock = RtpClock(0)
    clock.ticks(0, 0.0)
    assert clock.ticks(20 * 90_000, 20.1) == 20 * 90_000
    assert clock.jumps == 0


def test_frozen_timestamps_are_replaced_by_arrival():
    clock = RtpClock(0)
    times = [clock.ticks(5, n / 8) for n in range(4)]
    assert times == [0, 11250, 22500, 33750]


def test_other_clock_rates_are_converted():
    clock = RtpClock(0, rate=1000)
    clock.ticks(0, 0.0)
    assert clock.ticks(40, 0.04) == 3600


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 5)), min_size=2, max_size=50))
def test_any_timestamps_move_less_than_they_could(steps):
    clock, now, before = RtpClock(0), 0.0, 0
    for stamp, pause in steps:
        now += pause
        ticks = clock.ticks(stamp, now)
        assert ticks - before <= 11 * 90_000
        before = max(before, ticks)


def report_at(clock, seconds, host, offset=0.0):
    clock.report(host + offset, round(seconds * 90_000), host)


def test_three_reports_that_agree_earn_trust_and_one_that_does_not_loses_it():
    clock = WallClock()
    for n in range(3):
        assert not clock.trusted
        report_at(clock, n * 5, 1000 + n * 5, 0.5)
    assert clock.trusted
    assert clock.wall(15 * 90_000, 0, 2000.0, 10.0) == pytest.approx(1015.5)
    report_at(clock, 15, 1015, 1.5)
    assert not clock.trusted


@pytest.mark.parametrize("offset", [3600.0, -3.0])
def test_a_camera_whose_clock_is_wrong_is_never_trusted(offset):
    clock = WallClock()
    for n in range(10):
        report_at(clock, n * 5, 1000 + n * 5, offset)
    assert not clock.trusted


def test_arrival_time_hides_jitter():
    clock = WallClock()
    late = [0.0, 0.08, 0.01, 0.12, 0.0, 0.09]
    walls = [clock.wall(0, n * 3600, 1000 + n / 25 + delay, n / 25 + delay) for n, delay in enumerate(late)]
    assert all(abs(wall - (1000 + n / 25)) < 0.002 for n, wall in enumerate(walls))


@pytest.mark.parametrize("leap", [3600.0, -3600.0])
def test_frames_follow_the_hosts_clock_when_it_leaps(leap):
    clock = WallClock()
    for n in range(50):
        host = 10_000 + n / 25 + (leap if n >= 25 else 0.0)
        assert clock.wall(0, n * 3600, host, 77 + n / 25) == pytest.approx(host)

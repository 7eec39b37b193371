from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.site import Recording, RecordMode, TimeWindow
from perishield.streams.policy import Schedule, keeps, withheld

ZONES = ("", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Asia/Kathmandu")


def scheduled(*windows: TimeWindow, zone: str = "") -> Recording:
    return Recording(mode=RecordMode.SCHEDULED, windows=windows, timezone=zone)


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (RecordMode.CONTINUOUS, ""),
        (RecordMode.OFF, "off"),
        (RecordMode.EVENT, "event"),
        (RecordMode.SCHEDULED, "schedule"),
    ],
)
def test_modes(mode: RecordMode, reason: str) -> None:
    recording = Recording(mode=mode)
    assert withheld(recording, 0.0) == reason
    assert keeps(recording, 1e15) == (not reason)


def test_windows_are_local_and_end_before_their_end() -> None:
    office = scheduled(TimeWindow(days=(0, 1, 2, 3, 4), start=8 * 60, end=18 * 60), zone="Europe/Berlin")
    assert keeps(office, at("2026-06-01 08:00:00", "Europe/Berlin"))
    assert keeps(office, at("2026-06-01 17:59:59", "Europe/Berlin"))
    assert not keeps(office, at("2026-06-01 18:00:00", "Europe/Berlin"))
    assert not keeps(office, at("2026-06-01 07:59:59", "Europe/Berlin"))
    assert not keeps(office, at("2026-06-06 12:00:00", "Europe/Berlin")), "a Saturday"
    assert keeps(office, at("2026-06-01 06:00:00")), "the same moment told in UTC"


def test_a_day_that_ends_at_1440_meets_the_next() -> None:
    night = scheduled(TimeWindow(days=(0,), start=22 * 60, end=1440), TimeWindow(days=(1,), start=0, end=360))
    start = at("2026-06-01 22:00:00")
    assert all(keeps(night, start + minute * 60) for minute in range(8 * 60))
    assert not keeps(night, start + 8 * 3600)


def test_the_hour_that_comes_twice_is_inside_both_times_and_the_skipped_one_shortens_the_night() -> None:
    night = scheduled(TimeWindow(days=tuple(range(7)), start=60, end=240), zone="Europe/Berlin")

    def hours(day: str) -> float:
        start = at(f"{day} 00:00:00", "Europe/Berlin")
        return sum(keeps(night, start + minute * 60) for minute in range(23 * 60)) / 60

    assert hours("2026-10-25") == 4
    assert hours("2026-03-29") == 2
    assert hours("2026-07-01") == 3


def test_a_zone_that_is_not_known_never_keeps_from_recording() -> None:
    odd = scheduled(TimeWindow(days=(0,), start=0, end=1), zone="Mars/Olympus_Mons")
    assert keeps(odd, at("2026-06-03 12:00:00"))


windows = st.builds(
    lambda days, start, length: TimeWindow(days=tuple(sorted(days)), start=start, end=min(1440, start + length)),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
)


@given(st.lists(windows, max_size=4), st.sampled_from(ZONES), st.floats(0, 4_000_000_000))
def test_local_time_alone_decides(some: list[TimeWindow], zone: str, wall: float) -> None:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=wall)).astimezone(ZoneInfo(zone or "UTC"))
    minute = local.hour * 60 + local.minute
    expected = any(local.weekday() in window.days and window.start <= minute < window.end for window in some)
    assert keeps(scheduled(*some, zone=zone), wall) == expected


@given(st.lists(windows, max_size=3), st.sampled_from(ZONES), st.lists(st.floats(0, 4_000_000_000), max_size=20))
def test_a_schedule_in_use_says_what_the_policy_says(some: list[TimeWindow], zone: str, walls: list[float]) -> None:
    recording = scheduled(*some, zone=zone)
    schedule = Schedule(recording)
    for wall in walls:
        for moment in (wall, wall + 0.5, wall + 59.9):
            assert schedule.withheld(moment) == withheld(recording, moment)

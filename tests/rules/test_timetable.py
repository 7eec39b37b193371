"""Schedules against an oracle that lists every minute of the days in question."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.errors import RuleError
from perishield.model.rules import Tripwire, check
from perishield.model.schedule import DAY_MINUTES, Hours, Schedule, SpecialDay
from perishield.rules.timetable import Timetable

ZONES = ["", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "Africa/Casablanca"]
# Around changes of the clock in these zones in 2026, and a plain week.
STARTS = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-06-10"]

hours = st.builds(
    Hours,
    days=st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True).map(tuple),
    start=st.integers(0, DAY_MINUTES - 1),
    end=st.integers(0, DAY_MINUTES),
).filter(lambda one: one.start != one.end)


def oracle(schedule: Schedule, first: dt.date, days: int) -> set[dt.datetime]:
    """Local wall-clock minutes (naive) that are watched."""
    special = {day.date: day.counts_as for day in schedule.special}
    found = set()
    for number in range(-1, days + 1):
        date = first + dt.timedelta(days=number)
        weekday = {"day_off": schedule.day_off_like, "working": schedule.working_like, None: date.weekday()}[
            special.get(date.isoformat())
        ]
        midnight = dt.datetime.combine(date, dt.time())
        for window in schedule.windows:
            if weekday in window.days:
                end = window.end if window.end > window.start else window.end + DAY_MINUTES
                found |= {midnight + dt.timedelta(minutes=minute) for minute in range(window.start, end)}
    return found


@settings(deadline=None, max_examples=60)
@given(
    windows=st.lists(hours, min_size=1, max_size=4).map(tuple),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    special=st.dictionaries(st.integers(0, 2), st.sampled_from(["day_off", "working"]), max_size=2),
    like=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_every_minute_is_as_the_calendar_says(
    windows: tuple[Hours, ...], zone: str, start: str, special: dict[int, str], like: tuple[int, int]
) -> None:
    first = dt.date.fromisoformat(start)
    days = tuple(
        SpecialDay(date=(first + dt.timedelta(days=number)).isoformat(), counts_as=kind)  # type: ignore[arg-type]
        for number, kind in special.items()
    )
    schedule = Schedule(windows=windows, timezone=zone, special=days, day_off_like=like[0], working_like=like[1])
    watched = oracle(schedule, first, 4)
    timetable = Timetable(schedule)
    tz = ZoneInfo(zone or "UTC")
    begin = dt.datetime.combine(first, dt.time(), tz).timestamp()
    for minute in range(0, 3 * DAY_MINUTES, 7):
        wall = begin + minute * 60
        local = dt.datetime.fromtimestamp(wall, tz).replace(tzinfo=None, fold=0)
        assert timetable.watches(wall) == (local in watched), local


def test_a_night_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = Schedule(windows=(Hours(days=(4,), start=22 * 60, end=6 * 60),), timezone="Europe/Berlin")
    timetable = Timetable(night)

    def at(text: str) -> bool:
        return timetable.watches(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp())

    assert at("2026-11-27T21:59") is False
    assert at("2026-11-27T22:00") is True
    assert at("2026-11-28T05:59") is True
    assert at("2026-11-28T06:00") is False
    assert at("2026-11-28T23:00") is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"windows": ()}, "schedule.windows"),
        ({"timezone": "Mars/Olympus"}, "schedule.timezone"),
        ({"timezone": "../etc/passwd"}, "schedule.timezone"),
        ({"special": (SpecialDay(date="2026-02-30"),)}, "schedule.special"),
        ({"special": (SpecialDay(date="20260228"),)}, "schedule.special"),
        ({"special": (SpecialDay(date="2026-02-28"), SpecialDay(date="2026-02-28"))}, "schedule.special"),
        ({"windows": (Hours(days=(7,)),)}, "schedule.windows"),
        ({"windows": (Hours(days=(1,), start=5, end=5),)}, "schedule.windows"),
        ({"day_off_like": 9}, "schedule.special"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(change: dict[str, object], field: str) -> None:
    values: dict[str, object] = {"windows": (Hours(days=(0,)),)} | change
    schedule = Schedule(**values)  # type: ignore[arg-type]
    with pytest.raises(RuleError) as refused:
        check(Tripwire(id="w", camera="yard", name="w", line=((0, 0), (1, 1)), schedule=schedule))
    assert refused.value.params["field"] == field

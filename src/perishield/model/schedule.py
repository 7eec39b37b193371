"""When a rule watches: hours of a week in a time zone, and days that are not like their weekday."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from perishield.model.errors import RuleError

DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A part of the day on some weekdays: `days` 0 (Monday) to 6, `start` and `end` minutes of the local day.

    `end` may be 1440. One that is not after `start` lies on the following day: 22:00 to 06:00 belongs to the day on
    which it begins.
    """

    days: tuple[int, ...]
    start: int = 0
    end: int = DAY_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    """A date (`YYYY-MM-DD`, local) that counts as a day off, or as a working day, whatever its weekday."""

    date: str
    counts_as: Literal["day_off", "working"] = "day_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`timezone` is an IANA name, empty for UTC. A day off has the hours of weekday `day_off_like` (Sunday), a working
    day those of `working_like` (Monday)."""

    windows: tuple[Hours, ...]
    timezone: str = ""
    special: tuple[SpecialDay, ...] = ()
    day_off_like: int = 6
    working_like: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSchedule:
    """Hours that are set down once and used by many: rules, tasks and channels name them by `id`."""

    id: str
    name: str
    schedule: Schedule
    revision: int = 0


def two_schedules(name: str, schedule: str, *, of: str = "rule") -> RuleError:
    """What has hours of its own names that schedule, too."""
    return RuleError(
        f"{of} {name!r}: has hours of its own and names the schedule {schedule!r}; send one of the two, and null for "
        "the other",
        field="schedule_id",
        why="two_schedules",
    )


def check_schedule(name: str, schedule: Schedule, *, of: str = "rule") -> None:
    """Raise RuleError where it makes no sense; `name` is that of the rule, or of what else has it (`of`)."""
    if not schedule.windows:
        raise RuleError(
            f"{of} {name!r}: a schedule without hours would never watch; add some, or disarm the {of}",
            field="schedule.windows",
        )
    if len(schedule.windows) > 200 or len(schedule.special) > 1000:
        raise RuleError(
            f"{of} {name!r}: a schedule holds at most 200 windows and 1000 special days", field="schedule.windows"
        )
    for hours in schedule.windows:
        if not hours.days or not set(hours.days) <= set(range(7)):
            raise RuleError(f"{of} {name!r}: days are 0 (Monday) to 6 (Sunday)", field="schedule.windows")
        if not (0 <= hours.start < DAY_MINUTES and 0 <= hours.end <= DAY_MINUTES) or hours.start == hours.end:
            raise RuleError(
                f"{of} {name!r}: hours run from minute 0 to 1440 of the day, and are not empty",
                field="schedule.windows",
            )
    seen: set[str] = set()
    for day in schedule.special:
        try:
            dt.date.fromisoformat(day.date)
        except ValueError:
            raise RuleError(
                f"{of} {name!r}: {day.date!r} is no date; write 2026-12-25", field="schedule.special"
            ) from None
        if len(day.date) != 10:
            raise RuleError(f"{of} {name!r}: {day.date!r} is no date; write 2026-12-25", field="schedule.special")
        if day.date in seen:
            raise RuleError(f"{of} {name!r}: {day.date} is there twice", field="schedule.special")
        seen.add(day.date)
    if not (0 <= schedule.day_off_like <= 6 and 0 <= schedule.working_like <= 6):
        raise RuleError(
            f"{of} {name!r}: a special day is like a weekday, 0 (Monday) to 6 (Sunday)", field="schedule.special"
        )
    try:
        ZoneInfo(schedule.timezone or "UTC")
    except (KeyError, ValueError, OSError):
        raise RuleError(
            f"{of} {name!r}: {schedule.timezone!r} is no time zone of the IANA database, such as Europe/Berlin or "
            "Asia/Shanghai",
            field="schedule.timezone",
        ) from None

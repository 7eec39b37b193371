"""Whether a schedule watches at a moment."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from perishield.model.schedule import DAY_MINUTES, Schedule

_MINUTE_S = 60


class Timetable:
    """One schedule, asked at moments that mostly follow each other.

    Hours are wall-clock hours of the zone: one that summer time skips is not watched, one that it repeats is watched
    twice. What runs over midnight belongs to the day on which it begins, special days included.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._zone = ZoneInfo(schedule.timezone or "UTC")
        self._special = {
            dt.date.fromisoformat(day.date): (
                schedule.day_off_like if day.counts_as == "day_off" else schedule.working_like
            )
            for day in schedule.special
        }
        self._today: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        self._after: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        for hours in schedule.windows:
            for day in set(hours.days):
                if hours.end > hours.start:
                    self._today[day].append((hours.start, hours.end))
                else:
                    self._today[day].append((hours.start, DAY_MINUTES))
                    self._after[day].append((0, hours.end))
        self._minute = -1
        self._open = False

    def watches(self, wall: float) -> bool:
        """Whether it does at this moment, in Unix seconds."""
        minute = int(wall // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._open = minute, self._at(minute)
        return self._open

    def _at(self, minute: int) -> bool:
        local = dt.datetime.fromtimestamp(minute * _MINUTE_S, self._zone)
        today = local.date()
        at = local.hour * 60 + local.minute
        if any(start <= at < end for start, end in self._today[self._like(today)]):
            return True
        if today == dt.date.min:
            return False
        yesterday = self._like(today - dt.timedelta(days=1))
        return any(start <= at < end for start, end in self._after[yesterday])

    def _like(self, date: dt.date) -> int:
        return self._special.get(date, date.weekday())

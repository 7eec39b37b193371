"""Named schedules as the API takes them in, and gives them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from perishield.api.bodies import Id, Name, Revision
from perishield.api.problems import ProblemError
from perishield.api.rule_body import ScheduleBody
from perishield.model.schedule import NamedSchedule, Schedule, check_schedule
from perishield.store.schedules import Part, Use, hold_schedule

MOST_SCHEDULES = 1000
_PARTS: dict[Part, str] = {"route": "hours", "quiet": "quiet hours"}


class NamedScheduleBody(BaseModel):
    """Hours that rules, tasks and channels name by `schedule_id`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "night",
                    "name": "Night shift",
                    "schedule": {
                        "timezone": "Europe/Berlin",
                        "windows": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1320, "end": 360}],
                        "special": [{"date": "2026-12-25", "counts_as": "day_off"}],
                    },
                }
            ]
        },
    )

    id: Id | None = None
    name: Name
    schedule: ScheduleBody
    revision: Revision | None = Field(default=None, description="On PUT: refuse with 412 when it has another by now.")

    def named(self, name: str) -> NamedSchedule:
        """Under that id. Raises RuleError where the schedule makes no sense."""
        schedule = msgspec.convert(self.schedule.model_dump(), Schedule)
        check_schedule(self.name, schedule, of="schedule")
        return NamedSchedule(id=name, name=self.name, schedule=schedule)


class ChannelUseOut(TypedDict):
    """`parts`: `route`, `quiet` or both."""

    id: str
    name: str
    parts: list[Part]


class NamedScheduleOut(TypedDict):
    """`rules`, `tasks`: how many within reach go by it; `channels`: those that do, and for what."""

    id: str
    name: str
    schedule: dict[str, Any]
    rules: int
    tasks: int
    channels: list[ChannelUseOut]
    revision: int


class NamedSchedulesOut(TypedDict):
    items: list[NamedScheduleOut]
    total: int


def schedule_out(schedule: NamedSchedule, uses: Sequence[Use]) -> NamedScheduleOut:
    """`uses`: those within reach, of this schedule or of all."""
    its = [use for use in uses if use.schedule == schedule.id]
    kinds = [use.kind for use in its]
    return {
        "id": schedule.id,
        "name": schedule.name,
        "schedule": msgspec.to_builtins(schedule.schedule),
        "rules": kinds.count("rule"),
        "tasks": kinds.count("task"),
        "channels": [
            {"id": use.id, "name": use.name, "parts": list(use.parts)} for use in its if use.kind == "channel"
        ],
        "revision": schedule.revision,
    }


async def check_named(session: AsyncSession, schedule: str | None, field: str = "schedule_id") -> None:
    """Raises ProblemError (422) where something names, in that field, a schedule that is not there."""
    if schedule is not None and not await hold_schedule(session, schedule):
        raise ProblemError(
            422,
            f"{field}: there is no schedule {schedule!r}",
            field=field,
            why="no_schedule",
            name=schedule,
        )


def too_many() -> ProblemError:
    return ProblemError(
        409, f"there are {MOST_SCHEDULES} schedules already; remove some first", why="too_many", limit=MOST_SCHEDULES
    )


def in_use(schedule: NamedSchedule, uses: Sequence[Use]) -> ProblemError:
    """The refusal to delete it. It names the first ten that go by it; `params` has a hundred of each kind by id."""
    shown = ", ".join(_told(use) for use in uses[:10])
    more = f" and {len(uses) - 10} more" if len(uses) > 10 else ""
    return ProblemError(
        409,
        f"schedule {schedule.name!r}: in use by {shown}{more}; give them other hours first",
        code="in_use",
        why="schedule_in_use",
        count=len(uses),
        names=", ".join(use.name for use in uses[:10]) + ("…" if more else ""),
        rules=[use.id for use in uses if use.kind == "rule"][:100],
        tasks=[use.id for use in uses if use.kind == "task"][:100],
        channels=[use.id for use in uses if use.kind == "channel"][:100],
    )


def _told(use: Use) -> str:
    if use.kind == "channel":
        return f"{' and '.join(_PARTS[part] for part in use.parts)} of channel {use.name!r}"
    return f"{use.kind} {use.name!r} of camera {use.camera!r}"

"""Tasks as the API takes them in."""

from __future__ import annotations

from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from perishield.api.bodies import Id, Name, Revision, Share
from perishield.api.rule_body import ScheduleBody
from perishield.model.schedule import Schedule, check_schedule, two_schedules
from perishield.model.tasks import Task

MODEL = r"^(?:[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?(?:@[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)?)?$"
"""`NAME@VERSION`, the name of a network laid down by hand, `motion`, or empty."""


class TaskBody(BaseModel):
    """Which model looks at which camera, and when. `fps` and `min_score` null: as the camera's analysis has them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Gate at night",
                    "camera": "gate",
                    "model": "yolox-nano",
                    "schedule": {
                        "timezone": "Europe/Berlin",
                        "windows": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1200, "end": 420}],
                    },
                    "priority": 10,
                }
            ]
        },
    )

    id: Id | None = None
    name: Name
    camera: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    model: Annotated[str, StringConstraints(max_length=128, pattern=MODEL)] = Field(
        default="", description="An installed model's id, `motion`, or empty for what the site sees with."
    )
    schedule: ScheduleBody | None = Field(default=None, description="null: always, or as `schedule_id` says")
    schedule_id: Id | None = Field(default=None, description="A named schedule, instead of `schedule`.")
    started: StrictBool = Field(default=True, description="On PUT it stays as it is: see /start and /stop.")
    priority: Annotated[int, Field(strict=True, ge=-100, le=100)] = 0
    fps: Annotated[float, Field(strict=True, gt=0, le=60, allow_inf_nan=False)] | None = None
    min_score: Share | None = None
    revision: Revision | None = Field(default=None, description="On PUT: refuse with 409 when it has another by now.")

    def task(self, name: str) -> Task:
        """Under that id. Raises RuleError where the schedule makes no sense."""
        if self.schedule is not None and self.schedule_id is not None:
            raise two_schedules(self.name, self.schedule_id, of="task")
        schedule = None
        if self.schedule is not None:
            schedule = msgspec.convert(self.schedule.model_dump(), Schedule)
            check_schedule(self.name, schedule, of="task")
        return Task(
            id=name,
            name=self.name,
            camera=self.camera,
            model=self.model,
            schedule=schedule,
            schedule_id=self.schedule_id,
            started=self.started,
            priority=self.priority,
            fps=self.fps,
            min_score=self.min_score,
        )

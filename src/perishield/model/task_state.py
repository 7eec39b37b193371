"""How tasks stand, as the vision process tells it. Lean: the bus imports this."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TaskCondition(StrEnum):
    """How a task stands at this moment."""

    PENDING = "pending"
    """It was changed, and the vision process has not taken that up yet."""
    STOPPED = "stopped"
    CAMERA_OFF = "camera_off"
    """Its camera, or that camera's analysis, is switched off."""
    OFF_SCHEDULE = "off_schedule"
    STANDBY = "standby"
    """Another task of the camera goes first."""
    LOADING = "loading"
    """Its model is being made ready; what the site uses sees meanwhile."""
    WAITING = "waiting"
    """No stream comes from the camera."""
    RUNNING = "running"
    FAILED = "failed"
    """`code` and `message` say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """`since`: Unix seconds of the condition's beginning. `model`: what looks at the camera for this task, or empty.

    `pictures`: analysed for it since the vision process began. `first`: for `standby`, the id of the task that goes
    first.
    """

    task: str
    condition: TaskCondition
    since: float
    model: str = ""
    provider: str = ""
    pictures: int = 0
    code: str = ""
    message: str = ""
    first: str = ""

"""What the API tells of tasks."""

from __future__ import annotations

from typing import Any

import msgspec
from typing_extensions import TypedDict

from perishield.api.times import iso
from perishield.model.task_state import TaskState
from perishield.model.tasks import Task


class TaskStateOut(TypedDict):
    """`condition`: pending, stopped, camera_off, off_schedule, standby, loading, waiting, running or failed.

    `model`: what looks now; `first`: of a task on standby, the one that goes first; `code` and `message`: why it fails
    or waits.
    """

    condition: str
    since: str
    model: str
    provider: str
    pictures: int
    first: str
    code: str
    message: str


class TaskOut(TypedDict):
    id: str
    name: str
    camera: str
    model: str
    schedule: dict[str, Any] | None
    schedule_id: str | None
    started: bool
    priority: int
    fps: float | None
    min_score: float | None
    revision: int
    state: TaskStateOut


class TasksOut(TypedDict):
    items: list[TaskOut]
    total: int


def state_out(state: TaskState) -> TaskStateOut:
    return {
        "condition": state.condition.value,
        "since": iso(state.since),
        "model": state.model,
        "provider": state.provider,
        "pictures": state.pictures,
        "first": state.first,
        "code": state.code,
        "message": state.message,
    }


def task_row(task: Task) -> dict[str, Any]:
    """What was set, as a file of tasks has it."""
    found: dict[str, Any] = msgspec.to_builtins(task)
    del found["revision"]
    return found


def task_out(task: Task, state: TaskStateOut) -> TaskOut:
    return {
        "id": task.id,
        "name": task.name,
        "camera": task.camera,
        "model": task.model,
        "schedule": msgspec.to_builtins(task.schedule) if task.schedule is not None else None,
        "schedule_id": task.schedule_id,
        "started": task.started,
        "priority": task.priority,
        "fps": task.fps,
        "min_score": task.min_score,
        "revision": task.revision,
        "state": state,
    }

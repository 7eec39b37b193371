"""Tasks: which model looks at which camera, and when."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.schedule import Schedule
from perishield.model.tasks import Task
from perishield.store.tables_tasks import TaskTable


async def list_tasks(session: AsyncSession) -> list[Task]:
    """All of them, in the order in which they were made."""
    rows = await session.scalars(select(TaskTable).order_by(TaskTable.created, TaskTable.id))
    return [_task(row) for row in rows]


async def get_task(session: AsyncSession, task: str) -> Task | None:
    row = await session.get(TaskTable, task)
    return _task(row) if row else None


async def count_tasks(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(TaskTable)) or 0


async def task_of_model(session: AsyncSession, model: str) -> str | None:
    """The id of a task that looks with this model; None where none does."""
    return await session.scalar(select(TaskTable.id).where(TaskTable.model == model).order_by(TaskTable.id).limit(1))


async def add_task(session: AsyncSession, task: Task) -> Task:
    """Keep a new task at revision 1. The caller has made sure that its id is free and its camera exists."""
    row = TaskTable(id=task.id, revision=1, created=time.time())
    _fill(row, task)
    session.add(row)
    await session.flush()
    return _task(row)


async def update_task(session: AsyncSession, task: Task, expected: int | None) -> Task | None:
    """Change a task and count its revision up; whether it is started stays as it is.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(TaskTable, task.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    started = row.started
    _fill(row, task)
    row.started = started
    row.revision += 1
    await session.flush()
    return _task(row)


async def start_task(session: AsyncSession, task: str, *, started: bool) -> Task | None:
    """Start or stop a task, leaving its revision as it is: whoever is editing it loses nothing. None: it is gone."""
    row = await session.get(TaskTable, task, with_for_update=True, populate_existing=True)
    if row is None:
        return None
    row.started = started
    await session.flush()
    return _task(row)


async def delete_task(session: AsyncSession, task: str) -> bool:
    gone = await session.scalars(delete(TaskTable).where(TaskTable.id == task).returning(TaskTable.id))
    return gone.first() is not None


def _fill(row: TaskTable, task: Task) -> None:
    row.name = task.name
    row.camera = task.camera
    row.model = task.model
    row.schedule = msgspec.json.encode(task.schedule).decode() if task.schedule is not None else ""
    row.schedule_id = task.schedule_id
    row.started = task.started
    row.priority = task.priority
    row.fps = task.fps
    row.min_score = task.min_score


def _task(row: TaskTable) -> Task:
    return Task(
        id=row.id,
        name=row.name,
        camera=row.camera,
        model=row.model,
        schedule=msgspec.json.decode(row.schedule, type=Schedule) if row.schedule else None,
        schedule_id=row.schedule_id,
        started=row.started,
        priority=row.priority,
        fps=row.fps,
        min_score=row.min_score,
        revision=row.revision,
    )

"""Tasks in the store; `test_tasks_postgresql.py` runs the same on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from perishield.model.schedule import Hours, Schedule, SpecialDay
from perishield.model.site import Camera
from perishield.model.tasks import Task
from perishield.store.cameras import add_camera, delete_camera
from perishield.store.database import Database
from perishield.store.tasks import (
    add_task,
    count_tasks,
    delete_task,
    get_task,
    list_tasks,
    start_task,
    task_of_model,
    update_task,
)

GATE = Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/1")
NIGHT = Task(
    id="night",
    name="Night",
    camera="gate",
    model="infrared@2",
    schedule=Schedule(
        windows=(Hours(days=(0, 4), start=1320, end=360),),
        timezone="Europe/Berlin",
        special=(SpecialDay(date="2026-12-25"),),
    ),
    priority=-3,
    fps=2.5,
    min_score=0.45,
)


@pytest.fixture
async def stored(database: Database) -> Database:
    async with database.write() as session:
        await add_camera(session, GATE)
        await add_task(session, NIGHT)
        await add_task(session, Task(id="day", name="Day", camera="gate"))
    return database


async def test_a_task_comes_back_as_it_was_given(stored: Database) -> None:
    async with stored.read() as session:
        assert await list_tasks(session) == [
            replace(NIGHT, revision=1),
            Task(id="day", name="Day", camera="gate", revision=1),
        ]
        assert await get_task(session, "night") == replace(NIGHT, revision=1)
        assert await get_task(session, "noon") is None
        assert await count_tasks(session) == 2
        assert await task_of_model(session, "infrared@2") == "night"
        assert await task_of_model(session, "people@1") is None


async def test_who_changes_an_older_revision_changes_nothing(stored: Database) -> None:
    async with stored.write() as session:
        found = await update_task(session, replace(NIGHT, name="Late", schedule=None, fps=None), 1)
        assert found == replace(NIGHT, name="Late", schedule=None, fps=None, revision=2)
        assert await update_task(session, replace(NIGHT, name="Later"), 1) is None
        assert await update_task(session, replace(NIGHT, id="noon"), None) is None
    async with stored.read() as session:
        assert await get_task(session, "night") == found


async def test_starting_and_stopping_leaves_the_revision_and_changing_leaves_the_start(stored: Database) -> None:
    async with stored.write() as session:
        assert await start_task(session, "night", started=False) == replace(NIGHT, started=False, revision=1)
        assert await update_task(session, NIGHT, 1) == replace(NIGHT, started=False, revision=2)
        assert await start_task(session, "noon", started=True) is None


async def test_a_task_goes_with_its_camera_and_cannot_be_without_one(stored: Database) -> None:
    async with stored.write() as session:
        assert await delete_task(session, "day")
        assert not await delete_task(session, "day")
        await delete_camera(session, "gate")
    async with stored.read() as session:
        assert await list_tasks(session) == []
    with pytest.raises(IntegrityError):
        async with stored.write() as session:
            await add_task(session, NIGHT)

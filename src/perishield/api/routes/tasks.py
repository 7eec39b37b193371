"""Tasks: which model looks at which camera, and when; started, stopped, and how they stand."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.problems import ProblemError, not_found
from perishield.api.schedule_body import check_named
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.api.task_body import TaskBody
from perishield.api.task_checks import MOST_TASKS, check_camera, check_model, too_many
from perishield.api.task_out import TaskOut, TasksOut, task_out
from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.model.task_state import TaskCondition
from perishield.model.tasks import Task
from perishield.store.chain import append_audit
from perishield.store.tasks import (
    add_task,
    count_tasks,
    delete_task,
    get_task,
    list_tasks,
    start_task,
    update_task,
)

router = APIRouter(prefix="/tasks", tags=["tasks"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Changing = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]
Short = Annotated[str, Query(max_length=128)]


@router.get("", summary="Tasks with how they stand, a page at a time")
async def listed(
    parts: Parts,
    user: Looking,
    search: Annotated[str, Query(max_length=64, description="A part of the name or id")] = "",
    camera: Annotated[str, Query(max_length=63)] = "",
    model: Annotated[Short | None, Query(description="Empty: those with the site's model")] = None,
    started: bool | None = None,
    condition: TaskCondition | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> TasksOut:
    async with parts.database.read() as session:
        tasks = [task for task in await list_tasks(session) if user.reach.sees(task.camera)]
    wanted = search.strip().casefold()
    found = [
        task
        for task in tasks
        if (not wanted or wanted in task.name.casefold() or wanted in task.id)
        and (not camera or task.camera == camera)
        and (model is None or task.model == model)
        and (started is None or task.started is started)
        and (condition is None or parts.task_book.state(task).condition is condition)
    ]
    page = found[offset : offset + limit]
    return {"items": [_out(parts, task) for task in page], "total": len(found)}


@router.post("", status_code=201, summary="Set a task")
async def added(body: TaskBody, parts: Parts, user: Changing, request: Request, response: Response) -> TaskOut:
    task = body.task(body.id or uuid4().hex[:12])
    await check_model(parts, task)
    async with parts.database.write() as session:
        await check_camera(session, task, user)
        await check_named(session, task.schedule_id)
        if await get_task(session, task.id) is not None:
            raise ProblemError(
                409, f"task {task.id!r}: there is one already; choose another id", field="id", why="id_taken"
            )
        if await count_tasks(session) >= MOST_TASKS:
            raise too_many()
        task = await add_task(session, task)
        await append_audit(session, _entry(request, user, "task.add", task))
    await parts.site.publish()
    response.headers["etag"] = tag(task.revision)
    return _out(parts, task)


@router.get("/{task}", summary="One task, and how it stands")
async def shown(task: str, parts: Parts, user: Looking, response: Response) -> TaskOut:
    async with parts.database.read() as session:
        found = await _found(session, task, user)
    response.headers["etag"] = tag(found.revision)
    return _out(parts, found)


@router.put("/{task}", summary="Change a task")
async def changed(
    task: str,
    body: TaskBody,
    parts: Parts,
    user: Changing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> TaskOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile. Whether it is started stays as it is."""
    revision = expected(if_match, body.revision)
    wanted = body.task(task)
    await check_model(parts, wanted)
    async with parts.database.write() as session:
        before = await _found(session, task, user)
        await check_camera(session, wanted, user)
        await check_named(session, wanted.schedule_id)
        found = await update_task(session, wanted, revision)
        if found is None:
            raise stale("task", task, before.revision)
        await append_audit(session, _entry(request, user, "task.change", found))
    await parts.site.publish()
    response.headers["etag"] = tag(found.revision)
    return _out(parts, found)


@router.delete(
    "/{task}", status_code=204, summary="Remove a task; a camera without any is looked at by the site's model"
)
async def removed(task: str, parts: Parts, user: Changing, request: Request) -> None:
    async with parts.database.write() as session:
        before = await _found(session, task, user)
        if not await delete_task(session, task):
            raise not_found("task", task)
        await append_audit(session, _entry(request, user, "task.remove", before))
    await parts.site.publish()


@router.post("/{task}/start", summary="Look, as far as the schedule says so; takes effect at once")
async def started(task: str, parts: Parts, user: Changing, request: Request) -> TaskOut:
    return await _start(task, parts, user, request, on=True)


@router.post("/{task}/stop", summary="Look no more until started again; takes effect at once")
async def stopped(task: str, parts: Parts, user: Changing, request: Request) -> TaskOut:
    return await _start(task, parts, user, request, on=False)


async def _start(task: str, parts: Services, user: Identity, request: Request, *, on: bool) -> TaskOut:
    async with parts.database.write() as session:
        before = await _found(session, task, user)
        found = await start_task(session, task, started=on)
        if found is None:
            raise not_found("task", task)
        if found.started != before.started:
            await append_audit(session, _entry(request, user, "task.start" if on else "task.stop", found))
    if found.started != before.started:
        await parts.site.publish()
    return _out(parts, found)


async def _found(session: AsyncSession, task: str, user: Identity) -> Task:
    found = await get_task(session, task[:63])
    if found is None or not user.reach.sees(found.camera):
        raise not_found("task", task[:63])
    return found


def _out(parts: Services, task: Task) -> TaskOut:
    return task_out(task, parts.task_book.out(task))


def _entry(request: Request, user: Identity, action: str, task: Task) -> AuditEntry:
    return audited(
        request, user, action, kind="task", target=task.id, camera=task.camera, name=task.name, model=task.model
    )

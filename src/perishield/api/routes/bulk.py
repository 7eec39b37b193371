"""Tasks, rules, schedules, groups and channels by the file: given out, and taken in, all of it or nothing.

Cameras have routes of their own (`camera_lists`), since their rows name the groups that they are in.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from perishield.api.bulk import ImportOut, give_out, take_in
from perishield.api.bulk_channels import Channels
from perishield.api.bulk_kinds import Groups, Rules, Tasks
from perishield.api.bulk_schedules import Schedules
from perishield.api.examples import file_body
from perishield.api.security import Identity, Parts, may
from perishield.model.access import Action

router = APIRouter(prefix="/bulk")

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Tasking = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT, everywhere=True))]
Ruling = Annotated[Identity, Depends(may(Action.RULES_EDIT, everywhere=True))]
Managing = Annotated[Identity, Depends(may(Action.PEOPLE_EDIT))]
Telling = Annotated[Identity, Depends(may(Action.CHANNELS_EDIT))]
Form = Annotated[Literal["csv", "json"], Query(alias="format")]


@router.get("/tasks", tags=["tasks"], summary="All tasks within reach as a file", response_class=Response)
async def tasks_out(parts: Parts, user: Looking, request: Request, form: Form = "csv") -> Response:
    return await give_out(Tasks(parts, user), parts, user, request, form)


@router.post(
    "/tasks",
    tags=["tasks"],
    summary="Set and change tasks by a CSV or JSON file: all of it, or nothing",
    openapi_extra=file_body("tasks", {"id": "night", "name": "Gate at night", "camera": "gate", "model": "motion"}),
)
async def tasks_in(parts: Parts, user: Tasking, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the id of a task that is there changes what it names, `started` included; others are added."""
    return await take_in(Tasks(parts, user), parts, user, request, dry_run=dry_run)


@router.get("/rules", tags=["rules"], summary="All rules within reach as a file", response_class=Response)
async def rules_out(parts: Parts, user: Looking, request: Request, form: Form = "csv") -> Response:
    return await give_out(Rules(parts, user), parts, user, request, form)


@router.post(
    "/rules",
    tags=["rules"],
    summary="Draw and change rules by a CSV or JSON file: all of it, or nothing",
    openapi_extra=file_body(
        "rules", {"kind": "tripwire", "camera": "gate", "name": "Gate line", "line": [[0.1, 0.6], [0.9, 0.6]]}
    ),
)
async def rules_in(parts: Parts, user: Ruling, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the id of a rule that is there changes what it names, its schedule and arming included."""
    return await take_in(Rules(parts, user), parts, user, request, dry_run=dry_run)


@router.get("/schedules", tags=["schedules"], summary="All named schedules as a file", response_class=Response)
async def schedules_out(parts: Parts, user: Looking, request: Request, form: Form = "csv") -> Response:
    return await give_out(Schedules(), parts, user, request, form)


@router.post(
    "/schedules",
    tags=["schedules"],
    summary="Set down and change schedules by a CSV or JSON file: all of it, or nothing",
    openapi_extra=file_body(
        "schedules",
        {"id": "night", "name": "Night shift", "schedule": {"windows": [{"days": [0, 1], "start": 1320, "end": 360}]}},
    ),
)
async def schedules_in(parts: Parts, user: Ruling, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the id of a schedule that is there changes what it names; take schedules in before what names them."""
    return await take_in(Schedules(), parts, user, request, dry_run=dry_run)


@router.get("/groups", tags=["cameras"], summary="Sites and other groups as a file", response_class=Response)
async def groups_out(parts: Parts, user: Managing, request: Request, form: Form = "csv") -> Response:
    return await give_out(Groups(parts, user), parts, user, request, form)


@router.post(
    "/groups",
    tags=["cameras"],
    summary="Make and change sites and groups by a CSV or JSON file: all of it, or nothing",
    openapi_extra=file_body("groups", {"name": "North site", "kind": "site", "cameras": ["gate", "yard"]}),
)
async def groups_in(parts: Parts, user: Managing, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the name of a group that is there changes what it names; others are added."""
    return await take_in(Groups(parts, user), parts, user, request, dry_run=dry_run)


@router.get("/channels", tags=["channels"], summary="Channels as a file, without secrets", response_class=Response)
async def channels_out(parts: Parts, user: Telling, request: Request, form: Form = "csv") -> Response:
    return await give_out(Channels(user), parts, user, request, form)


@router.post(
    "/channels",
    tags=["channels"],
    summary="Add and change channels by a CSV or JSON file: all of it, or nothing",
    openapi_extra=file_body(
        "channels", {"name": "Guards", "target": {"kind": "dingtalk"}, "secrets": {"token": "0123"}}
    ),
)
async def channels_in(parts: Parts, user: Telling, request: Request, dry_run: bool = False) -> ImportOut:
    """A row with the id of a channel that is there changes what it names; its secrets stay while its address does."""
    return await take_in(Channels(user), parts, user, request, dry_run=dry_run)

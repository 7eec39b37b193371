"""Sites and other groups of cameras."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.grouping import may_widen
from perishield.api.people_body import GroupBody
from perishield.api.people_out import GroupOut, GroupsOut, group_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.model.people import CameraGroup, GroupKind
from perishield.store.chain import append_audit
from perishield.store.groups import (
    add_group,
    delete_group,
    get_group,
    group_in_use,
    group_named,
    list_groups,
    unknown_cameras,
    update_group,
)

router = APIRouter(prefix="/groups", tags=["cameras"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
# Whoever may put cameras into groups decides who sees them.
Managing = Annotated[Identity, Depends(may(Action.PEOPLE_EDIT))]


@router.get("", summary="Groups by name, a page at a time; `cameras` has those within reach")
async def listed(
    parts: Parts,
    user: Looking,
    kind: GroupKind | None = None,
    search: Annotated[str, Query(max_length=64)] = "",
    camera: Annotated[str, Query(max_length=63)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> GroupsOut:
    """Who does not see all cameras gets the groups in which there is one that they see."""
    wide = user.reach.cameras is None
    async with parts.database.read() as session:
        groups, total = await list_groups(
            session,
            kind=kind or "",
            search=search.strip(),
            camera=camera,
            limit=limit if wide else 10_000,
            offset=offset if wide else 0,
        )
    if not wide:
        seen = [_within(group, user) for group in groups]
        kept = [group for group in seen if group.cameras and (not camera or camera in group.cameras)]
        groups, total = kept[offset : offset + limit], len(kept)
    return {"items": [group_out(group) for group in groups], "total": total}


@router.post("", status_code=201, summary="Make a group")
async def added(body: GroupBody, parts: Parts, user: Managing, request: Request) -> GroupOut:
    try:
        async with parts.database.write() as session:
            await _check(session, body)
            wanted = body.group(None)
            group = await add_group(
                session, wanted.name, wanted.kind, wanted.note, wanted.cameras, adjoining=wanted.adjoining
            )
            await append_audit(session, _entry(request, user, "group.add", group))
    except IntegrityError as error:
        raise _taken(body.name) from error
    await parts.people.access.reload()
    return group_out(group)


@router.get("/{group}", summary="One group")
async def shown(group: str, parts: Parts, user: Looking, response: Response) -> GroupOut:
    async with parts.database.read() as session:
        found = await get_group(session, group[:32])
    if found is None or not (user.reach.cameras is None or _within(found, user).cameras):
        raise not_found("group", group[:32])
    response.headers["etag"] = tag(found.revision)
    return group_out(_within(found, user))


@router.put("/{group}", summary="Change a group, or who is in it")
async def changed(
    group: str,
    body: GroupBody,
    parts: Parts,
    user: Managing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> GroupOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile."""
    revision = expected(if_match, body.revision)
    try:
        async with parts.database.write() as session:
            before = await get_group(session, group[:32])
            if before is None:
                raise not_found("group", group[:32])
            await _check(session, body, before.id)
            await may_widen(session, user, before, body.cameras)
            found = await update_group(session, body.group(before), revision)
            if found is None:
                raise stale("group", before.name, before.revision)
            await append_audit(session, _entry(request, user, "group.change", found))
    except IntegrityError as error:
        raise _taken(body.name) from error
    await parts.people.access.reload()
    response.headers["etag"] = tag(found.revision)
    return group_out(found)


@router.delete("/{group}", status_code=204, summary="Delete a group that no role speaks of; its cameras stay")
async def removed(group: str, parts: Parts, user: Managing, request: Request) -> None:
    try:
        async with parts.database.write() as session:
            found = await get_group(session, group[:32])
            if found is None:
                raise not_found("group", group[:32])
            roles = await group_in_use(session, found.id)
            if roles:
                raise ProblemError(
                    409, f"group {found.name!r}: {roles} roles grant something there; change them first", code="in_use"
                )
            await delete_group(session, found.id)
            await append_audit(session, _entry(request, user, "group.remove", found))
    except IntegrityError as error:
        raise ProblemError(409, "a role was granted something there this very moment", code="in_use") from error
    await parts.people.access.reload()


async def _check(session: AsyncSession, body: GroupBody, group: str = "") -> None:
    named = await group_named(session, body.name)
    if named is not None and named != group:
        raise _taken(body.name)
    missing = await unknown_cameras(session, body.cameras)
    if missing:
        raise ProblemError(
            422, f"cameras: there is no camera {missing[0]!r}", field="cameras", why="no_camera", name=missing[0]
        )


def _within(group: CameraGroup, user: Identity) -> CameraGroup:
    return replace(group, cameras=tuple(camera for camera in group.cameras if user.reach.sees(camera)))


def _entry(request: Request, user: Identity, action: str, group: CameraGroup) -> AuditEntry:
    return audited(request, user, action, kind="group", target=group.id, name=group.name, cameras=list(group.cameras))


def _taken(name: str) -> ProblemError:
    return ProblemError(
        409, f"group {name!r}: there is one of that name; choose another", field="name", why="name_taken"
    )

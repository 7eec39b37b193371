"""Roles: what people may do, and at which groups of cameras."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.people_body import RoleBody
from perishield.api.people_out import RoleOut, RolesOut, role_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import SITEWIDE, Action, reach_for
from perishield.model.audit import AuditEntry
from perishield.model.people import Role
from perishield.store.chain import append_audit
from perishield.store.groups import group_members, unknown_groups
from perishield.store.roles import (
    add_role,
    delete_role,
    get_role,
    list_roles,
    role_in_use,
    role_named,
    update_role,
)

router = APIRouter(prefix="/roles", tags=["people"])

Managing = Annotated[Identity, Depends(may(Action.PEOPLE_EDIT))]


@router.get("", summary="All roles, and all actions that there are")
async def listed(parts: Parts, _user: Managing) -> RolesOut:
    async with parts.database.read() as session:
        roles = await list_roles(session)
        items = [role_out(role, await role_in_use(session, role.id)) for role in roles]
    return {"items": items, "total": len(items), "actions": [action.value for action in Action]}


@router.post("", status_code=201, summary="Make a role")
async def added(body: RoleBody, parts: Parts, user: Managing, request: Request) -> RoleOut:
    try:
        async with parts.database.write() as session:
            await _check(session, user, body)
            grants = {group: frozenset(allowed) for group, allowed in body.grants.items() if allowed}
            role = await add_role(session, body.name, body.actions, grants, totp=body.totp)
            await append_audit(session, _entry(request, user, "role.add", role))
    except IntegrityError as error:
        raise _taken(body.name) from error
    await parts.people.access.reload()
    return role_out(role, 0)


@router.get("/{role}", summary="One role")
async def shown(role: str, parts: Parts, _user: Managing, response: Response) -> RoleOut:
    async with parts.database.read() as session:
        found = await get_role(session, role[:32])
        if found is None:
            raise not_found("role", role[:32])
        users = await role_in_use(session, found.id)
    response.headers["etag"] = tag(found.revision)
    return role_out(found, users)


@router.put("/{role}", summary="Change a role; whoever has it may do so from now on")
async def changed(
    role: str,
    body: RoleBody,
    parts: Parts,
    user: Managing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> RoleOut:
    """Of a built-in role only whether it needs a second factor can be changed."""
    revision = expected(if_match, body.revision)
    try:
        async with parts.database.write() as session:
            before = await get_role(session, role[:32], lock=True)
            if before is None:
                raise not_found("role", role[:32])
            grants = {group: frozenset(allowed) for group, allowed in body.grants.items() if allowed}
            wanted = replace(before, name=body.name, actions=frozenset(body.actions), grants=grants, totp=body.totp)
            if before.built_in and replace(wanted, totp=before.totp) != before:
                raise ProblemError(
                    409, f"role {before.name!r} is built in; make one of your own and give it out", code="built_in"
                )
            members = await group_members(session)
            if not user.reach.covers(reach_for(before.actions, before.grants, members)):
                raise ProblemError(
                    403, f"role {before.name!r} allows more than you may yourself", why="more_than_yours"
                )
            if not before.built_in:
                await _check(session, user, body, before.id)
            found = await update_role(session, wanted, revision)
            if found is None:
                raise stale("role", before.name, before.revision)
            if before.built_in:
                found = replace(found, actions=before.actions)
            users = await role_in_use(session, before.id)
            await append_audit(session, _entry(request, user, "role.change", found))
    except IntegrityError as error:
        raise _taken(body.name) from error
    await parts.people.access.reload()
    response.headers["etag"] = tag(found.revision)
    return role_out(found, users)


@router.delete("/{role}", status_code=204, summary="Delete a role that nobody has")
async def removed(role: str, parts: Parts, user: Managing, request: Request) -> None:
    plan = parts.people.plan
    try:
        async with parts.database.write() as session:
            found = await get_role(session, role[:32], lock=True)
            if found is None:
                raise not_found("role", role[:32])
            if found.built_in:
                raise ProblemError(409, f"role {found.name!r} is built in and stays", code="built_in")
            users = await role_in_use(session, found.id)
            if users:
                raise ProblemError(
                    409, f"role {found.name!r}: {users} accounts have it; give them another first", code="in_use"
                )
            if found.id in {plan.default_role, plan.oidc.default_role, *plan.oidc.roles.values()}:
                raise ProblemError(409, f"role {found.name!r}: the settings file names it", code="in_use")
            await delete_role(session, found.id)
            await append_audit(session, _entry(request, user, "role.remove", found))
    except IntegrityError as error:
        raise ProblemError(409, "somebody was given this role this very moment", code="in_use") from error
    await parts.people.access.reload()


async def _check(session: AsyncSession, user: Identity, body: RoleBody, role: str = "") -> None:
    named = await role_named(session, body.name)
    if named is not None and named != role:
        raise _taken(body.name)
    missing = await unknown_groups(session, body.grants)
    if missing:
        raise ProblemError(
            422, f"grants: there is no group {missing[0]!r}", field="grants", why="no_group", name=missing[0]
        )
    for group, allowed in body.grants.items():
        wide = sorted(SITEWIDE & set(allowed))
        if wide:
            raise ProblemError(
                422,
                f"grants: {wide[0].value!r} concerns no camera, so it cannot be allowed for a group",
                field="grants",
            )
        if len(set(allowed)) != len(allowed):
            raise ProblemError(422, f"grants: group {group!r} names an action twice", field="grants")
    grants = {group: frozenset(allowed) for group, allowed in body.grants.items()}
    if not user.reach.covers(reach_for(frozenset(body.actions), grants, await group_members(session))):
        raise ProblemError(403, "this role would allow more than you may yourself", why="more_than_yours")


def _entry(request: Request, user: Identity, action: str, role: Role) -> AuditEntry:
    return audited(
        request,
        user,
        action,
        kind="role",
        target=role.id,
        name=role.name,
        actions=sorted(role.actions),
        grants={group: sorted(allowed) for group, allowed in role.grants.items()},
        totp=role.totp,
    )


def _taken(name: str) -> ProblemError:
    return ProblemError(
        409, f"role {name!r}: there is one of that name; choose another", field="name", why="name_taken"
    )

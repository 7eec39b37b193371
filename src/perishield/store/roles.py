"""Roles and what they may do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.access import EVERYTHING, LOOKING, OPERATING, Action
from perishield.model.people import ADMINISTRATOR, OPERATOR, VIEWER, Role
from perishield.store.tables import AccountTable
from perishield.store.tables_people import RoleGrantTable, RoleTable

_BUILT_IN = {ADMINISTRATOR: EVERYTHING, OPERATOR: OPERATING, VIEWER: LOOKING}
"""What built-in roles may do is the program's to say: a new action is the administrator's without a migration."""


async def list_roles(session: AsyncSession) -> list[Role]:
    """The built-in ones first, then by name."""
    rows = await session.scalars(select(RoleTable).order_by(RoleTable.built_in.desc(), RoleTable.folded))
    grants: dict[str, dict[str, frozenset[Action]]] = {}
    for grant in await session.scalars(select(RoleGrantTable)):
        grants.setdefault(grant.role, {})[grant.group] = actions_read(grant.actions)
    return [_role(row, grants.get(row.id, {})) for row in rows]


async def get_role(session: AsyncSession, role: str, *, lock: bool = False) -> Role | None:
    """`lock`: nobody deletes it until this transaction ends."""
    query = select(RoleTable).where(RoleTable.id == role)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        return None
    grants = await session.scalars(select(RoleGrantTable).where(RoleGrantTable.role == role))
    return _role(row, {grant.group: actions_read(grant.actions) for grant in grants})


async def role_named(session: AsyncSession, name: str) -> str | None:
    """Its id."""
    return await session.scalar(select(RoleTable.id).where(RoleTable.folded == name.casefold()))


async def add_role(
    session: AsyncSession,
    name: str,
    actions: Iterable[Action],
    grants: Mapping[str, Iterable[Action]],
    *,
    totp: bool = False,
) -> Role:
    row = RoleTable(
        id=uuid4().hex[:12],
        name=name,
        folded=name.casefold(),
        built_in=False,
        actions=actions_text(actions),
        totp=totp,
        revision=1,
        created=time.time(),
    )
    session.add(row)
    await session.flush()
    await _grant(session, row.id, grants)
    return _role(row, {group: frozenset(allowed) for group, allowed in grants.items()})


async def update_role(session: AsyncSession, role: Role, expected: int | None) -> Role | None:
    """Change it. None where it is gone, or where its revision is not the expected one."""
    row = await session.get(RoleTable, role.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    row.name, row.folded, row.totp = role.name, role.name.casefold(), role.totp
    row.actions = actions_text(role.actions)
    row.revision += 1
    await session.execute(delete(RoleGrantTable).where(RoleGrantTable.role == role.id))
    await session.flush()
    await _grant(session, role.id, role.grants)
    return _role(row, role.grants)


async def role_in_use(session: AsyncSession, role: str) -> int:
    """How many accounts have it."""
    return (await session.scalar(select(func.count()).select_from(AccountTable).where(AccountTable.role == role))) or 0


async def delete_role(session: AsyncSession, role: str) -> None:
    """The caller has made sure that nobody has it; the database refuses otherwise (IntegrityError)."""
    await session.execute(delete(RoleTable).where(RoleTable.id == role))


async def _grant(session: AsyncSession, role: str, grants: Mapping[str, Iterable[Action]]) -> None:
    session.add_all(
        RoleGrantTable(role=role, group=group, actions=actions_text(allowed)) for group, allowed in grants.items()
    )
    await session.flush()


def actions_text(actions: Iterable[Action]) -> str:
    return json.dumps(sorted({action.value for action in actions}))


def actions_read(text: str) -> frozenset[Action]:
    """What a later version allowed and this one does not know is left out."""
    known = {action.value for action in Action}
    return frozenset(Action(name) for name in json.loads(text) if name in known)


def _role(row: RoleTable, grants: Mapping[str, frozenset[Action]]) -> Role:
    return Role(
        id=row.id,
        name=row.name,
        built_in=row.built_in,
        actions=_BUILT_IN[row.id] if row.built_in and row.id in _BUILT_IN else actions_read(row.actions),
        grants=dict(grants),
        totp=row.totp,
        revision=row.revision,
    )

"""A mark of everything that decides who may do what: it is another after every change, whoever made it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, ScalarSelect, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.tables import AccountTable
from perishield.store.tables_people import (
    ApiKeyTable,
    GroupMemberTable,
    GroupTable,
    RoleGrantTable,
    RoleTable,
    SessionTable,
)


async def rights_mark(session: AsyncSession) -> tuple[int, ...]:
    """Counts and revisions of accounts, roles, groups, and of sessions and keys that were ended; one query."""
    columns = [
        _of(func.count(AccountTable.id)),
        _of(func.sum(AccountTable.revision)),
        _of(func.sum(cast(case((AccountTable.disabled, 1), else_=0), Integer))),
        _of(func.count(RoleTable.id)),
        _of(func.sum(RoleTable.revision)),
        _of(func.count(RoleGrantTable.role)),
        _of(func.count(GroupTable.id)),
        _of(func.sum(GroupTable.revision)),
        _of(func.count(GroupMemberTable.camera)),
        _of(func.count(SessionTable.id).filter(SessionTable.revoked > 0)),
        _of(func.count(ApiKeyTable.id).filter(ApiKeyTable.revoked > 0)),
    ]
    row = (await session.execute(select(*columns))).one()
    return tuple(int(value or 0) for value in row)


def _of(counted: Any) -> ScalarSelect[Any]:
    return select(counted).scalar_subquery()

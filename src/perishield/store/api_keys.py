"""Keys of machines. The secret itself is shown once and never kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.access import Action
from perishield.store.roles import actions_read, actions_text
from perishield.store.tables_people import ApiKeyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`groups` None: at every camera. Times are Unix seconds, 0: never."""

    id: str
    name: str
    hash: str = field(repr=False)
    actions: frozenset[Action]
    groups: tuple[str, ...] | None
    made_by: str
    created: float
    expires: float
    used: float
    revoked: float


async def add_api_key(
    session: AsyncSession,
    name: str,
    secret_hash: str,
    actions: Iterable[Action],
    groups: Iterable[str] | None,
    made_by: str,
    expires: float,
) -> ApiKey:
    row = ApiKeyTable(
        id=uuid4().hex[:12],
        name=name,
        hash=secret_hash,
        actions=actions_text(actions),
        groups="" if groups is None else json.dumps(sorted(set(groups))),
        made_by=made_by,
        created=time.time(),
        expires=expires,
        used=0.0,
        revoked=0.0,
    )
    session.add(row)
    await session.flush()
    return _key(row)


async def get_api_key(session: AsyncSession, key: str) -> ApiKey | None:
    row = await session.get(ApiKeyTable, key)
    return _key(row) if row else None


async def list_api_keys(session: AsyncSession) -> list[ApiKey]:
    """The newest first."""
    return [_key(row) for row in await session.scalars(select(ApiKeyTable).order_by(ApiKeyTable.created.desc()))]


async def revoke_api_key(session: AsyncSession, key: str, at: float) -> bool:
    """False where there is none that counts."""
    gone = await session.scalars(
        update(ApiKeyTable)
        .where(ApiKeyTable.id == key, ApiKeyTable.revoked == 0)
        .values(revoked=at)
        .returning(ApiKeyTable.id)
    )
    return gone.first() is not None


async def key_used(session: AsyncSession, key: str, at: float) -> None:
    await session.execute(update(ApiKeyTable).where(ApiKeyTable.id == key).values(used=at))


def _key(row: ApiKeyTable) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        hash=row.hash,
        actions=actions_read(row.actions),
        groups=tuple(json.loads(row.groups)) if row.groups else None,
        made_by=row.made_by,
        created=row.created,
        expires=row.expires,
        used=row.used,
        revoked=row.revoked,
    )

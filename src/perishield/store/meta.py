"""Small facts of the installation: the site's revision, the setup token's hash."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.tables import MetaTable

SITE_REVISION = "site_revision"
SETUP_TOKEN = "setup_token_hash"  # noqa: S105


async def get_meta(session: AsyncSession, key: str) -> str | None:
    row = await session.get(MetaTable, key)
    return row.value if row else None


async def set_meta(session: AsyncSession, key: str, value: str | None) -> None:
    """Keep a value; None forgets it."""
    row = await session.get(MetaTable, key)
    if value is None:
        if row is not None:
            await session.delete(row)
    elif row is None:
        session.add(MetaTable(key=key, value=value))
    else:
        row.value = value


async def next_site_revision(session: AsyncSession) -> int:
    """Count the site's revision up. Call inside the write that changed the site."""
    revision = int(await get_meta(session, SITE_REVISION) or 0) + 1
    await set_meta(session, SITE_REVISION, str(revision))
    return revision

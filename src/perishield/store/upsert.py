"""Inserts that say what to do with a row that is there already, in the dialect of the database at hand."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.tables import Base


def insert_into(session: AsyncSession, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT with `on_conflict_do_update`, `on_conflict_do_nothing` and `excluded`; both dialects mean the same."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)

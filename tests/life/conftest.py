"""A real database of either kind in a temporary folder; every test of the life of alarms runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from perishield.model.alarms import Event
from perishield.model.audit import AuditEntry
from perishield.store.database import Database
from perishield.store.tables import Base

WALL = 1_790_000_000.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[Path], str]
) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        opened = await Database.open(new_database(tmp_path / "perishield.db"))
        yield opened
        await opened.close()
        return
    opened = await Database.open(request.getfixturevalue("cluster"))
    async with opened.write() as session:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    yield opened
    await opened.close()


@pytest.fixture
def make_event(make_event: Callable[..., Event]) -> Callable[..., Event]:
    """Without a way: what happens to alarms later does not ask for it."""
    return partial(make_event, path=())


@pytest.fixture
def entry() -> Callable[..., AuditEntry]:
    """What the audit log shall say of `admin`, who did something at that moment."""

    def make(action: str, at: float = WALL + 10, **fields: Any) -> AuditEntry:
        return AuditEntry(at=at, actor="a1", actor_name="admin", action=action, **fields)

    return make

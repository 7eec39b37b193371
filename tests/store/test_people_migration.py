"""Accounts of older databases find their roles, and the way back keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from perishield.store.accounts import list_accounts
from perishield.store.database import Database, sqlite_url
from perishield.store.roles import list_roles
from perishield.store.schema import MIGRATIONS

OLD = """
INSERT INTO accounts (id, username, folded, password_hash, role, created) VALUES (:id, :id, :id, 'hash', :role, 1.0)
"""


def go(connection: Connection, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, revision)


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    engine = create_async_engine(sqlite_url(path))
    async with engine.begin() as connection:
        await connection.run_sync(go, "0007")
        for name, role in (("boss", "admin"), ("looker", "viewer"), ("odd", "watchman")):
            await connection.execute(text(OLD), {"id": name, "role": role})
    await engine.dispose()
    return path


async def test_administrators_stay_and_who_had_an_unknown_role_looks(old: Path) -> None:
    database = await Database.open(sqlite_url(old))
    async with database.read() as session:
        accounts, _ = await list_accounts(session, limit=9, offset=0)
        roles = await list_roles(session)
    await database.close()
    assert {account.username: account.role for account in accounts} == {
        "boss": "admin",
        "looker": "viewer",
        "odd": "viewer",
    }
    assert not any(account.disabled or account.totp_on for account in accounts)
    assert [role.id for role in roles] == ["admin", "operator", "viewer"]


async def test_the_way_back_keeps_accounts(old: Path) -> None:
    await (await Database.open(sqlite_url(old))).close()
    engine = create_async_engine(sqlite_url(old))
    async with engine.begin() as connection:
        await connection.run_sync(lambda raw: go(raw, "0007", down=True))
        rows = await connection.execute(text("SELECT id, role, password_hash FROM accounts ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            ("boss", "admin", "hash"),
            ("looker", "viewer", "hash"),
            ("odd", "viewer", "hash"),
        ]
    await engine.dispose()

"""The database opens, migrates, guards itself and keeps its promises about transactions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from perishield.model.errors import ConfigError, StorageError
from perishield.store.database import Database, sqlite_url
from perishield.store.meta import get_meta, next_site_revision, set_meta
from perishield.store.tables import Base


async def test_migrations_make_exactly_the_tables_that_the_models_describe(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_runs_on_wal_with_foreign_keys(database: Database) -> None:
    async with database.read() as session:
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert await session.scalar(text("PRAGMA foreign_keys")) == 1


async def test_only_its_owner_may_read_the_file(database: Database, tmp_path: Path) -> None:
    async with database.write() as session:
        await set_meta(session, "a", "b")
    for file in tmp_path.glob("perishield.db*"):
        assert file.stat().st_mode & 0o077 == 0, file.name


async def test_opens_again_with_what_was_stored(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "again.db")
    first = await Database.open(url)
    async with first.write() as session:
        await set_meta(session, "greeting", "hello")
    await first.close()
    second = await Database.open(url)
    async with second.read() as session:
        assert await get_meta(session, "greeting") == "hello"
    await second.close()


async def test_a_failed_write_leaves_nothing(database: Database) -> None:
    async def give_up() -> None:
        async with database.write() as session:
            await set_meta(session, "greeting", "hello")
            await session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await give_up()
    async with database.read() as session:
        assert await get_meta(session, "greeting") is None


async def test_concurrent_writers_never_count_the_same_revision_twice(database: Database) -> None:
    async def count() -> int:
        async with database.write() as session:
            return await next_site_revision(session)

    assert sorted(await asyncio.gather(*(count() for _ in range(20)))) == list(range(1, 21))


async def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"database\.url"):
        await Database.open("no address at all")


async def test_a_folder_that_cannot_hold_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StorageError):
        await Database.open(sqlite_url(tmp_path / "folder.db"))


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear Sir or Madam, " * 400)
    with pytest.raises(StorageError, match="not a database"):
        await Database.open(sqlite_url(path))


async def test_a_database_that_is_gone_does_not_answer_ping(tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    await database.ping()
    await database.close()
    for file in tmp_path.glob("perishield.db*"):
        file.unlink()
    (tmp_path / "perishield.db").mkdir()
    with pytest.raises(StorageError):
        await database.ping()
    await database.close()

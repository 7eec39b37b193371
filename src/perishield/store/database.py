"""The database and its transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from perishield.model.errors import ConfigError, StorageError

MIGRATIONS = Path(__file__).parent / "migrations"

_BUSY_S = 10


def sqlite_url(path: Path) -> str:
    """Address of a database file."""
    return f"sqlite+aiosqlite:///{path.absolute()}"


class Database:
    """Sessions over one database. `read` for looking, `write` for changing: it commits on leaving, or nothing stays."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open or create the database and bring its tables up to date.

        Raises ConfigError for an address that names no database, StorageError (`not_writable`) when it cannot be used.
        """
        try:
            address = make_url(url)
        except ArgumentError as error:
            raise ConfigError(f"database.url: {error}; an example is sqlite+aiosqlite:///data/perishield.db") from error
        if address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:"):
            await asyncio.to_thread(_create_private, Path(str(address.database)))
        engine = create_async_engine(address)
        if address.get_backend_name() == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        try:
            async with engine.execution_options(write=True).begin() as connection:
                await connection.run_sync(migrate)
        except DBAPIError as error:
            await engine.dispose()
            raise StorageError(
                f"database {address.render_as_string(hide_password=True)}: {error.orig}; check the disk and the rights"
            ) from error
        return cls(engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        engine = self.engine.execution_options(write=True)
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def ping(self) -> None:
        """Raises StorageError when the database does not answer."""
        try:
            async with self.read() as session:
                await session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise StorageError(f"database: {error.orig}") from error

    async def close(self) -> None:
        await self.engine.dispose()


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest revision, inside the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create_private(path: Path) -> None:
    """SQLite gives the -wal and -shm files the rights of the database, so these are set before it is first opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise StorageError(
            f"database {path.name}: cannot be written: {error.strerror}; check the rights of its folder"
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control begins too late (at the first write); ours begins where SQLAlchemy says.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_S * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: upgrading a reader's lock later can fail without waiting.
    writes = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

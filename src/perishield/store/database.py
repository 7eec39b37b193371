"""The database and its transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from perishield.model.errors import ConfigError, StorageError
from perishield.store.schema import MIGRATIONS, NEWEST
from perishield.store.sealed_columns import Resealed, seal_all
from perishield.store.sealing import KEY_FILE, Keyring, with_keyring

_BUSY_S = 10


def sqlite_url(path: Path) -> str:
    """Address of a database file."""
    return f"sqlite+aiosqlite:///{path.absolute()}"


class Database:
    """Sessions over one database. `read` for looking, `write` for changing: it commits on leaving, or nothing stays."""

    def __init__(self, engine: AsyncEngine, keyring: Keyring | None = None) -> None:
        self.engine = engine
        self.keyring = keyring or Keyring()

    @classmethod
    async def open(cls, url: str, keyring: Keyring | None = None) -> Database:
        """Open or create the database and bring its tables up to date.

        `keyring` seals and opens secrets; left out, its file lies beside an SQLite database.

        Raises ConfigError for an address that names no database, StorageError (`not_writable`) when it cannot be used.
        """
        try:
            address = make_url(url)
        except ArgumentError as error:
            raise ConfigError(f"database.url: {error}; an example is sqlite+aiosqlite:///data/perishield.db") from error
        if (file := _file_of(address)) is not None:
            await asyncio.to_thread(_create_private, file)
        # A server that was restarted has forgotten the connections that wait in the pool.
        engine = create_async_engine(address, pool_pre_ping=address.get_backend_name() != "sqlite")
        if address.get_backend_name() == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        try:
            async with engine.execution_options(write=True).begin() as connection:
                await connection.run_sync(migrate)
        except (DBAPIError, OSError) as error:
            await engine.dispose()
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StorageError(
                f"database {address.render_as_string(hide_password=True)}: {reason}; check the disk and the rights"
            ) from error
        if keyring is None and (file := _file_of(address)) is not None:
            keyring = Keyring(file.with_name(KEY_FILE))
        return cls(engine, keyring)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with _connected(self.engine, self.keyring) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        engine = self.engine.execution_options(write=True)
        async with _connected(engine, self.keyring) as session:
            yield session
            await session.commit()

    async def seal(self, *, forget_lost: bool = False) -> Resealed:
        """Seal all secrets with the newest key. Raises ConfigError where one cannot be opened, and changes nothing."""
        async with self.write() as session:
            done = await seal_all(session, forget_lost=forget_lost)
        if done.sealed and self.engine.dialect.name == "sqlite":
            # The log of writes holds what was there before until it is cut off.
            async with self.engine.connect() as connection:
                alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await alone.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return done

    async def ping(self) -> None:
        """Raises StorageError when the database does not answer."""
        try:
            async with self.read() as session:
                await session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise StorageError(f"database: {error.orig}") from error

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def _connected(engine: AsyncEngine, keyring: Keyring) -> AsyncIterator[AsyncSession]:
    """A session; a server that cannot be reached fails like any other statement (SQLAlchemyError)."""
    async with AsyncSession(engine, expire_on_commit=False, info=with_keyring(keyring)) as session:
        try:
            await session.connection()
        except OSError as error:
            raise OperationalError("connect", None, error) from error
        try:
            yield session
        except ConnectionError as error:
            raise OperationalError("connection lost", None, error) from error


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest revision, inside the caller's transaction."""
    if _revisions(connection) == [NEWEST]:
        return
    # Imported here: reading all steps costs every start a fifth of a second, and nearly none has one to take.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _file_of(address: URL) -> Path | None:
    """Where an SQLite database lies; None: it is another one, or in memory."""
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return None
    return Path(str(address.database))


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

"""What older databases hold survives the way to the newest tables, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from perishield.model.site import Recording, RecordMode, Transport
from perishield.store.cameras import list_cameras
from perishield.store.database import Database, sqlite_url
from perishield.store.rules import list_rules
from perishield.store.schema import MIGRATIONS, NEWEST
from perishield.store.segments import list_segments

OLD = """
INSERT INTO cameras VALUES ('kept', 'Kept', 'rtsp://10.0.0.1/1', '', '', 1, 1, 1, 6.0, 0.3, 4, 1.0);
INSERT INTO cameras VALUES ('looked-at', 'Looked at', 'rtsp://10.0.0.2/1', 'u', 'p', 1, 0, 1, 6.0, 0.3, 2, 2.0);
INSERT INTO rules VALUES ('line', 'kept', X'7B226964223A226C696E65222C226B696E64223A2274726970776972652C22', 1, 3.0);
INSERT INTO segments (path, camera, pool, epoch, start, duration, size, frames, stream_time, codec, mime, width, height,
    init_length, keyframes, complete)
    VALUES ('pool/kept/2026-09-21/14/1790000000.mp4', 'kept', 'pool', 1, 1790000000.0, 10.0, 1, 2, 0, 'h264', '', 1, 1,
    9, X'5B5D', 1);
"""
RULE = (
    '{"id":"line","camera":"kept","name":"Line","kind":"tripwire","line":[[0.1,0.5],[0.9,0.5]],"direction":"any",'
    '"enabled":true,"level":2,"labels":["person"],"min_score":0.0,"min_hits":3,"anchor":"foot","cooldown_s":10.0}'
)


def _go(connection: Connection, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, revision)


def test_the_newest_file_is_the_newest_step() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST]


@asynccontextmanager
async def engine_of(path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(sqlite_url(path))
    event.listen(engine.sync_engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A database at revision 0002 with a recorded camera, one that is only looked at, a rule and a segment."""
    path = tmp_path / "old.db"
    async with engine_of(path) as engine, engine.begin() as connection:
        await connection.run_sync(_go, "0002")
        for statement in OLD.strip().split(";\n"):
            await connection.execute(text(statement.rstrip(";").replace(":", "\\:")))
        await connection.execute(text("UPDATE rules SET body = :body"), {"body": RULE.encode()})
    return path


async def test_what_was_recorded_stays_recorded_and_what_was_not_is_off(old: Path) -> None:
    database = await Database.open(sqlite_url(old))
    async with database.read() as session:
        kept, looked_at = await list_cameras(session)
        rules = await list_rules(session)
        segments, _ = await list_segments(session, "kept", None, None, 10)
    await database.close()
    assert kept.recording == Recording()
    assert looked_at.recording == Recording(mode=RecordMode.OFF)
    assert (kept.detect_url, kept.transport, kept.audio, kept.tls_fingerprint) == ("", Transport.AUTO, True, "")
    assert (looked_at.username, looked_at.revision) == ("u", 2)
    assert [rule.id for rule in rules] == ["line"], "the camera's new columns must not cost its rules"
    assert [segment.start for segment in segments] == [1790000000.0]


async def test_the_way_back_keeps_who_was_recorded(old: Path) -> None:
    await (await Database.open(sqlite_url(old))).close()
    async with engine_of(old) as engine, engine.begin() as connection:
        await connection.run_sync(lambda raw: _go(raw, "0002", down=True))
        rows = await connection.execute(text("SELECT id, record FROM cameras ORDER BY id"))
        assert [tuple(row) for row in rows] == [("kept", 1), ("looked-at", 0)]
        assert await connection.scalar(text("SELECT count(*) FROM rules")) == 1


async def test_two_openings_at_once_migrate_once(old: Path) -> None:
    opened = await asyncio.gather(*(Database.open(sqlite_url(old)) for _ in range(3)))
    for database in opened:
        async with database.read() as session:
            assert len(await list_cameras(session)) == 2
        await database.close()

"""Secrets lie sealed in the database, under a key that does not."""

from __future__ import annotations

import base64
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from perishield.model.channels import Channel, Webhook
from perishield.model.errors import ConfigError
from perishield.model.recorders import Recorder, RecorderKind
from perishield.model.site import Camera
from perishield.store.accounts import account_named, add_account, keep_totp, second_factor
from perishield.store.cameras import add_camera, get_camera, update_camera
from perishield.store.channels import add_channel, get_channel
from perishield.store.database import Database, sqlite_url
from perishield.store.recorders import get_recorder, save_recorder
from perishield.store.schema import MIGRATIONS
from perishield.store.sealing import KEY_FILE, Keyring

HUSH = "hush-hush-相機"
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()


async def fill(database: Database) -> None:
    async with database.write() as session:
        await add_camera(session, Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/", username="u", password=HUSH))
        await add_camera(session, Camera(id="open", name="Open", url="rtsp://10.0.0.5/"))
        await save_recorder(
            session,
            Recorder(
                camera="gate", kind=RecorderKind.HIKVISION, url="http://10.0.0.9", username="u", password=f"{HUSH}-2"
            ),
        )
        target = Webhook(url="http://127.0.0.1:9/alarms", reach="host")
        await add_channel(session, Channel(id="hook", name="Hook", target=target), {"token": f"{HUSH}-3"})
        await add_channel(session, Channel(id="bare", name="Bare", target=target), {})
        account = await add_account(session, "ann", "no hash", "admin")
        await keep_totp(session, account.id, "HUSHHUSH4", on=True)


async def told(database: Database) -> list[str]:
    async with database.read() as session:
        camera, recorder = await get_camera(session, "gate"), await get_recorder(session, "gate")
        hook, bare = await get_channel(session, "hook"), await get_channel(session, "bare")
        account = await account_named(session, "ann")
        assert camera is not None
        assert recorder is not None
        assert hook is not None
        assert bare is not None
        assert account is not None
        assert "hush" not in repr((camera, recorder, hook, account)).lower()
        assert bare.secrets == {}
        return [camera.password, recorder.password, hook.secrets["token"], second_factor(session, account)]


ALL = [HUSH, f"{HUSH}-2", f"{HUSH}-3", "HUSHHUSH4"]


def stored_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("perishield.db*"))


async def test_no_secret_lies_open_and_all_come_back(database: Database, tmp_path: Path) -> None:
    await fill(database)
    assert await told(database) == ALL
    raw = stored_bytes(tmp_path)
    assert HUSH.encode() not in raw
    assert b"HUSHHUSH4" not in raw
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    async with database.read() as session:
        assert await session.scalar(text("SELECT sealed_password FROM cameras WHERE id = 'open'")) == ""
        assert await session.scalar(text("SELECT sealed_secrets FROM channels WHERE id = 'bare'")) == ""


async def test_without_its_key_nothing_is_opened_and_the_way_out_is_told(database: Database, tmp_path: Path) -> None:
    await fill(database)
    (tmp_path / KEY_FILE).rename(tmp_path / "away")
    with pytest.raises(ConfigError, match=r"password of camera 'gate': was sealed with key [0-9a-f]{12}.*backup"):
        await told(database)
    with pytest.raises(ConfigError, match="secret_keys"):
        await database.seal()
    assert not (tmp_path / KEY_FILE).exists(), "looking makes no new key"
    done = await database.seal(forget_lost=True)
    assert len(done.lost) == 4
    assert done.sealed == 0
    (tmp_path / "away").rename(tmp_path / KEY_FILE)
    async with database.read() as session:
        camera = await get_camera(session, "gate")
    assert camera is not None
    assert camera.password == ""


async def test_a_secret_moved_to_another_place_is_refused(database: Database) -> None:
    await fill(database)
    async with database.write() as session:
        await session.execute(
            text("UPDATE cameras SET sealed_password = (SELECT sealed_password FROM cameras WHERE id = 'gate')")
        )
    async with database.read() as session:
        with pytest.raises(ConfigError, match="'open': what is stored was changed, or belongs elsewhere"):
            await get_camera(session, "open")


async def test_a_new_key_seals_everything_and_the_old_one_can_go(database: Database, tmp_path: Path) -> None:
    await fill(database)
    running = Database(database.engine, Keyring(tmp_path / KEY_FILE))
    assert await told(running) == ALL
    before = stored_bytes(tmp_path)
    name = database.keyring.rotate()
    assert await told(running) == ALL, "a server that runs reads the keys anew"
    done = await database.seal()
    assert (done.sealed, done.lost) == (4, [])
    assert database.keyring.retire() == 1
    assert len((tmp_path / KEY_FILE).read_text().split()) == 1
    assert await told(running) == await told(database) == ALL
    async with running.write() as session:
        camera = await get_camera(session, "gate")
        assert camera is not None
        await update_camera(session, camera, None)
        sealed = await session.scalar(text("SELECT sealed_password FROM cameras WHERE id = 'gate'"))
    assert str(sealed).startswith(f"s1:{name}:")
    assert (await database.seal()).sealed == 0
    assert before != stored_bytes(tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        opened = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    else:
        opened = await Database.open(request.getfixturevalue("own_database"), Keyring(tmp_path / KEY_FILE))
    yield opened
    await opened.close()


async def test_what_older_versions_left_open_is_sealed(either: Database, tmp_path: Path) -> None:
    database = either

    def go(connection: Connection, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        (command.downgrade if revision == "0012" else command.upgrade)(config, revision)

    await fill(database)
    async with database.engine.execution_options(write=True).begin() as connection:
        with pytest.raises(RuntimeError, match="is sealed"):
            await connection.run_sync(go, "0012")
    async with database.write() as session:
        for table, column, plain in (
            ("cameras", "sealed_password", HUSH),
            ("recorders", "sealed_password", f"{HUSH}-2"),
            ("channels", "sealed_secrets", f'{{"token":"{HUSH}-3"}}'),
            ("accounts", "sealed_totp", "HUSHHUSH4"),
        ):
            change = f"UPDATE {table} SET {column} = :plain WHERE {column} <> ''"  # noqa: S608
            await session.execute(text(change), {"plain": f"plain:{plain}"})
    async with database.engine.execution_options(write=True).begin() as connection:
        await connection.run_sync(go, "0012")
        assert await connection.scalar(text("SELECT password FROM cameras WHERE id = 'gate'")) == HUSH
        assert await connection.scalar(text("SELECT secrets FROM channels WHERE id = 'bare'")) in (b"{}", "{}")
    async with database.engine.execution_options(write=True).begin() as connection:
        await connection.run_sync(go, "head")
    assert await told(database) == ALL
    assert (await database.seal()).sealed == 4
    assert await told(database) == ALL
    raw = stored_bytes(tmp_path)
    assert HUSH.encode() not in raw
    assert b"HUSHHUSH4" not in raw


def test_keys_of_the_settings_go_before_the_file(tmp_path: Path) -> None:
    sealed = Keyring(given=KEY).seal("word", "here")
    both = Keyring(tmp_path / KEY_FILE, f"{OTHER}, {KEY}")
    assert both.unseal(sealed, "here") == "word"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal("word", "here"))
    assert not (tmp_path / KEY_FILE).exists()
    with pytest.raises(ConfigError, match="was sealed with key"):
        Keyring(given=OTHER).unseal(sealed, "here")
    with pytest.raises(ConfigError, match="no data folder"):
        Keyring().seal("word", "here")


@pytest.mark.parametrize("bad", ["short", "c2hvcnQ=", KEY[:-4], "密"])
def test_what_is_no_key_is_named(bad: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key"):
        Keyring(given=bad)
    (tmp_path / KEY_FILE).write_text(bad, "utf-8")
    with pytest.raises(ConfigError, match=KEY_FILE):
        Keyring(tmp_path / KEY_FILE).seal("word", "here")


def test_two_that_make_the_first_key_at_once_share_it(tmp_path: Path) -> None:
    rings = [Keyring(tmp_path / KEY_FILE) for _ in range(8)]
    gate, sealed = threading.Barrier(len(rings)), list[str]()

    def seal(ring: Keyring) -> None:
        gate.wait()
        sealed.append(ring.seal("word", "here"))

    threads = [threading.Thread(target=seal, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {ring.unseal(one, "here") for ring in rings for one in sealed} == {"word"}
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


async def test_a_database_of_its_own_keeps_its_key_beside_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        opened = await Database.open(sqlite_url(tmp_path / name / "perishield.db"))
        await fill(opened)
        await opened.close()
    assert (tmp_path / "one" / KEY_FILE).read_text() != (tmp_path / "two" / KEY_FILE).read_text()

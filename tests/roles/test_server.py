"""The server as a process: it says where it is, survives kill -9, stops in time, and says why it cannot start."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from perishield.bus.codec import encode
from perishield.bus.process import EXIT_CONFIG, EXIT_PORT_TAKEN
from perishield.bus.site_file import read_site
from perishield.bus.spool import Spool
from perishield.model.alarms import Event
from perishield.model.errors import ConfigError, PortTakenError
from perishield.roles.server import listen
from perishield.roles.server_seed import Seed, sow
from perishield.store.cameras import list_cameras
from perishield.store.database import Database, sqlite_url
from perishield.store.rules import list_rules

pytestmark = pytest.mark.long

PASSWORD = "correct horse battery"
SEED: dict[str, Any] = {
    "cameras": [{"id": "demo-gate", "name": "Gate", "url": "rtsp://127.0.0.1:8655/gate"}],
    "rules": [
        {"id": "line", "camera": "demo-gate", "name": "Line", "kind": "tripwire", "line": [[0.1, 0.5], [0.9, 0.5]]}
    ],
}


@dataclass(slots=True)
class Running:
    process: subprocess.Popen[str]
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        """Where it listens, from its log."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        told: str = [line["perishield"]["url"] for line in lines if line["message"] == "server.listening"][-1]
        return told


def config_of(folder: Path, **fields: Any) -> dict[str, Any]:
    return {
        "data_dir": str(folder),
        "run_dir": str(folder / "run"),
        "media_dir": str(folder / "media"),
        "models_dir": str(folder / "models"),
        "port": 0,
        "log_format": "json",
        **fields,
    }


@contextmanager
def server(folder: Path, **fields: Any) -> Iterator[Running]:
    """A server process that says READY."""
    folder.mkdir(exist_ok=True)
    log = folder / "server.log"
    with open(log, "a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "perishield.roles.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(config_of(folder, **fields)))
        process.stdin.close()
        assert process.stdout.readline() == "READY\n", log.read_text()
        yield Running(process, folder, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def stopped(running: Running, number: signal.Signals = signal.SIGTERM) -> int:
    """Its exit code."""
    running.process.send_signal(number)
    return running.process.wait(timeout=20)


def log_in(running: Running) -> httpx.Client:
    """Make the administrator by the printed link."""
    token = (running.folder / "setup_link.txt").read_text().strip().partition("token=")[2]
    client = httpx.Client(base_url=running.url, trust_env=False)
    answer = client.post("/api/setup", json={"token": token, "username": "admin", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_from_the_first_start_to_a_clean_stop(tmp_path: Path) -> None:
    with server(tmp_path / "data", seed=SEED) as running:
        link = (tmp_path / "data" / "setup_link.txt").read_text().strip()
        assert link.startswith(running.url + "/setup?token=")
        assert f'"url": "{link}"' in running.log.read_text()
        with closing(log_in(running)) as client:
            assert client.get("/readyz").status_code == 200
            assert [camera["id"] for camera in client.get("/api/cameras").json()["items"]] == ["demo-gate"]
            assert client.get("/api/rules").json()["total"] == 1
            system = client.get("/api/system").json()
            assert system["demo"] is False
        site = read_site(tmp_path / "data" / "site.json")
        assert site is not None
        assert [camera.id for camera in site.cameras] == ["demo-gate"]
        assert not (tmp_path / "data" / "setup_link.txt").exists()
        code = stopped(running)
    assert code == 0
    assert '"log.level": "error"' not in running.log.read_text()


def test_the_setup_link_stays_the_same_until_it_is_used(tmp_path: Path) -> None:
    links = []
    for _ in range(2):
        with server(tmp_path / "data") as running:
            links.append((tmp_path / "data" / "setup_link.txt").read_text().partition("token=")[2])
            stopped(running)
    assert links[0] == links[1]
    with sqlite3.connect(tmp_path / "data" / "perishield.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert links[0].strip() not in dump


def test_killed_at_any_moment_it_keeps_what_it_knew(tmp_path: Path, make_event: Callable[..., Event]) -> None:
    with server(tmp_path / "data", seed=SEED) as running:
        with closing(log_in(running)) as client:
            token = client.headers["Authorization"]
        spool = Spool(tmp_path / "data" / "spool" / "events.db")
        for number in range(20):
            spool.put(f"e{number}", encode(make_event(f"e{number}", camera="demo-gate", rule=SEED["rules"][0])))
        running.process.kill()
        running.process.wait()
    with server(tmp_path / "data", seed=SEED) as running:
        assert not (tmp_path / "data" / "setup_link.txt").exists()
        with httpx.Client(base_url=running.url, headers={"Authorization": token}, trust_env=False) as client:
            eventually(lambda: client.get("/api/alarms").json()["total"] == 20)
            ids = [alarm["id"] for alarm in client.get("/api/alarms?limit=100").json()["items"]]
            assert sorted(ids) == sorted(f"e{number}" for number in range(20))
        eventually(lambda: len(spool) == 0)
        spool.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_in_time_with_sockets_open(tmp_path: Path, number: signal.Signals) -> None:
    with server(tmp_path / "data", seed=SEED) as running:
        token = (tmp_path / "data" / "run" / "token").read_text()
        sockets = []
        for path in ("/ws", "/ws/live/demo-gate", "/ws"):
            socket = await connect(f"ws{running.url.removeprefix('http')}{path}", proxy=None)
            await socket.send(json.dumps({"type": "auth", "token": token}))
            await asyncio.wait_for(socket.recv(), 20)
            sockets.append(socket)
        code = await asyncio.to_thread(stopped, running, number)
        for socket in sockets:
            await socket.close()
    assert code == 0
    assert "Traceback" not in running.log.read_text()


def failing(config: bytes) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "perishield.roles.server"], input=config, capture_output=True, timeout=60
    )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code, errors = failing(json.dumps(config_of(tmp_path, port=port)).encode())
        with pytest.raises(PortTakenError, match=str(port)):
            listen("127.0.0.1", port)
    assert code == EXIT_PORT_TAKEN
    assert f"127.0.0.1:{port}: Address already in use; end what uses it" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"host": "192.0.2.77"}, "host"),
        ({"database_url": "nonsense"}, "database.url"),
        ({"seed": {"cameras": [{"name": "no id"}]}}, "seed"),
        ({"port": "many"}, "port"),
    ],
)
def test_a_configuration_that_cannot_be_is_said_so(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    code, errors = failing(json.dumps(config_of(tmp_path, **change)).encode())
    assert code == EXIT_CONFIG
    assert word in errors
    assert "Traceback" not in errors


def test_a_broken_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "perishield.db").write_bytes(b"Dear Sir or Madam, " * 400)
    code, errors = failing(json.dumps(config_of(tmp_path)).encode())
    assert code == 1
    assert "not a database" in errors
    assert "Traceback" not in errors


async def test_a_site_that_has_cameras_is_not_sown_again(tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    seed = Seed(cameras=tuple(SEED["cameras"]), rules=tuple(SEED["rules"]))
    await sow(database, seed)
    await sow(database, Seed(cameras=({"id": "other", "name": "Other", "url": "rtsp://10.0.0.4/"},)))
    async with database.read() as session:
        assert [camera.id for camera in await list_cameras(session)] == ["demo-gate"]
        assert [rule.id for rule in await list_rules(session)] == ["line"]
    with pytest.raises(ConfigError, match="seed"):
        await sow(database, Seed(cameras=({"id": 7},)))
    await database.close()

"""What every test may ask for, and which tests this machine can run.

A test that needs a real program or the development set says so by a mark. Where it is missing, the test is left out
and named in one closing line; with CI=true it stays in, and fails.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from perishield.evaluation.swift_server import SwiftServer, swift_programs
from perishield.model.alarms import Event, EventKind
from perishield.store.database import Database, sqlite_url

# Readers of foreign bytes are fuzzed for minutes by `make fuzz`; here each property gets so many tries.
settings.register_profile("suite", max_examples=50)
settings.load_profile("suite")

GST_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def _has_gstreamer() -> bool:
    python = Path("/usr/bin/python3")
    return python.exists() and subprocess.run([python, "-c", GST_PROBE], capture_output=True).returncode == 0


AVAILABLE: dict[str, Callable[[], bool]] = {
    "gstreamer": _has_gstreamer,
    "ffmpeg": lambda: shutil.which("ffmpeg") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
    "vlc": lambda: shutil.which("vlc") is not None,
    "postgresql": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    "mosquitto": lambda: shutil.which("mosquitto") is not None or Path("/usr/sbin/mosquitto").exists(),
    "swift": lambda: swift_programs() is not None,
    "mount": lambda: subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0,
}
left_out: dict[str, set[str]] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """What was compiled from other sources than these would be tested in their place."""
    root = session.config.rootpath
    stamp = root / "src" / ".perishield_native"
    if stamp.is_file() and stamp.stat().st_mtime < max(
        (root / "src" / name).stat().st_mtime for name in (root / "compiled.txt").read_text(encoding="ascii").split()
    ):
        pytest.exit("the compiled modules are older than their sources: run `make setup-dev`", returncode=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # What waits for long goes first, so that no worker is left with it at the end.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if os.environ.get("CI") == "true":
        return
    known: dict[str, bool] = {}
    kept, gone = [], []
    for item in items:
        needs = [str(mark.args[0]) for mark in item.iter_markers("real")]
        missing = [name for name in needs if not known.setdefault(name, AVAILABLE[name]())]
        if item.get_closest_marker("devset") and not os.environ.get("PERISHIELD_DEVSET"):
            missing.append("the development set (PERISHIELD_DEVSET)")
        for name in missing:
            left_out.setdefault(name, set()).add(item.nodeid)
        (gone if missing else kept).append(item)
    items[:] = kept
    if gone:
        config.hook.pytest_deselected(items=gone)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = {name: sorted(tests) for name, tests in left_out.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Tests run side by side: what each worker left out is told by the one that started them."""
    for name, tests in getattr(node, "workeroutput", {}).get("left_out", {}).items():
        left_out.setdefault(name, set()).update(tests)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if left_out:
        parts = [
            f"{name} ({len(tests)}: {', '.join(sorted({test.split('::')[0] for test in tests}))})"
            for name, tests in sorted(left_out.items())
        ]
        terminalreporter.write_line(f"Left out, because this machine lacks: {'; '.join(parts)}", yellow=True)


@pytest.fixture(scope="session")
def devset() -> Path:
    """Clips, models and tracker data for tests; never shipped."""
    return Path(os.environ["PERISHIELD_DEVSET"]).resolve()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts a copy of an empty database with all its tables at that path; gives its address.

    Making the tables by all migrations takes longer than most tests; tests/store does so each time.
    """

    async def make() -> None:
        await (await Database.open(sqlite_url(empty))).close()

    empty = tmp_path_factory.mktemp("empty") / "perishield.db"
    asyncio.run(make())

    def copy(path: Path) -> str:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(empty.read_bytes())
        return sqlite_url(path)

    return copy


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """A real S3 store, for tests marked `real("swift")`; buckets are the tests' own."""
    with SwiftServer(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """PostgreSQL for tests marked `real("postgresql")`, on a Unix socket in a folder of its own; gives its address."""
    from perishield.evaluation.private_postgresql import PrivatePostgreSQL

    with PrivatePostgreSQL(durable=False) as server:
        yield server.url


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """Somebody crosses a line at the gate; of the event that tells so, any field may be another."""

    def make(name: str, **fields: Any) -> Event:
        values: dict[str, Any] = {
            "id": name,
            "camera": "gate",
            "epoch": 3,
            "kind": EventKind.TRIPWIRE,
            "rule": {"id": "line", "name": "Line", "kind": "tripwire", "line": [[0, 0.5], [1, 0.5]]},
            "level": 2,
            "label": "person",
            "score": 0.75,
            "track": 7,
            "stream_time": 900_000,
            "wall": 1_790_000_000.0,
            "arrival": 1_790_000_000.25,
            "point": (0.5, 0.5),
            "direction": "left_to_right",
            "box": (0.4, 0.2, 0.6, 0.5),
            "path": ((810_000, 0.5, 0.4), (900_000, 0.5, 0.5)),
            "detector": "motion",
        }
        return Event(**{**values, **fields})

    return make


@pytest.fixture
def own_database(cluster: str) -> str:
    """The address of a database of the private PostgreSQL that nobody else writes to."""
    name = f"test_{uuid4().hex[:12]}"

    async def make() -> None:
        engine = create_async_engine(cluster, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        await engine.dispose()

    # Asked for out of fixtures whose event loop runs already.
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, make()).result()
    return cluster.replace("/postgres?", f"/{name}?")

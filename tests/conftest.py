"""What every test may ask for, and which tests this machine can run.

A test that needs a real program or the development set says so by a mark. Where it is missing, the test is left out
and named in one closing line; with CI=true it stays in, and fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.swift_server import SwiftServer, swift_programs

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
    "swift": lambda: swift_programs() is not None,
    "mount": lambda: subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0,
}
left_out: dict[str, set[str]] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
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
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """A real S3 store, for tests marked `real("swift")`; buckets are the tests' own."""
    with SwiftServer(tmp_path_factory.mktemp("swift")) as server:
        yield server

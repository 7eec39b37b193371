"""A running node with one simulated camera, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import perishield

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from console_steps import PASSWORD, USERNAME
from walker_clip import make_clip

# Several browsers and nodes share the machine.
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Node:
    address: str
    data: Path

    def setup_link(self) -> str:
        return (self.data / "setup_link.txt").read_text().strip()


def _start(data: Path) -> Iterator[Node]:
    assert (Path(perishield.__file__).parent / "static" / "index.html").is_file(), (
        "the console is not built: run `npm ci && npm run build` in web/, or install again"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
        port, rtsp_port = listener.getsockname()[1], other.getsockname()[1]
    log = data.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "perishield", "run", "--data", str(data), "--port", str(port), "--no-demo"],
            stderr=output,
            env={
                **os.environ,
                "PERISHIELD_INGEST__SEGMENT_S": "3",
                "PERISHIELD_INGEST__MIN_FREE_MIB": "0",
                "PERISHIELD_LIVE__RTSP_PORT": str(rtsp_port),
                "PERISHIELD_SECURITY__DEVICE_ADDRESSES": '["127.0.0.0/8"]',
            },
        )
        node = Node(f"http://127.0.0.1:{port}", data)
        try:
            deadline = time.monotonic() + 90
            while True:
                assert process.poll() is None, log.read_text()
                try:
                    if httpx.get(f"{node.address}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield node
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                process.kill()


@pytest.fixture
def fresh_node(tmp_path: Path) -> Iterator[Node]:
    """Nobody has set it up yet."""
    yield from _start(tmp_path / "data")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """With its administrator."""
    for running in _start(tmp_path_factory.mktemp("node") / "data"):
        token = running.setup_link().rpartition("token=")[2]
        answer = httpx.post(
            f"{running.address}/api/setup", json={"token": token, "username": USERNAME, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        yield running


@pytest.fixture(scope="module")
def camera_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Somebody walks across its picture again and again."""
    clip = make_clip(tmp_path_factory.mktemp("clip") / "walker.mp4")
    process = subprocess.Popen(
        [sys.executable, "-m", "perishield", "simulate", str(clip), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield next(line for line in process.stdout if line.startswith("rtsp://")).strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: Playwright's event loop would stand in the way of asynchronous tests after it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An English page that fails its test when a script throws or the security policy forbids something."""
    options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert not faults

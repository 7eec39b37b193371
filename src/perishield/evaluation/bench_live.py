"""`perishield bench live`: glass-to-glass delay of the console's players, with a clock in the picture.

A camera that films a clock (`clock_camera`) is recorded by a node of its own; two pages of one Chromium show it in the
real console at the same time, one with the usual player (MSE), one over WebRTC. Delay is from a picture's drawing,
before it is encoded, to when the browser expects it on the screen.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from perishield.evaluation.process_usage import machine
from perishield.model.errors import ConfigError, PeriShieldError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_READY_S = 60.0
_SETTLE_S = 10.0
"""What players do to find their place is measured as the start, not as delay."""
_STARTS = 3
_PLAYERS = ("mse", "webrtc")
_PASSWORD = "for this run only"  # noqa: S105
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

Progress = Callable[[float], None]


def run(minutes: float = 10, *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Figures of both players. Raises ConfigError where there is no browser or Playwright."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ConfigError("bench live: there is no Chromium on this machine; install the package chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigError("bench live: needs Playwright; run `pip install playwright`") from error
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perishield-bench-")))
        url = stack.enter_context(_camera(folder / "camera"))
        address = stack.enter_context(_node(folder / "data"))
        _set_up(address, folder / "data", url)
        playwright = stack.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        stack.callback(chromium.close)
        pages = {player: _open(chromium, address, player) for player in _PLAYERS}
        starts = {player: [_start(page)] for player, page in pages.items()}
        for _ in range(_STARTS - 1):
            for player, page in pages.items():
                page.reload()
                starts[player].append(_start(page))
        samples = _watch(pages, minutes * 60, progress)
        unreadable = {player: int(page.evaluate("window.__delay.unreadable")) for player, page in pages.items()}
    players = {
        player: {"start_ms": round(statistics.median(starts[player])), **_figures(samples[player])}
        | {"unreadable": unreadable[player]}
        for player in _PLAYERS
    }
    return {
        "minutes": minutes,
        "picture": "640x360, 25 a second, 1 Mbit/s, key frame every 2 s",
        **players,
        "ratio_p50": round(players["webrtc"]["p50_ms"] / players["mse"]["p50_ms"], 3),
        "ratio_p95": round(players["webrtc"]["p95_ms"] / players["mse"]["p95_ms"], 3),
        "machine": machine(),
    }


def _watch(pages: dict[str, Page], seconds: float, progress: Progress) -> dict[str, list[tuple[float, float]]]:
    """(seconds, delay in ms) of every picture of each player."""
    found: dict[str, list[tuple[float, float]]] = {player: [] for player in pages}
    for page in pages.values():
        page.wait_for_timeout(_SETTLE_S * 1000 / len(pages))
    for page in pages.values():
        page.evaluate("window.__delay.samples.length = 0, window.__delay.unreadable = 0")
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        for player, page in pages.items():
            page.wait_for_timeout(min(1000.0, max(50.0, (seconds - passed) * 500)))
            taken = page.evaluate("window.__delay.samples.splice(0)")
            found[player] += [(at / 1000, delay) for at, delay in taken]
        progress(min(1.0, passed / seconds))
    for player, samples in found.items():
        if len(samples) < 25:
            raise PeriShieldError(f"bench live: {player} showed {len(samples)} pictures; look at the console's page")
    return found


def _figures(samples: Sequence[tuple[float, float]]) -> dict[str, Any]:
    delays = sorted(delay for _, delay in samples)
    return {
        "p50_ms": round(statistics.median(delays), 1),
        "p95_ms": round(delays[int(len(delays) * 0.95)], 1),
        "max_ms": round(delays[-1], 1),
        "drift_ms_per_min": round(drift(samples), 2),
        "pictures": len(delays),
    }


def drift(samples: Sequence[tuple[float, float]]) -> float:
    """Slope of the delay in ms a minute: Theil and Sen's, over medians of five seconds, which no hiccup bends."""
    spans: dict[int, list[float]] = {}
    for at, delay in samples:
        spans.setdefault(int(at // 5), []).append(delay)
    points = [(span * 5 / 60, statistics.median(delays)) for span, delays in sorted(spans.items())]
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
    ]
    return statistics.median(slopes) if slopes else 0.0


def _open(browser: Browser, address: str, player: str) -> Page:
    """The live wall with this player, logged in."""
    context = browser.new_context(locale="en-GB", viewport={"width": 960, "height": 640})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.add_init_script(f"localStorage.setItem('perishield.preferences', '{{\"player\":\"{player}\"}}')")
    page.add_init_script(f"({Path(__file__).with_suffix('.js').read_text()})()")
    page.goto(f"{address}/login")
    page.fill("input[autocomplete=username]", "bench")
    page.fill("input[type=password]", _PASSWORD)
    page.keyboard.press("Enter")
    return page


def _start(page: Page) -> float:
    """Milliseconds from the player's making to its first picture."""
    # Asked again and again, since the console's security policy forbids Playwright's own way of waiting.
    deadline = time.monotonic() + _READY_S
    while not page.evaluate("Boolean(window.__delay && window.__delay.first)"):
        if time.monotonic() > deadline:
            raise PeriShieldError("bench live: no picture came to the console's page")
        page.wait_for_timeout(50)
    if page.locator(".fallback").count():
        raise PeriShieldError("bench live: WebRTC was not to be had; the server's log says why")
    return float(page.evaluate("window.__delay.first - window.__delay.mounted"))


@contextmanager
def _camera(folder: Path) -> Iterator[str]:
    folder.mkdir()
    command = [sys.executable, "-m", "perishield.evaluation.clock_camera", str(folder)]
    with _process(command, stdout=subprocess.PIPE) as child:
        url = child.stdout.readline().decode().strip() if child.stdout else ""
        if not url.startswith("rtsp://"):
            raise PeriShieldError("bench live: the camera did not start; its message stands above")
        yield url


@contextmanager
def _node(data: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        port, rtsp = first.getsockname()[1], second.getsockname()[1]
    settings = {
        "PERISHIELD_NODE__ROLES": '["ingest","server"]',
        "PERISHIELD_INGEST__MIN_FREE_MIB": "0",
        "PERISHIELD_LIVE__RTSP_PORT": str(rtsp),
        "PERISHIELD_LOG__LEVEL": "error",
        "PERISHIELD_SECURITY__DEVICE_ADDRESSES": '["127.0.0.0/8"]',
    }
    command = [sys.executable, "-m", "perishield", "run", "--data", str(data), "--port", str(port), "--no-demo"]
    with _process(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL) as child:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if child.poll() is not None or time.monotonic() > deadline:
                raise PeriShieldError("bench live: the node did not start; try `perishield run`")
            time.sleep(0.1)
        yield address


def _set_up(address: str, data: Path, url: str) -> None:
    """An account, the camera, and its first pictures."""
    token = (data / "setup_link.txt").read_text().strip().rpartition("token=")[2]
    with httpx.Client(base_url=address, timeout=30) as client:
        body = {"token": token, "username": "bench", "password": _PASSWORD}
        session = client.post("/api/setup", json=body).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        client.post("/api/cameras", json={"name": "Clock", "url": url}).raise_for_status()
        deadline = time.monotonic() + _READY_S
        while client.get("/api/video/streams/clock").json().get("condition") != "live":
            if time.monotonic() > deadline:
                raise PeriShieldError("bench live: the camera does not get through to the node")
            time.sleep(0.1)


@contextmanager
def _process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()

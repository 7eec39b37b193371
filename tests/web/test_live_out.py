"""Live view in every way, from a real node: Chromium over WebRTC and HLS, FFmpeg over HLS and RTSP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, USERNAME, log_in
from playwright.sync_api import Page, expect

from perishield.evaluation.texture_clip import write_clip
from perishield.model.media import Codec

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A camera of each codec."""
    folder = tmp_path_factory.mktemp("live")
    for codec in Codec:
        write_clip(
            folder / f"{codec.value}.mp4", codec=codec, width=320, height=176, seconds=4, bitrate=300_000, sound="aac"
        )
    files = [str(folder / f"{codec.value}.mp4") for codec in Codec]
    process = subprocess.Popen(
        [sys.executable, "-m", "perishield", "simulate", *files, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip() for _ in files]
        yield {Path(line).name: line for line in lines}
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def api(node: Any, addresses: dict[str, str]) -> Iterator[httpx.Client]:
    """Logged in, with both cameras live."""
    with httpx.Client(base_url=node.address, timeout=40) as client:
        session = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        for name, address in addresses.items():
            body = {"name": name, "url": address, "analysis": {"enabled": False}}
            assert client.post("/api/cameras", json=body).status_code == 201
        eventually(lambda: {item["condition"] for item in client.get("/api/video/streams").json()["items"]} == {"live"})
        yield client


def eventually(true: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def picture(page: Page, name: str) -> Any:
    return page.get_by_label(name, exact=True).locator("video")


def test_low_delay_plays_over_webrtc_and_says_where_it_cannot(api: httpx.Client, node: Any, page: Page) -> None:
    page.goto(node.address)
    log_in(page, node.address)
    page.get_by_role("button", name="Low delay").click()
    video = picture(page, "h264")
    eventually(lambda: bool(video.evaluate("v => v.srcObject !== null && v.videoWidth === 320 && v.currentTime > 1")))
    other = page.get_by_label("h265", exact=True)
    expect(other.get_by_text("This browser cannot play H.265.")).to_be_visible()
    assert other.locator("video").evaluate("v => v.srcObject === null")
    page.get_by_role("button", name="Low delay").click()
    eventually(lambda: bool(video.evaluate("v => v.srcObject === null && v.currentTime > 1")))


def test_chromium_plays_hls(api: httpx.Client, node: Any, page: Page) -> None:
    ways = api.get("/api/live/ways/h264").json()
    page.goto(f"{node.address}/healthz")
    played = page.evaluate(
        """async url => {
            const video = document.createElement('video')
            video.muted = true
            document.body.append(video)
            if (!video.canPlayType('application/vnd.apple.mpegurl')) return 'cannot'
            video.src = url
            await video.play()
            const end = performance.now() + 20000
            while (video.currentTime < 3 && performance.now() < end) await new Promise(done => setTimeout(done, 100))
            return [video.videoWidth, video.currentTime >= 3, video.error && video.error.message]
        }""",
        ways["hls"],
    )
    assert str(played) == "[320, True, None]"


@pytest.mark.real("ffmpeg")
@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("way", ["hls", "rtsp"])
def test_ffmpeg_plays_what_the_api_names(api: httpx.Client, node: Any, codec: Codec, way: str) -> None:
    if way == "hls":
        address = node.address + api.get(f"/api/live/ways/{codec.value}").json()["hls"]
    else:
        made = api.post("/api/live/credentials", json={"cameras": [codec.value]}).json()
        address = made["rtsp"].replace("rtsp://", f"rtsp://{made['username']}:{made['password']}@")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", address, "-t", "3", "-f", "framemd5", "-"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert played.returncode == 0, played.stderr
    assert played.stdout.count("\n0, ") >= 60, played.stderr

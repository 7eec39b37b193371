"""Testing a camera through the API: who may, what is never sent where, and that it takes no longer than it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.texture_clip import write_clip
from perishield.sources.simulator import Simulator, SimulatorClip


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[str]:
    """A camera that asks for `viewer` and `night & day`."""
    path = tmp_path / "clip.mp4"
    await asyncio.to_thread(write_clip, path)
    simulator = Simulator({"one": SimulatorClip.load(path)}, username="viewer", password="night & day")
    await simulator.start()
    yield simulator.urls[0]
    await simulator.close()


async def test_the_steps_come_with_codes_to_translate_by(node: Any, guarded: str) -> None:
    answer = await node.client.post(
        "/api/video/probe", json={"url": guarded, "username": "viewer", "password": "night & day", "seconds": 6}
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["healthy"] is True
    assert "night" not in answer.text
    assert [step["name"] for step in found["steps"]][:5] == ["dns", "tcp", "options", "describe", "authentication"] or [
        step["name"] for step in found["steps"]
    ][:5] == ["dns", "tcp", "options", "authentication", "describe"]
    assert all(step["code"] and step["says"] and step["verdict"] in ("ok", "warn", "fail") for step in found["steps"])


async def test_a_saved_password_goes_only_to_the_camera_it_was_saved_for(node: Any, guarded: str) -> None:
    await node.add_camera(url=guarded, username="viewer", password="night & day")
    body = {"url": guarded, "username": "viewer", "camera": "gate", "seconds": 3}
    found = (await node.client.post("/api/video/probe", json=body)).json()
    assert "auth_refused" not in [step["code"] for step in found["steps"]]
    other = {**body, "url": guarded.replace("127.0.0.1", "localhost")}
    found = (await node.client.post("/api/video/probe", json=other)).json()
    assert [step["code"] for step in found["steps"] if step["verdict"] == "fail"] == ["auth_refused"]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://10.0.0.4/video", "rtsp://169.254.169.254/latest", "gopher://10.0.0.4", "rtsp://"],
)
async def test_what_is_no_rtsp_camera_is_refused_at_its_field(node: Any, url: str) -> None:
    answer = await node.client.post("/api/video/probe", json={"url": url})
    assert (answer.status_code, answer.json()["params"]["field"]) == (422, "url")


async def test_only_administrators_may(node: Any) -> None:
    node.client.headers.pop("Authorization")
    answer = await node.client.post("/api/video/probe", json={"url": "rtsp://127.0.0.1:9/x"})
    assert answer.status_code == 401


async def test_two_at_once_and_each_within_its_time(node: Any) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    body = {"url": f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", "seconds": 2}
    began = time.monotonic()
    answers = await asyncio.gather(*(node.client.post("/api/video/probe", json=body) for _ in range(3)))
    assert time.monotonic() - began < 40
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
    server.close()

"""A whole node: a camera in, an alarm out, and what happens when its processes are killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

PASSWORD = "correct horse battery staple"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from walker_clip import make_clip  # noqa: E402

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def camera_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulated camera in a process of its own."""
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


class Node:
    """A running node and an administrator who is logged in."""

    def __init__(self, process: subprocess.Popen[bytes], data: Path, address: str, client: httpx.AsyncClient) -> None:
        self.process, self.data, self.address, self.client = process, data, address, client
        self.token = ""

    async def pid(self, name: str) -> int:
        """The process id of a role, read from the process table: the API does not tell it."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and f"perishield.roles.{name}" in (entry / "cmdline").read_text():
                    parent = int(re.findall(r"PPid:\s+(\d+)", (entry / "status").read_text())[0])
                    if parent == self.process.pid:
                        return int(entry.name)
        return 0

    async def streams(self) -> dict[str, dict[str, Any]]:
        answer = await self.client.get("/api/video/streams")
        return {item["camera"]: item for item in answer.json()["items"]}


async def until(what: str, condition: Callable[[], Awaitable[Any]], seconds: float = 40, every: float = 0.05) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := await condition():
                return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(every)


@pytest.fixture
async def node(tmp_path: Path, free_port: int) -> AsyncIterator[Node]:
    data = tmp_path / "data"
    log = (tmp_path / "node.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "perishield", "run", "--data", str(data), "--port", str(free_port), "--no-demo"],
        stderr=log,
        env={
            **os.environ,
            "PERISHIELD_INGEST__SEGMENT_S": "3",
            "PERISHIELD_INGEST__MIN_FREE_MIB": "0",
            # The node's own page is one of the things that are no cameras.
            "PERISHIELD_SECURITY__DEVICE_ADDRESSES": json.dumps(["127.0.0.0/8", f"127.0.0.1:{free_port}"]),
        },
    )
    address = f"http://127.0.0.1:{free_port}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=10) as client:
            running = Node(process, data, address, client)

            async def ready() -> bool:
                assert process.poll() is None, (tmp_path / "node.log").read_text()
                return (await client.get("/readyz")).status_code == 200

            await until("the server is ready", ready)
            link = (data / "setup_link.txt").read_text()
            answer = await client.post(
                "/api/setup",
                json={"token": link.rpartition("token=")[2].strip(), "username": "guard", "password": PASSWORD},
            )
            assert answer.status_code == 200, answer.text
            running.token = answer.json()["access_token"]
            client.headers["Authorization"] = f"Bearer {running.token}"
            yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
            log.close()


async def add_camera(node: Node, url: str, name: str = "gate") -> None:
    answer = await node.client.post("/api/cameras", json={"id": name, "name": "Gate", "url": url})
    assert answer.status_code == 201, answer.text
    line = [[0.5, 0.05], [0.5, 0.98]]
    rule = {"kind": "tripwire", "camera": name, "name": "middle", "line": line, "cooldown_s": 1}
    answer = await node.client.post("/api/rules", json=rule)
    assert answer.status_code == 201, answer.text


async def live(node: Node, camera: str = "gate", after_epoch: int = 0) -> None:
    async def is_live() -> bool:
        stream = (await node.streams()).get(camera, {})
        return stream.get("condition") == "live" and stream["epoch"] > after_epoch

    await until(f"{camera} is live", is_live)


@contextlib.asynccontextmanager
async def listening(node: Node, *topics: str) -> AsyncIterator[ClientConnection]:
    async with connect(node.address.replace("http", "ws") + "/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": node.token}))
        assert json.loads(await socket.recv())["type"] == "ready"
        await socket.send(json.dumps({"type": "subscribe", "topics": list(topics), "cameras": None}))
        yield socket


async def heard(socket: ClientConnection, kind: str, seconds: float = 60) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


def decoded(path: Path) -> int:
    """Frames that decode from a segment file without an error."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


async def test_a_camera_in_an_alarm_on_screen(node: Node, camera_url: str) -> None:
    await add_camera(node, camera_url)
    async with listening(node, "alarms", "tracks") as socket:
        alarm = (await heard(socket, "alarm"))["data"]
        assert (alarm["camera"], alarm["kind"], alarm["state"], alarm["label"]) == ("gate", "tripwire", "new", "motion")
        assert alarm["level"] == 3
        assert 0.4 < alarm["point"][0] < 0.6
        picture = await node.client.get(alarm["snapshot_url"])
        assert picture.headers["content-type"] == "image/jpeg"
        update = alarm
        while update["clip"]["state"] == "pending":
            update = (await heard(socket, "alarm_update"))["data"]
    assert update["clip"]["state"] == "ready", update["clip"]
    part = await node.client.get(update["clip"]["url"], headers={"Range": "bytes=0-99"})
    assert part.status_code == 206
    clip = node.data / "clip.mp4"
    clip.write_bytes((await node.client.get(update["clip"]["url"])).content)
    # Five seconds before and after, less what lies before the camera's first frame: then it says so.
    told = update["clip"]
    assert decoded(clip) == pytest.approx(told["duration_s"] * 10, abs=2)
    assert told["duration_s"] > 9 or ("no earlier footage" in told["note"] and told["duration_s"] > 5)
    listed = (await node.client.get("/api/alarms")).json()
    assert alarm["id"] in [item["id"] for item in listed["items"]]
    assert (await node.client.get("/api/video/snapshot/gate")).content[:2] == b"\xff\xd8"


async def test_live_view_starts_with_a_key_frame_and_plays(node: Node, camera_url: str) -> None:
    await add_camera(node, camera_url)
    await live(node)
    stream = b""
    async with connect(f"{node.address.replace('http', 'ws')}/ws/live/gate", proxy=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": node.token}))
        async with asyncio.timeout(30):
            while stream.count(b"moof") < 8:
                message = await socket.recv()
                stream += message if isinstance(message, bytes) else b""
    path = node.data / "live.mp4"
    path.write_bytes(stream)
    assert decoded(path) >= 8


@pytest.mark.parametrize("name", ["ingest", "vision", "server"])
async def test_a_killed_process_is_back_and_nothing_stored_is_lost(node: Node, camera_url: str, name: str) -> None:
    await add_camera(node, camera_url)
    await live(node)
    async with listening(node, "alarms") as socket:
        first = (await heard(socket, "alarm"))["data"]["id"]
    before = (await node.streams())["gate"]["epoch"]
    victim = await node.pid(name)
    assert victim
    os.kill(victim, signal.SIGKILL)

    async def is_back() -> bool:
        pid = await node.pid(name)
        if pid in {0, victim} or (await node.client.get("/readyz")).status_code != 200:
            return False
        states = {item["name"]: item for item in (await node.client.get("/api/system")).json()["processes"]}
        return bool(states.get(name, {}).get("state") == "running" and states[name]["restarts"] == 1)

    await until(f"{name} is back", is_back)
    await live(node, after_epoch=before if name == "ingest" else 0)
    async with listening(node, "alarms") as socket:
        second = (await heard(socket, "alarm"))["data"]["id"]
    assert second != first

    async def both_stored() -> bool:
        ids = [item["id"] for item in (await node.client.get("/api/alarms")).json()["items"]]
        return len(ids) == len(set(ids)) and {first, second} <= set(ids)

    await until("both alarms are stored once", both_stored, seconds=10)
    segments = sorted((node.data / "media" / "recordings" / "gate").rglob("*.mp4"))
    assert len(segments) >= 3
    for path in segments[:-1]:
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert decoded(path) == sidecar["frames"], path


async def test_each_trouble_has_its_sentence(node: Node, camera_url: str, free_port: int) -> None:
    wrong = {
        "nobody-home": (f"rtsp://127.0.0.1:{free_port + 1}/x", "refused"),
        "no-such-path": (f"{camera_url}-none", "not_found"),
        "no-such-host": ("rtsp://no-such-host.invalid/1", "dns"),
        "a-web-page": (f"{node.address}/", "not_a_video"),
    }
    for camera, (url, _) in wrong.items():
        answer = await node.client.post("/api/cameras", json={"id": camera, "name": camera, "url": url})
        assert answer.status_code == 201, answer.text
    await add_camera(node, camera_url)

    async def all_failed() -> bool:
        streams = await node.streams()
        return all(streams.get(camera, {}).get("code") for camera in wrong)

    await until("every wrong camera has a code", all_failed, seconds=30)
    streams = await node.streams()
    assert {camera: streams[camera]["code"] for camera in wrong} == {
        camera: code for camera, (_, code) in wrong.items()
    }
    for camera in wrong:
        assert streams[camera]["message"]
    await live(node)


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path, free_port: int) -> None:
    import socket

    with socket.create_server(("127.0.0.1", free_port)):
        result = subprocess.run(
            [sys.executable, "-m", "perishield", "run", "--data", str(tmp_path), "--port", str(free_port), "--no-demo"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert result.returncode == 4
    assert re.search(rf"{free_port}.*in use.*--port", result.stderr)


def test_a_misspelt_key_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[vison]\n")
    result = subprocess.run(
        [sys.executable, "-m", "perishield", "run", "-c", str(tmp_path / "site.toml")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 2
    assert "did you mean 'vision'" in result.stderr
    assert "Traceback" not in result.stderr

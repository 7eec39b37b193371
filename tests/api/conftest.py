"""The server's real parts in this process: database, bus, application; over ASGI, or over a real port for sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher

from perishield.api.app import create_app
from perishield.api.guard import Guard
from perishield.api.passwords import Passwords
from perishield.api.services import Services
from perishield.bus import LocalBus, topics
from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.media import TIMESCALE, ChunkRef, Packet, SegmentRow, StreamCondition, StreamState
from perishield.roles.live import Live, LiveConfig
from perishield.roles.server import assembled, http_server, listen
from perishield.roles.server_config import ServerConfig
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter

PASSWORD = "correct horse battery"


@dataclass(slots=True)
class Node:
    """A server at work. `peer` is another process's end of the bus; `url` is set where it listens on a port."""

    services: Services
    peer: LocalBus
    folder: Path
    client: httpx.AsyncClient
    url: str = ""
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def set_up(self) -> None:
        """Make the administrator and stay logged in."""
        token = (self.folder / "setup_link.txt").read_text().strip().partition("token=")[2]
        body = {"token": token, "username": "admin", "password": PASSWORD}
        answer = await self.client.post("/api/setup", json=body)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.client.headers.update(self.headers)

    async def add_user(self, username: str, role: str, password: str = PASSWORD) -> dict[str, Any]:
        body = {"username": username, "role": role, "password": password}
        answer = await self.client.post("/api/users", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["user"]
        return made

    async def log_in(self, username: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        """A further login; the client stays the administrator."""
        body = {"username": username, "password": password, **more}
        answer = await self.client.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session

    async def headers_of(self, role: str) -> dict[str, str]:
        """Of somebody new with that role."""
        name = f"{role}-{uuid4().hex[:8]}"
        await self.add_user(name, role)
        return {"Authorization": f"Bearer {(await self.log_in(name))['access_token']}"}

    async def add_camera(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "Gate", "url": "rtsp://10.0.0.4/ch1", **fields}
        answer = await self.client.post("/api/cameras", json=body)
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    async def until(self, true: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
        """Wait until that is so; a bus message may be on its way."""
        async with asyncio.timeout(seconds):
            while True:
                found = true()
                if found if isinstance(found, bool) else await found:
                    return
                # Whoever asks the server takes its time from what is waited for.
                await asyncio.sleep(0.01 if isinstance(found, bool) else 0.1)

    async def heard_by_server(self, state: StreamState) -> None:
        """Publish until it got through: a peer that has just bound is not connected at once."""
        async with asyncio.timeout(20):
            while self.services.streams.get(state.camera) != state:
                self.peer.publish(topics.STATES, state.camera, state)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def _node(folder: Path, new_database: Callable[[Path], str], **more: Any) -> AsyncIterator[Node]:
    config = ServerConfig(
        data_dir=folder,
        run_dir=folder / "run",
        media_dir=folder / "media",
        static=folder / "static",
        # Most moments of tests are of one September: nothing is to be too old, whenever they run.
        **{"alarm_days": 36_500.0, "track_days": 36_500.0, **more},
    )
    if not (folder / "perishield.db").exists():
        new_database(folder / "perishield.db")
    bus = await LocalBus.open(config.run_dir, "server")
    peer = await LocalBus.open(config.run_dir, "ingest")
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    try:
        async with assembled(config, bus, "http://testserver", cheap) as services:
            transport = httpx.ASGITransport(Guard(create_app(services)), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                yield Node(services, peer, folder, client)
    finally:
        await peer.close()
        await bus.close()


@pytest.fixture
async def fresh(tmp_path: Path, new_database: Callable[[Path], str]) -> AsyncIterator[Node]:
    """A server that nobody has set up."""
    async with _node(tmp_path / "data", new_database) as made:
        yield made


@pytest.fixture
async def node(fresh: Node) -> Node:
    """A server whose client is the administrator."""
    await fresh.set_up()
    return fresh


@pytest.fixture
async def node_with(
    tmp_path: Path, new_database: Callable[[Path], str]
) -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """A server with further settings, whose client is the administrator."""
    async with AsyncExitStack() as stack:

        async def make(name: str = "data", **more: Any) -> Node:
            made = await stack.enter_async_context(_node(tmp_path / name, new_database, **more))
            await made.set_up()
            return made

        yield make


@asynccontextmanager
async def on_port(node: Node) -> AsyncIterator[Node]:
    """The node on a real port."""
    listener = listen("127.0.0.1", 0)
    server = http_server(node.services)
    task = asyncio.create_task(server.serve([listener]))
    await node.until(lambda: server.started)
    node.url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield node
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def served(node: Node) -> AsyncIterator[Node]:
    """The same on a real port."""
    async with on_port(node) as listening:
        yield listening


@pytest.fixture
async def served_with(node_with: Callable[..., Awaitable[Node]]) -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """A server with further settings on a real port."""
    async with AsyncExitStack() as stack:

        async def make(**more: Any) -> Node:
            return await stack.enter_async_context(on_port(await node_with(**more)))

        yield make


@pytest.fixture
def live_state() -> Callable[..., StreamState]:
    def make(camera: str = "gate", **fields: Any) -> StreamState:
        values: dict[str, Any] = {
            "condition": StreamCondition.LIVE,
            "since": 1_790_000_000.5,
            "epoch": 7,
            "codec": "h264",
            "width": 192,
            "height": 128,
            "fps": 25.0,
            "clock": "camera",
        }
        return StreamState(camera=camera, **{**values, **fields})

    return make


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, width=192, height=128, seconds=8, bitrate=200_000, gop_s=1.0)
    return path


class Recorder:
    """A camera's footage, cut into segments of two seconds; `refs` and `rows` are what ingest would tell."""

    def __init__(self, media: Path, clip: Path, camera: str, epoch: int, wall: float) -> None:
        self.refs: list[ChunkRef] = []
        self.rows: list[SegmentRow] = []
        self.wall = wall
        video, self.packets = read_packets(clip)
        writer = SegmentWriter(MediaRoot(media), camera, "recordings", 2.0, self.rows.append, lambda _: None)
        self.chunker = Chunker(camera, epoch, writer, self.refs.append, chunk_bytes=8_000)
        self.chunker.format(video)

    def record(self, first: float, last: float, *, close: bool = True) -> None:
        """Seconds [first, last) of the clip."""
        for packet in self.packets:
            if first <= packet.dts / TIMESCALE < last:
                moment = self.wall + packet.dts / TIMESCALE
                self.chunker.packet(
                    Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, moment, moment)
                )
        if close:
            self.chunker.close()
        else:
            self.chunker.tick(moment + 3600)


@pytest.fixture
def make_recorder(node: Node, clip_file: Path) -> Callable[..., Recorder]:
    def make(camera: str = "gate", epoch: int = 7, wall: float = 1_790_000_000.0) -> Recorder:
        return Recorder(node.services.media, clip_file, camera, epoch, wall)

    return make


@pytest.fixture
def make_recorder_for(clip_file: Path) -> Callable[..., Recorder]:
    """The same for a node of the test's own."""

    def make(node: Node, camera: str = "gate", epoch: int = 7, wall: float = 1_790_000_000.0) -> Recorder:
        return Recorder(node.services.media, clip_file, camera, epoch, wall)

    return make


@pytest.fixture
async def live(node: Any) -> AsyncIterator[Live]:
    """The live process, in this one."""
    object.__setattr__(node.services.live_out, "webrtc", True)
    config = LiveConfig(
        data_dir=node.folder, run_dir=node.folder / "run", media_dir=node.services.media, rtsp_port=0, webrtc_peers=1
    )
    bus = await LocalBus.open(config.run_dir, "live")
    made, stop = Live(config, bus), asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    yield made
    stop.set()
    await task
    await bus.close()

"""A real ingest process, and what it says."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from perishield.bus import LocalBus, topics
from perishield.bus.site_file import write_site
from perishield.model.media import ChunkRef, SegmentRow, StreamState
from perishield.model.site import Analysis, Camera, Recording, RecordMode, Site
from perishield.sources.simulator import Simulator

DEADLINE_S = 30.0


class Node:
    """An ingest process with its data folder, and what it says on the bus."""

    def __init__(self, data: Path, bus: LocalBus, simulator: Simulator) -> None:
        self.data = data
        self.media = data / "media"
        self.bus = bus
        self.simulator = simulator
        self.chunks: list[ChunkRef] = []
        self.states: list[StreamState] = []
        self.segments: list[SegmentRow] = []
        self.process: asyncio.subprocess.Process | None = None
        self.cameras: tuple[Camera, ...] = ()
        self._revision = 0

    def camera(self, name: str, *, record: bool = True, url: str = "", analysed: bool = False) -> Camera:
        return Camera(
            id=name,
            name=name,
            url=url or f"{self.simulator.urls[0]}?{name}",
            recording=Recording(mode=RecordMode.CONTINUOUS if record else RecordMode.OFF),
            analysis=Analysis(enabled=analysed),
        )

    def publish_site(self, *cameras: Camera) -> None:
        self.cameras = cameras
        self._revision += 1
        write_site(self.data / "site.json", Site(revision=self._revision, cameras=cameras))
        self.bus.publish(topics.SITE, "", topics.SiteChanged(self._revision))

    async def start(self, **settings: object) -> None:
        config = {
            "data_dir": str(self.data),
            "run_dir": str(self.data / "run"),
            "media_dir": str(self.media),
            "segment_s": 1.0,
            **settings,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perishield.roles.ingest",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(config).encode())
        self.process.stdin.close()
        line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE_S)
        assert line == b"READY\n"

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        return await asyncio.wait_for(process.wait(), DEADLINE_S)

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {DEADLINE_S:g} s; states: {self.states[-3:]}"
            assert self.process is None or self.process.returncode is None, "the process died"
            await asyncio.sleep(0.02)

    def frames(self, camera: str) -> int:
        return sum(len(chunk.sizes) for chunk in self.chunks if chunk.camera == camera)

    def state(self, camera: str) -> StreamState | None:
        return next((state for state in reversed(self.states) if state.camera == camera), None)


async def listen(bus: LocalBus, topic: topics.Topic, kept: list) -> None:  # type: ignore[type-arg]
    async with bus.subscribe(topic, size=4096) as subscription:
        async for _, message in subscription:
            kept.append(message)

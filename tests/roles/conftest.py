"""An ingest process with cameras to record."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.roles.ingest_node import Node, listen

from perishield.bus import LocalBus, topics
from perishield.evaluation.texture_clip import write_clip
from perishield.sources.simulator import Simulator, SimulatorClip


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> SimulatorClip:
    path = tmp_path_factory.mktemp("served") / "clip.mp4"
    write_clip(path, width=320, height=192, seconds=4, bitrate=600_000, gop_s=0.4)
    return SimulatorClip.load(path)


@pytest.fixture
async def simulator(served: SimulatorClip) -> AsyncIterator[Simulator]:
    farm = Simulator({"clip": served})
    await farm.start()
    try:
        yield farm
    finally:
        await farm.close()


@pytest.fixture
async def node(tmp_path: Path, simulator: Simulator) -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        bus = await LocalBus.open(tmp_path / "run", "server")
        stack.push_async_callback(bus.close)
        under_test = Node(tmp_path, bus, simulator)
        listening = [
            asyncio.create_task(listen(bus, topics.CHUNKS, under_test.chunks)),
            asyncio.create_task(listen(bus, topics.STATES, under_test.states)),
            asyncio.create_task(listen(bus, topics.SEGMENTS, under_test.segments)),
        ]
        try:
            yield under_test
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
            if under_test.process is not None:
                await under_test.end(signal.SIGKILL)

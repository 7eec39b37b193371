"""People who look at cameras live while the ingest process is measured: each asks for low delay, takes every chunk."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from perishield.bus import LocalBus, topics
from perishield.bus.topics import Watch
from perishield.live.chunk_reader import ChunkReader
from perishield.model.errors import PeriShieldError

_ASK_EVERY_S = 2.0
_WATCH_FOR_S = 10.0
_START_S = 10.0


class Viewers:
    """Within the block, one viewer for each of `cameras` of the ingest process that works in `data`.

    They live in a thread of this process, so that what they cost is not what is measured.
    """

    def __init__(self, cameras: Sequence[str], data: Path) -> None:
        self._cameras = frozenset(cameras)
        self._data = data
        self._delays: list[float] = []
        self._bytes = 0
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="viewers")

    def __enter__(self) -> Viewers:
        if self._cameras:
            self._thread.start()
            if not self._begun.wait(_START_S):
                raise PeriShieldError("bench ingest: the viewers could not begin", code="bench_failed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join()

    def delays(self) -> dict[str, float] | None:
        """Milliseconds, `p50` and `p95`, and how many `chunks` were seen; None where nobody looked."""
        if not self._cameras:
            return None
        if len(self._delays) < 2:
            raise PeriShieldError("bench ingest: the viewers saw nothing", code="bench_failed")
        parts = statistics.quantiles(self._delays, n=20)
        return {
            "p50": round(parts[9] * 1000, 1),
            "p95": round(parts[18] * 1000, 1),
            "chunks": len(self._delays),
        }

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._look())

    async def _look(self) -> None:
        self._task = asyncio.create_task(self._take(), name="viewers")
        await asyncio.gather(self._task, return_exceptions=True)

    async def _take(self) -> None:
        bus = await LocalBus.open(self._data / "run", "server")
        readers = {camera: ChunkReader(self._data / "media") for camera in self._cameras}
        asking = asyncio.create_task(self._ask(bus), name="asking")
        try:
            async with bus.subscribe(topics.CHUNKS, size=4096) as chunks:
                self._begun.set()
                async for camera, ref in chunks:
                    reader = readers.get(camera)
                    if reader is not None:
                        self._bytes += len(await reader.chunk(ref))
                        newest = ref.arrival + (ref.arrivals[-1] if ref.arrivals else 0) / 1000
                        self._delays.append(time.time() - newest)
        finally:
            asking.cancel()
            for reader in readers.values():
                reader.close()
            await bus.close()

    async def _ask(self, bus: LocalBus) -> None:
        while True:
            until = time.time() + _WATCH_FOR_S
            for camera in self._cameras:
                bus.publish(topics.WATCH, camera, Watch(camera, until))
            await asyncio.sleep(_ASK_EVERY_S)

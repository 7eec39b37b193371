"""One stream of the ingest process: its source and its chunks; begun anew when it breaks, alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perishield.log import Log
from perishield.model.device_reach import DeviceReach
from perishield.model.errors import PeriShieldError, StorageError
from perishield.model.media import ChunkRef, SegmentRow, StreamCondition, StreamState
from perishield.model.site import Camera
from perishield.sources.open import open_source
from perishield.streams.chunker import Chunker
from perishield.streams.epochs import Epochs
from perishield.streams.media_root import MediaRoot
from perishield.streams.segments import SegmentWriter
from perishield.streams.write_queue import Writing

log = Log("ingest")

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Source(Protocol):
    """What `open_source` gives."""

    low_delay: bool

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How chunks and segments are cut; seconds and bytes."""

    segment_s: float
    chunk_s: float
    chunk_bytes: int
    low_delay_chunk_s: float
    file_root: Path | None
    reach: DeviceReach | None = None
    """Where cameras may be; None: anywhere."""


@dataclass(slots=True, kw_only=True)
class Workshop:
    """What all streams of the process share. `writing` is asked by pool; without it chunks are written at once."""

    root: MediaRoot
    cutting: Cutting
    epochs: Epochs
    writing: Mapping[str, Writing] | None = None
    first_retry_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Outlets:
    """Who is told what becomes of a stream, and who says which pool a frame of that moment belongs to."""

    on_chunk: Callable[[ChunkRef], None]
    on_segment: Callable[[SegmentRow], None]
    on_state: Callable[[StreamState], None]
    on_fault: Callable[[StorageError | None], None]
    choose_pool: Callable[[float], str]


class StreamIngest:
    """Runs `camera`'s address from `start` to `stop`."""

    def __init__(self, camera: Camera, workshop: Workshop, outlets: Outlets) -> None:
        self.camera = camera
        self._workshop = workshop
        self._outlets = outlets
        self.chunker: Chunker | None = None
        """While the stream runs. Its `tick` must be called several times a second."""
        self._source: Source | None = None
        self._low_delay = False
        self._closely = False
        self._task: asyncio.Task[None] | None = None

    def start(self, delay_s: float) -> None:
        """Connect after `delay_s`, so that many streams do not begin at once."""
        self._task = asyncio.get_running_loop().create_task(self._run(delay_s), name=f"stream {self.camera.id}")

    async def stop(self) -> None:
        """Disconnect, write what waits, end the segment."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def set_priority(self, priority: int) -> None:
        if self.chunker is not None:
            self.chunker.writer.priority = priority

    def set_low_delay(self, wanted: bool, *, closely: bool = False) -> None:
        self._low_delay, self._closely = wanted, closely
        chunker, source = self.chunker, self._source
        if chunker is not None and (chunker.low_delay != wanted or chunker.closely != closely):
            chunker.closely = closely
            chunker.low_delay = chunker.writer.low_delay = wanted
        if source is not None and source.low_delay != wanted:
            source.low_delay = wanted

    async def _run(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        pause = _FIRST_PAUSE_S
        name = self.camera.id
        while True:
            began = time.monotonic()
            epoch = self._workshop.epochs.next()
            try:
                await self._run_epoch(epoch)
                log.warning("camera.ended", camera=name)
                self._failed(epoch, "gone", f"camera '{name}': its stream ended")
            except PeriShieldError as error:
                log.error("camera.failed", camera=name, code=error.code, message=error.message)
                self._failed(epoch, error.code, error.message)
            except Exception:
                log.exception("camera.crashed", camera=name)
                self._failed(epoch, "error", f"camera '{name}': stopped by a fault of this program; see its log")
            pause = _FIRST_PAUSE_S if time.monotonic() - began > _LONGEST_PAUSE_S else pause
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    async def _run_epoch(self, epoch: int) -> None:
        workshop, outlets, camera = self._workshop, self._outlets, self.camera
        cutting = workshop.cutting
        writer = SegmentWriter(
            workshop.root,
            camera.id,
            outlets.choose_pool(time.time()),
            cutting.segment_s,
            outlets.on_segment,
            outlets.on_fault,
            writing=workshop.writing,
            choose_pool=outlets.choose_pool,
            priority=camera.recording.priority,
        )
        chunker = Chunker(
            camera.id,
            epoch,
            writer,
            outlets.on_chunk,
            chunk_s=cutting.chunk_s,
            chunk_bytes=cutting.chunk_bytes,
            low_delay_chunk_s=cutting.low_delay_chunk_s,
        )
        self.chunker = chunker
        try:
            self._source = open_source(
                camera,
                chunker,
                outlets.on_state,
                epoch=epoch,
                first_retry_s=self._workshop.first_retry_s,
                file_root=cutting.file_root,
                reach=cutting.reach,
            )
            self.set_low_delay(self._low_delay, closely=self._closely)
            await self._source.run()
        finally:
            self._source = None
            chunker.close()
            self.chunker = None
            if writer.fault is not None:
                outlets.on_fault(None)

    def _failed(self, epoch: int, code: str, message: str) -> None:
        self._outlets.on_state(
            StreamState(
                camera=self.camera.id,
                condition=StreamCondition.FAILED,
                since=time.time(),
                epoch=epoch,
                code=code,
                message=message,
            )
        )

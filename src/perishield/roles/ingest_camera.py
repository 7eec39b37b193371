"""One camera of the ingest process: its source, its chunks, its state; restarted when it breaks, alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from perishield.log import Log
from perishield.model.errors import PeriShieldError, StorageError
from perishield.model.media import ChunkRef, SegmentRow, StreamCondition, StreamState
from perishield.model.site import Camera, RecordMode
from perishield.sources.open import open_source
from perishield.streams.chunker import Chunker
from perishield.streams.epochs import Epochs
from perishield.streams.layout import POOL, RECORDINGS
from perishield.streams.segments import MediaRoot, SegmentWriter

log = Log("ingest")

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_TELL_FIRST_S = 1.0
_TELL_EVERY_S = 5.5


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


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what a camera does."""

    on_chunk: Callable[[ChunkRef], None]
    on_segment: Callable[[SegmentRow], None]
    on_state: Callable[[StreamState], None]


class CameraIngest:
    """Runs from `start` to `stop`. `tick` must be called several times a second."""

    def __init__(self, camera: Camera, root: MediaRoot, cutting: Cutting, epochs: Epochs, listeners: Listeners) -> None:
        self.camera = camera
        self._root = root
        self._cutting = cutting
        self._epochs = epochs
        self._listeners = listeners
        self._watched_until = 0.0
        self._source: Source | None = None
        self._chunker: Chunker | None = None
        self._fault: StorageError | None = None
        self._state = StreamState(camera=camera.id, condition=StreamCondition.OFF, since=time.time())
        self._told = 0.0
        # Listeners join after us: what they missed is repeated soon, and then now and then.
        self._tell_again_s = _TELL_FIRST_S
        self._task: asyncio.Task[None] | None = None

    def start(self, delay_s: float) -> None:
        """Connect after `delay_s`, so that many cameras do not begin at once."""
        if self.camera.enabled:
            self._task = asyncio.get_running_loop().create_task(self._run(delay_s), name=f"camera {self.camera.id}")
        else:
            self._tell(self._state)

    async def stop(self) -> None:
        """Disconnect, write what waits, close the segment."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._tell(StreamState(camera=self.camera.id, condition=StreamCondition.OFF, since=time.time()))

    def update(self, camera: Camera) -> bool:
        """Take in changed settings; False where they need a new connection instead."""
        old = self.camera
        if (old.url, old.username, old.password, old.enabled) != (
            camera.url,
            camera.username,
            camera.password,
            camera.enabled,
        ):
            return False
        self.camera = camera
        if self._chunker is not None:
            self._chunker.writer.pool = self._pool
        self._set_delay()
        if camera.recording != old.recording:
            self._tell(self._state)
        return True

    def watch(self, until: float) -> None:
        """Somebody looks until then (Unix seconds): low delay."""
        self._watched_until = max(self._watched_until, min(until, time.time() + 60.0))
        self._set_delay()

    def tick(self, wall: float) -> None:
        """Write what waited long enough, let low delay end, repeat the state."""
        if self._chunker is not None:
            self._chunker.tick(wall)
        if self._watched_until and wall >= self._watched_until:
            self._watched_until = 0.0
            self._set_delay()
        if not 0 <= wall - self._told < self._tell_again_s:
            self._tell_again_s = min(_TELL_EVERY_S, self._tell_again_s * 2)
            self._tell(self._state)

    @property
    def _pool(self) -> str:
        return POOL if self.camera.recording.mode is RecordMode.OFF else RECORDINGS

    def _set_delay(self) -> None:
        low = self.camera.analysis.enabled or self._watched_until > 0
        if self._chunker is not None and self._chunker.low_delay != low:
            self._chunker.low_delay = low
        if self._source is not None and self._source.low_delay != low:
            self._source.low_delay = low

    async def _run(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        pause = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            epoch = self._epochs.next()
            try:
                await self._run_epoch(epoch)
                log.warning("camera.ended", camera=self.camera.id)
                self._failed(epoch, "gone", f"camera '{self.camera.id}': its stream ended")
            except PeriShieldError as error:
                log.error("camera.failed", camera=self.camera.id, code=error.code, message=error.message)
                self._failed(epoch, error.code, error.message)
            except Exception:
                log.exception("camera.crashed", camera=self.camera.id)
                self._failed(
                    epoch, "error", f"camera '{self.camera.id}': stopped by a fault of this program; see its log"
                )
            pause = _FIRST_PAUSE_S if time.monotonic() - began > _LONGEST_PAUSE_S else pause
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    async def _run_epoch(self, epoch: int) -> None:
        cutting = self._cutting
        writer = SegmentWriter(
            self._root, self.camera.id, self._pool, cutting.segment_s, self._listeners.on_segment, self._on_fault
        )
        self._fault = None
        self._chunker = Chunker(
            self.camera.id,
            epoch,
            writer,
            self._listeners.on_chunk,
            chunk_s=cutting.chunk_s,
            chunk_bytes=cutting.chunk_bytes,
            low_delay_chunk_s=cutting.low_delay_chunk_s,
        )
        try:
            self._source = open_source(self.camera, self._chunker, self._tell, epoch=epoch, file_root=cutting.file_root)
            self._set_delay()
            await self._source.run()
        finally:
            self._source = None
            self._chunker.close()
            self._chunker = None

    def _on_fault(self, error: StorageError | None) -> None:
        self._fault = error
        self._tell(self._state)

    def _failed(self, epoch: int, code: str, message: str) -> None:
        self._tell(
            StreamState(
                camera=self.camera.id,
                condition=StreamCondition.FAILED,
                since=time.time(),
                epoch=epoch,
                code=code,
                message=message,
            )
        )

    def _tell(self, state: StreamState) -> None:
        self._state = state
        self._told = time.time()
        if state.condition is StreamCondition.LIVE:
            fault = self._fault
            state = replace(
                state,
                recording=self.camera.recording.mode is not RecordMode.OFF and fault is None,
                code=fault.code if fault else state.code,
                message=fault.message if fault else state.message,
            )
        self._listeners.on_state(state)

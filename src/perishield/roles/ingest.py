"""The ingest process: every enabled camera's packets become chunks in segment files; nothing is decoded.

Standard library, uvloop, the bus, the sources and the streams: it starts in a few times bare Python's own start and
stays small. What it cannot know (who looks, which cameras there are) comes over the bus and from site.json.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import uvloop

from perishield import log as logs
from perishield.bus import LocalBus, topics
from perishield.bus.process import EXIT_CONFIG, read_config, say_ready, stop_on_signal
from perishield.bus.site_file import read_site
from perishield.log import Log, LogFormat
from perishield.model.device_reach import DeviceReach
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.media import SegmentRow
from perishield.model.site import Camera
from perishield.roles.ingest_camera import CameraIngest, Listeners
from perishield.roles.ingest_files import FileKeeper, Keeping
from perishield.roles.ingest_storage import Storage
from perishield.roles.ingest_stream import Cutting, StreamIngest, Workshop
from perishield.streams.epochs import Epochs
from perishield.streams.journal import Journal

log = Log("ingest")

_SPREAD_S = 0.01
_SITE_EVERY_S = 1.0
_DRAIN_S = 1.5
_CAMERAS_EVERY_S = 0.5
_SMALLEST_CHUNK = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """What the supervisor hands over. Times in seconds unless named otherwise; ages of 0 keep without limit."""

    data_dir: Path
    run_dir: Path
    media_dir: Path
    segment_s: float = 10.0
    chunk_s: float = 1.0
    chunk_bytes: int = 65_536
    low_delay_chunk_s: float = 0.2
    pool_minutes: float = 30.0
    recordings_days: float = 7.0
    recordings_bytes: int = 0
    min_free_bytes: int = 0
    when_full: Literal["overwrite", "stop"] = "overwrite"
    queue_bytes: int = 32 * 1024 * 1024
    sync_s: float = 0.2
    file_root: Path | None = None
    reach: DeviceReach | None = None
    first_retry_s: float = 1.0
    log_level: str = "info"
    log_format: LogFormat = "text"


class Ingest:
    """All cameras of this process."""

    def __init__(self, config: IngestConfig, bus: LocalBus) -> None:
        self.cameras: dict[str, CameraIngest] = {}
        self._config = config
        self._bus = bus
        self._listeners = Listeners(
            on_chunk=lambda chunk: bus.publish(topics.CHUNKS, chunk.camera, chunk),
            on_segment=self._tell_segment,
            on_state=lambda state: bus.publish(topics.STATES, state.camera, state),
        )
        self._journal = Journal(config.data_dir / "journal")
        self._storage = Storage(
            config.media_dir,
            config.data_dir,
            config.queue_bytes,
            config.sync_s,
            lambda pressure: bus.publish(topics.PRESSURE, "", pressure),
        )
        self._workshop = Workshop(
            root=self._storage.root,
            cutting=Cutting(
                segment_s=config.segment_s,
                chunk_s=config.chunk_s,
                chunk_bytes=config.chunk_bytes,
                low_delay_chunk_s=config.low_delay_chunk_s,
                file_root=config.file_root,
                reach=config.reach,
            ),
            epochs=Epochs(config.data_dir / "epoch"),
            writing=self._storage.writing,
            first_retry_s=config.first_retry_s,
        )
        self._files = FileKeeper(
            self._storage.root,
            config.data_dir,
            Keeping(
                pool_s=config.pool_minutes * 60,
                recordings_s=config.recordings_days * 86_400,
                recordings_bytes=config.recordings_bytes,
                min_free_bytes=config.min_free_bytes,
                when_full=config.when_full,
            ),
            self._journal,
            self._listeners.on_segment,
            lambda camera, path: bus.publish(topics.REMOVED, camera, topics.SegmentRemoved(camera, path)),
        )
        self._site_path = config.data_dir / "site.json"
        self._site_stamp: tuple[int, int] | None = None
        self._site_error = ""
        self._streams: list[StreamIngest] = []
        self._ticked = 0.0
        self._tick_every_s = min(config.chunk_s / 10, 0.1)

    def _tell_segment(self, row: SegmentRow) -> None:
        self._bus.publish(topics.SEGMENTS, row.camera, row)
        self._files.finished(row)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        loop = asyncio.get_running_loop()
        self._journal.start()
        await self._follow_site()
        self._files.start()
        tasks = [
            loop.create_task(self._keep(self._watch_site, "site")),
            loop.create_task(self._keep(self._watch_viewers, "viewers")),
            loop.create_task(self._keep(self._tick, "tick")),
        ]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._files.stop()
            await asyncio.gather(*(camera.stop() for camera in self.cameras.values()))
            await self._storage.close(_DRAIN_S)
            self._journal.close()

    async def _keep(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Run one of the process's own duties; what breaks is logged and begins anew."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("ingest.duty_failed", duty=name)
            await asyncio.sleep(1.0)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._tick_every_s)
            wall = time.time()
            for stream in self._streams:
                chunker = stream.chunker
                if chunker is not None:
                    chunker.tick(wall)
            self._storage.tick()
            if not 0 <= wall - self._ticked < _CAMERAS_EVERY_S:
                self._ticked = wall
                for camera in self.cameras.values():
                    camera.tick(wall)

    async def _watch_site(self) -> None:
        async with self._bus.subscribe(topics.SITE) as changes:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.get(), _SITE_EVERY_S)
                await self._follow_site()

    async def _watch_viewers(self) -> None:
        async with self._bus.subscribe(topics.WATCH, size=1024) as watches:
            async for key, watch in watches:
                camera = self.cameras.get(key)
                if camera is not None:
                    camera.watch(watch.until, closely=watch.closely)

    async def _follow_site(self) -> None:
        """Make the running cameras those of site.json; a file that cannot be read changes nothing."""
        try:
            status = self._site_path.stat()
        except OSError:
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._site_stamp:
            return
        try:
            site = read_site(self._site_path)
        except ConfigError as error:
            if error.message != self._site_error:
                self._site_error = error.message
                log.error("site.unreadable", code=error.code, message=error.message)
            return
        if site is None:
            return
        self._site_stamp, self._site_error = stamp, ""
        wanted = {camera.id: camera for camera in site.cameras}
        gone = [running for key, running in self.cameras.items() if key not in wanted]
        fresh: list[Camera] = []
        for key, camera in wanted.items():
            current = self.cameras.get(key)
            if current is None:
                fresh.append(camera)
            elif not current.update(camera):
                gone.append(current)
                fresh.append(camera)
        await asyncio.gather(*(old.stop(retired=True) for old in gone))
        for old in gone:
            del self.cameras[old.camera.id]
        self._share_memory(len(wanted))
        self._storage.set_highest(
            max((camera.recording.priority for camera in site.cameras if camera.enabled), default=0)
        )
        self._files.follow(site.cameras)
        for index, camera in enumerate(fresh):
            ingest = CameraIngest(camera, self._workshop, self._listeners, self._journal)
            self.cameras[camera.id] = ingest
            ingest.start(index * _SPREAD_S)
        self._streams = [stream for camera in self.cameras.values() for stream in camera.streams]
        log.info("site.followed", revision=site.revision, cameras=len(self.cameras))

    def _share_memory(self, cameras: int) -> None:
        """What gathers before it is queued is bounded for any number of cameras, too: many get smaller chunks each."""
        share = 2 * self._config.queue_bytes // max(1, cameras)
        chunk_bytes = min(self._config.chunk_bytes, max(_SMALLEST_CHUNK, share))
        self._workshop.cutting = replace(self._workshop.cutting, chunk_bytes=chunk_bytes)


async def serve(config: IngestConfig) -> None:
    """Run until SIGTERM or SIGINT. Raises BusError, StorageError."""
    stop = stop_on_signal()
    bus = await LocalBus.open(config.run_dir, "ingest")
    try:
        say_ready()
        log.info("ingest.ready", pid=os.getpid())
        # What was imported lives as long as the process: no collection need look at it again. Packets form no cycles,
        # so looking for some among every few hundred of them is wasted.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        await Ingest(config, bus).run(stop)
    finally:
        await bus.close()


def main() -> int:
    logs.configure()
    try:
        config = read_config(IngestConfig)
        logs.configure(config.log_level, config.log_format)
        uvloop.run(serve(config))
    except PeriShieldError as error:
        log.error("ingest.failed", code=error.code, message=str(error))
        return EXIT_CONFIG if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

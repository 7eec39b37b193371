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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from perishield import log as logs
from perishield.bus import LocalBus, topics
from perishield.bus.process import EXIT_CONFIG, read_config, say_ready, stop_on_signal
from perishield.bus.site_file import read_site
from perishield.log import Log, LogFormat
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.site import Camera
from perishield.roles.ingest_camera import CameraIngest, Cutting, Listeners
from perishield.streams.epochs import Epochs
from perishield.streams.segments import MediaRoot

if TYPE_CHECKING:
    from perishield.streams.ring import Ring

log = Log("ingest")

_SPREAD_S = 0.01
_SITE_EVERY_S = 1.0
_RING_EVERY_S = 2.0
_HEARD_AFTER_S = 1.5
_RING_STEPS = 8


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
    min_free_bytes: int = 0
    file_root: Path | None = None
    log_level: str = "info"
    log_format: LogFormat = "text"


class Ingest:
    """All cameras of this process."""

    def __init__(self, config: IngestConfig, bus: LocalBus) -> None:
        self.cameras: dict[str, CameraIngest] = {}
        self._config = config
        self._bus = bus
        self._root = MediaRoot(config.media_dir)
        self._cutting = Cutting(
            segment_s=config.segment_s,
            chunk_s=config.chunk_s,
            chunk_bytes=config.chunk_bytes,
            low_delay_chunk_s=config.low_delay_chunk_s,
            file_root=config.file_root,
        )
        self._epochs = Epochs(config.data_dir / "epoch")
        self._listeners = Listeners(
            on_chunk=lambda chunk: bus.publish(topics.CHUNKS, chunk.camera, chunk),
            on_segment=lambda row: bus.publish(topics.SEGMENTS, row.camera, row),
            on_state=lambda state: bus.publish(topics.STATES, state.camera, state),
        )
        self._site_path = config.data_dir / "site.json"
        self._site_stamp: tuple[int, int] | None = None
        self._site_error = ""
        self._started = time.time()
        self._tick_every_s = min(config.chunk_s / 5, 0.2)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        loop = asyncio.get_running_loop()
        await self._follow_site()
        tasks = [
            loop.create_task(self._keep(self._watch_site, "site")),
            loop.create_task(self._keep(self._watch_viewers, "viewers")),
            loop.create_task(self._keep(self._tend_files, "files")),
            loop.create_task(self._keep(self._tick, "tick")),
        ]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(camera.stop() for camera in self.cameras.values()))

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
                    camera.watch(watch.until)

    async def _tend_files(self) -> None:
        """Repair what a crash left, then retention for ever; all in a thread."""
        # Imported here: cameras are connected first.
        from perishield.streams.recovery import recover
        from perishield.streams.ring import Ring

        config = self._config
        try:
            config.media_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            log.error("storage.failed", folder=str(config.media_dir), message=str(error))
        recovered = await asyncio.to_thread(recover, config.media_dir, self._started)
        # Those who listen find this process again within half a second of its start, and miss what it says before.
        await asyncio.sleep(max(0.0, self._started + _HEARD_AFTER_S - time.time()))
        for row in recovered:
            self._listeners.on_segment(row)
        ring = Ring(
            self._root,
            pool_s=config.pool_minutes * 60,
            recordings_s=config.recordings_days * 86_400,
            min_free_bytes=config.min_free_bytes,
        )
        while True:
            for camera, path in await asyncio.to_thread(_turn, ring):
                self._bus.publish(topics.REMOVED, camera, topics.SegmentRemoved(camera, path))
            await asyncio.sleep(_RING_EVERY_S)

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
        await asyncio.gather(*(old.stop() for old in gone))
        for old in gone:
            del self.cameras[old.camera.id]
        for index, camera in enumerate(fresh):
            ingest = CameraIngest(camera, self._root, self._cutting, self._epochs, self._listeners)
            self.cameras[camera.id] = ingest
            ingest.start(index * _SPREAD_S)
        log.info("site.followed", revision=site.revision, cameras=len(self.cameras))


def _turn(ring: Ring) -> list[tuple[str, str]]:
    now = time.time()
    removed = ring.guard(now)
    for _ in range(_RING_STEPS):
        removed += ring.step(now)
    return removed


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

"""The vision process: hears of chunks, sees what is in them, tells tracks and events.

The event loop only passes messages on; a worker thread decodes, detects, follows and judges.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from perishield import log as logs
from perishield.bus import LocalBus, topics
from perishield.bus.process import EXIT_CONFIG, read_config, say_ready, stop_on_signal
from perishield.bus.site_file import read_site
from perishield.bus.spool import Spool
from perishield.bus.topics import DetectorState, EventQueued, Watch
from perishield.log import Log, LogFormat
from perishield.model.alarms import Event
from perishield.model.errors import ConfigError, ModelError, PeriShieldError
from perishield.model.vision import MOTION, TrackFrame
from perishield.roles.vision_streams import StreamChoice
from perishield.vision.model_store import HINT, choose_detector, list_models

if TYPE_CHECKING:
    from perishield.roles.vision_worker import VisionWorker
    from perishield.vision.detector import Detector

log = Log("vision")

_SITE_EVERY_S = 1.0
_STATE_EVERY_S = 3.0
_WATCH_FOR_S = 3.0
_CHUNKS_WAITING = 4_096
_KEYS_ONLY_FROM = 2
_PRESSURE_FOR_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionConfig:
    """What the supervisor hands over. `detector`: `auto`, `motion`, a model's name or a file."""

    data_dir: Path
    run_dir: Path
    media_dir: Path
    models_dir: Path
    detector: str = "auto"
    threads: int = 1
    log_level: str = "info"
    log_format: LogFormat = "text"


class Vision:
    """The event loop's side of the process."""

    def __init__(self, config: VisionConfig, bus: LocalBus) -> None:
        self._config = config
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._site_path = config.data_dir / "site.json"
        self._site_stamp: tuple[int, int] | None = None
        self._site_error = ""
        self._state = DetectorState(name="")
        self._asked: dict[str, float] = {}
        self._models: tuple[str, ...] = ()
        self._streams = StreamChoice()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises BusError when the spool cannot be opened."""
        # Heavy, hence not at the head: numpy, PyAV and ONNX Runtime.
        from perishield.roles.vision_worker import VisionWorker

        config = self._config
        detector = await asyncio.to_thread(self._choose)
        spool = await asyncio.to_thread(Spool, config.data_dir / "spool" / "events.db")
        worker = VisionWorker(
            config.media_dir,
            spool,
            detector,
            on_tracks=lambda frame: self._call(self._tell_tracks, frame),
            on_event=lambda event: self._call(self._tell_event, event),
            on_trouble=lambda error: self._call(self._tell_trouble, error),
            streams=self._streams,
        )
        await self._follow_site(worker)
        worker.start()
        tasks = [
            self._loop.create_task(self._hear_chunks(worker)),
            self._loop.create_task(self._watch_site(worker)),
            self._loop.create_task(self._obey_pressure(worker)),
            self._loop.create_task(self._report(worker)),
        ]
        try:
            say_ready()
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(worker.stop)
            spool.close()

    def _choose(self) -> Detector:
        """The configured detector, or motion where it cannot be had: guards must not be blind."""
        config = self._config
        self._models = self._installed()
        try:
            detector = choose_detector(config.detector, config.models_dir, threads=config.threads)
        except ModelError as error:
            log.error("vision.detector", code=error.code, message=error.message)
            message = f"{error.message}. Until then what moves is seen, but not named."
            self._state = DetectorState(name=MOTION, code=error.code, message=message)
            return choose_detector(MOTION, config.models_dir)
        hint = HINT if detector.name == MOTION and config.detector == "auto" else ""
        self._state = DetectorState(name=detector.name, model=detector.model, message=hint)
        log.info("vision.detector", name=detector.name, model=detector.model or "none", message=hint)
        return detector

    def _installed(self) -> tuple[str, ...]:
        rows = list_models(self._config.models_dir)
        return tuple(row.file for row in rows if row.state == "installed")

    async def _hear_chunks(self, worker: VisionWorker) -> None:
        async with self._bus.subscribe(topics.CHUNKS, size=_CHUNKS_WAITING) as chunks:
            async for _, ref in chunks:
                if self._streams.takes(ref):
                    worker.inbox.offer(ref)

    async def _obey_pressure(self, worker: VisionWorker) -> None:
        """Look at key frames only while the disk is pressed; a recorder that falls silent presses nobody."""
        async with self._bus.subscribe(topics.PRESSURE) as told:
            while True:
                level = 0
                with suppress(TimeoutError):
                    _, pressure = await asyncio.wait_for(told.get(), _PRESSURE_FOR_S)
                    level = pressure.level
                if worker.keys_only != (level >= _KEYS_ONLY_FROM):
                    worker.keys_only = not worker.keys_only
                    log.warning("vision.pressure" if worker.keys_only else "vision.relieved", level=level)

    async def _watch_site(self, worker: VisionWorker) -> None:
        async with self._bus.subscribe(topics.SITE) as changes:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.get(), _SITE_EVERY_S)
                await self._follow_site(worker)

    async def _follow_site(self, worker: VisionWorker) -> None:
        """Hand a changed site.json to the worker; a file that cannot be read changes nothing."""
        try:
            status = self._site_path.stat()
        except OSError:
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._site_stamp:
            return
        try:
            site = await asyncio.to_thread(read_site, self._site_path)
        except ConfigError as error:
            if error.message != self._site_error:
                self._site_error = error.message
                log.error("site.unreadable", code=error.code, message=error.message)
            return
        if site is not None:
            self._site_stamp, self._site_error = stamp, ""
            self._streams.follow(site.cameras)
            worker.follow(site)

    async def _report(self, worker: VisionWorker) -> None:
        """Say every few seconds what is seen with; take up a model that was installed meanwhile."""
        while True:
            state = replace(self._state, pictures=worker.pictures, dropped=worker.inbox.dropped + worker.skipped)
            self._bus.publish(topics.DETECTOR, "", state)
            await asyncio.sleep(_STATE_EVERY_S)
            waiting = self._state.name == MOTION and self._config.detector != MOTION
            if waiting and await asyncio.to_thread(self._installed) != self._models:
                worker.use(await asyncio.to_thread(self._choose))

    def _call(self, tell: object, message: object) -> None:
        """From the worker's thread: have it told on the loop, unless that has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell, message)  # type: ignore[arg-type]

    def _tell_tracks(self, frame: TrackFrame) -> None:
        self._bus.publish(topics.TRACKS, frame.camera, frame)
        if not frame.gate_open:
            return
        if self._streams.detects(frame.camera):
            # Chunks of the smaller stream come quickly as it is.
            return
        now = time.time()
        if now - self._asked.get(frame.camera, 0.0) >= 1.0:
            # Where something moves, chunks must come quickly, or the alarm waits for the next full one.
            self._asked[frame.camera] = now
            self._bus.publish(topics.WATCH, frame.camera, Watch(frame.camera, now + _WATCH_FOR_S))

    def _tell_event(self, event: Event) -> None:
        self._bus.publish(topics.EVENTS, event.camera, EventQueued(event.id))

    def _tell_trouble(self, error: ModelError) -> None:
        self._state = DetectorState(name=MOTION, code=error.code, message=error.message)


async def serve(config: VisionConfig) -> None:
    stop = stop_on_signal()
    bus = await LocalBus.open(config.run_dir, "vision")
    try:
        await Vision(config, bus).run(stop)
    finally:
        await bus.close()


def main() -> int:
    """Entry point of the process."""
    # Small arrays only: threads of the linear algebra library would spin for nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        config = read_config(VisionConfig)
    except ConfigError as error:
        logs.configure()
        log.error("process.failed", code=error.code, message=error.message)
        return EXIT_CONFIG
    logs.configure(config.log_level, config.log_format)
    try:
        uvloop.run(serve(config))
    except PeriShieldError as error:
        log.error("process.failed", code=error.code, message=error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The vision process: hears of chunks, sees what is in them, tells tracks and events.

The event loop only passes messages on; threads decode, detect, follow and judge.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
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
from perishield.bus.topics import DetectorState, EventQueued, RulesDo, Watch
from perishield.log import Log, LogFormat
from perishield.model.alarms import Event
from perishield.model.doubts import Suppressed
from perishield.model.errors import ConfigError, ModelError, PeriShieldError
from perishield.model.health import HealthReport
from perishield.model.vision import MOTION, TrackFrame
from perishield.roles.vision_streams import StreamChoice
from perishield.roles.vision_tasks import VisionTasks
from perishield.vision.model_registry import ModelRegistry
from perishield.vision.model_store import HINT, choose_detector, list_models
from perishield.vision.providers import Runtime

if TYPE_CHECKING:
    from perishield.roles.vision_worker import VisionWorker
    from perishield.vision.detector import Detector

log = Log("vision")

_SITE_EVERY_S = 1.0
_STATE_EVERY_S = 3.0
_CHOICE_EVERY_S = 1.0
_RULES_EVERY_S = 1.0
_WATCH_FOR_S = 3.0
_CHUNKS_WAITING = 4_096
_KEYS_ONLY_FROM = 2
_PRESSURE_FOR_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionConfig:
    """What the supervisor hands over. `detector`: `auto`, `motion`, a model's name or a file.

    `decoder`: hardware to decode with, empty for none; `decoders`: how many threads decode; `pieces`:
    of a picture that a model looks at again in native size.
    """

    data_dir: Path
    run_dir: Path
    media_dir: Path
    models_dir: Path
    detector: str = "auto"
    threads: int = 1
    decoder: str = ""
    decoders: int = 1
    provider: str = "auto"
    gpu_mem_mib: int = 2048
    pieces: int = 2
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
        self._registry = ModelRegistry(config.models_dir)
        self._choice = (0, 0)
        self._detector: Detector | None = None
        self._streams = StreamChoice()
        self._tasks = VisionTasks(config.models_dir, bus, self._load, lambda: self._state)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises BusError when the spool cannot be opened."""
        # Heavy, hence not at the head: numpy, PyAV and ONNX Runtime.
        from perishield.roles.vision_worker import VisionWorker

        config = self._config
        detector = self._detector = await asyncio.to_thread(self._choose)
        spool = await asyncio.to_thread(Spool, config.data_dir / "spool" / "events.db")
        worker = VisionWorker(
            config.media_dir,
            spool,
            detector,
            on_tracks=lambda frame: self._call(self._tell_tracks, frame),
            on_event=lambda event: self._call(self._tell_event, event),
            on_trouble=lambda error: self._call(self._tell_trouble, error),
            on_health=lambda report: self._call(self._tell_health, report),
            on_suppressed=lambda told: self._call(self._tell_suppressed, told),
            on_failed=lambda model, error: self._call(self._tasks.failed, model, error),
            streams=self._streams,
            decoders=config.decoders,
            decoder=config.decoder,
        )
        await self._follow_site(worker)
        worker.start()
        tasks = [
            self._loop.create_task(self._hear_chunks(worker)),
            self._loop.create_task(self._watch_site(worker)),
            self._loop.create_task(self._obey_pressure(worker)),
            self._loop.create_task(self._report(worker)),
            self._loop.create_task(self._accept_views(worker)),
            self._loop.create_task(self._watch_choice(worker)),
            self._loop.create_task(self._tell_rules(worker)),
            self._loop.create_task(self._tasks.run(worker)),
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

    def _choose(self, keep: Detector | None = None) -> Detector:
        """The configured detector; else `keep`, else motion: guards must not be blind."""
        config = self._config
        self._choice = self._registry.stamp()
        self._models = self._installed()
        try:
            detector = choose_detector(config.detector, config.models_dir, runtime=self._runtime())
        except ModelError as error:
            log.error("vision.detector", code=error.code, message=error.message)
            if keep is not None:
                # A model that was chosen while this one sees well must not blind anybody.
                self._state = replace(
                    self._state, code=error.code, message=f"{error.message}. The former model sees on."
                )
                return keep
            message = f"{error.message}. Until then what moves is seen, but not named."
            self._state = DetectorState(name=MOTION, code=error.code, message=message)
            return choose_detector(MOTION, config.models_dir)
        hint = HINT if detector.name == MOTION and config.detector == "auto" else ""
        provider = str(getattr(detector, "provider", ""))
        self._state = DetectorState(name=detector.name, model=detector.model, message=hint, provider=provider)
        log.info("vision.detector", name=detector.name, model=detector.model or "none", provider=provider, message=hint)
        return self._far_sighted(detector)

    def _load(self, model: str) -> Detector:
        """The detector that a task names; blocks. Raises ModelError."""
        if model == MOTION:
            return choose_detector(MOTION, self._config.models_dir)
        row = self._registry.find(model)
        self._registry.check(row)
        path = self._config.models_dir / row.file
        return self._far_sighted(choose_detector(str(path), self._config.models_dir, runtime=self._runtime()))

    def _runtime(self) -> Runtime:
        config = self._config
        return Runtime(
            threads=config.threads,
            provider=config.provider,
            gpu_mem_mib=config.gpu_mem_mib,
            cache_dir=config.models_dir / "engines",
        )

    def _far_sighted(self, detector: Detector) -> Detector:
        # Here, since PyAV and numpy are heavy.
        from perishield.vision.crops import with_pieces

        return with_pieces(detector, self._config.pieces)

    def _installed(self) -> tuple[str, ...]:
        rows = list_models(self._config.models_dir)
        return tuple(row.file for row in rows if row.state == "installed")

    async def _hear_chunks(self, worker: VisionWorker) -> None:
        async with self._bus.subscribe(topics.CHUNKS, size=_CHUNKS_WAITING) as chunks:
            async for _, ref in chunks:
                self._tasks.heard(ref)
                if self._streams.takes(ref):
                    worker.crew.inbox.offer(ref)

    async def _obey_pressure(self, worker: VisionWorker) -> None:
        """Look at key frames only while the disk is pressed; a recorder that falls silent presses nobody."""
        async with self._bus.subscribe(topics.PRESSURE) as told:
            while True:
                level = 0
                with suppress(TimeoutError):
                    _, pressure = await asyncio.wait_for(told.get(), _PRESSURE_FOR_S)
                    level = pressure.level
                if worker.crew.keys_only != (level >= _KEYS_ONLY_FROM):
                    worker.crew.keys_only = not worker.crew.keys_only
                    log.warning("vision.pressure" if worker.crew.keys_only else "vision.relieved", level=level)

    async def _accept_views(self, worker: VisionWorker) -> None:
        async with self._bus.subscribe(topics.ACCEPT_VIEW) as told:
            async for _, message in told:
                worker.accept_view(message.camera)

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
            self._tasks.follow(site, worker)

    async def _report(self, worker: VisionWorker) -> None:
        """Say every few seconds what is seen with; take up a model that was installed meanwhile."""
        while True:
            streams = worker.states()
            for stream in streams:
                self._bus.publish(topics.ANALYSIS, stream.camera, stream)
            pictures = sum(stream.pictures for stream in streams)
            dropped = sum(stream.dropped + stream.skipped for stream in streams)
            self._bus.publish(topics.DETECTOR, "", replace(self._state, pictures=pictures, dropped=dropped))
            for health in worker.health():
                self._tell_health(health)
            for told in worker.suppressed():
                self._tell_suppressed(told)
            await asyncio.sleep(_STATE_EVERY_S)
            waiting = self._state.name == MOTION and self._config.detector != MOTION
            if waiting and await asyncio.to_thread(self._installed) != self._models:
                self._detector = await asyncio.to_thread(self._choose)
                worker.use(self._detector)

    async def _watch_choice(self, worker: VisionWorker) -> None:
        """Take up another enabled model within seconds; the old one sees until the new one has proved itself."""
        while self._config.detector == "auto":
            await asyncio.sleep(_CHOICE_EVERY_S)
            if await asyncio.to_thread(self._registry.stamp) == self._choice:
                continue
            former = self._detector if self._state.name != MOTION else None
            detector = await asyncio.to_thread(self._choose, former)
            if detector is not self._detector:
                self._detector = detector
                worker.use(detector)

    async def _tell_rules(self, worker: VisionWorker) -> None:
        while True:
            if worker.rule_states:
                self._bus.publish(topics.RULES, "", RulesDo(started=worker.started, states=worker.rule_states))
            await asyncio.sleep(_RULES_EVERY_S)

    def _call(self, tell: Callable[..., None], *messages: object) -> None:
        """From the worker's thread: have it told on the loop, unless that has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell, *messages)

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

    def _tell_health(self, report: HealthReport) -> None:
        self._bus.publish(topics.HEALTH, report.camera, report)

    def _tell_suppressed(self, told: Suppressed) -> None:
        self._bus.publish(topics.SUPPRESSED, told.camera, told)

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

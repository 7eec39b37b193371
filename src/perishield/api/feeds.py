"""From the bus to whoever in this process wants to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.intake import Announcement
from perishield.api.outputs import alarm_out
from perishield.api.services import Services
from perishield.api.sight import seen_by_all
from perishield.api.tracks_out import tracks_out
from perishield.bus import topics
from perishield.bus.topics import (
    AnalysisState,
    DetectorState,
    ProcessState,
    RulesDo,
    SegmentRemoved,
    StoragePressure,
    TasksDo,
    Topic,
)
from perishield.live.transcode import original
from perishield.log import Log
from perishield.model.doubts import Suppressed
from perishield.model.health import HealthReport
from perishield.model.media import ChunkRef, SegmentRow, StreamState
from perishield.model.vision import TrackFrame
from perishield.streams.layout import segment_second

T = TypeVar("T")
log = Log("server")


class Feeds:
    """Listens to the bus until cancelled."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """One coroutine per topic, and the clock that notices silence."""
        return [
            self._listen(topics.CHUNKS, self._chunk, 4096),
            self._listen(topics.STATES, self._state, 1024),
            self._listen(topics.TRACKS, self._tracks, 1024),
            self._listen(topics.SEGMENTS, self._segment, 4096),
            self._listen(topics.REMOVED, self._removed, 4096),
            self._listen(topics.PROCESSES, self._process, 64),
            self._listen(topics.DETECTOR, self._detector, 8),
            self._listen(topics.ANALYSIS, self._analysis, 4096),
            self._listen(topics.PRESSURE, self._pressure, 8),
            self._listen(topics.HEALTH, self._health, 1024),
            self._listen(topics.SUPPRESSED, self._suppressed, 1024),
            self._keep_spells(),
            self._listen(topics.RULES, self._rules, 8),
            self._listen(topics.TASKS, self._tasks, 8),
            self._notice_silence(),
        ]

    def announce(self, announcement: Announcement) -> None:
        """Push an alarm that is new, or changed."""
        alarm = announcement.alarm
        kind = "alarm" if announcement.new else "alarm_update"
        sign = self._services.links.sign
        with seen_by_all():
            self._services.push.send(
                "alarms", alarm.event.camera, lambda: {"type": kind, "data": alarm_out(alarm, sign)}
            )

    async def _listen(self, topic: Topic[T], take: Callable[[T], None], size: int) -> None:
        async with self._services.bus.subscribe(topic, size=size) as subscription:
            async for _, message in subscription:
                take(message)

    async def _notice_silence(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._services.streams.check_stale()

    async def _keep_spells(self) -> None:
        """What changed in cameras' health goes into the store once a second; what it cannot take is told again."""
        troubled = False
        while True:
            await asyncio.sleep(1)
            try:
                self._services.health.keep_only(state.camera for state in self._services.streams.states())
                await self._services.health.store()
                troubled = False
            except SQLAlchemyError as error:
                if not troubled:
                    log.error("health.waiting", message=str(error))
                troubled = True

    def _health(self, report: HealthReport) -> None:
        if self._services.streams.known(report.camera):
            self._services.health.report(report)

    def _suppressed(self, told: Suppressed) -> None:
        if self._services.streams.known(told.camera):
            self._services.health.held_back(told)

    def _chunk(self, ref: ChunkRef) -> None:
        if self._services.streams.known(original(ref.camera) or ref.camera):
            self._services.live.feed(ref)

    def _state(self, state: StreamState) -> None:
        self._services.streams.report(state)

    def _tracks(self, frame: TrackFrame) -> None:
        self._services.tracks.follow(self._services.site.site.cameras)
        self._services.tracks.take(frame)
        self._services.push.send("tracks", frame.camera, lambda: {"type": "tracks", "data": tracks_out(frame)})

    def _segment(self, row: SegmentRow) -> None:
        self._services.footage.closed(row)
        self._services.storage.worker.closed(row)

    def _removed(self, message: SegmentRemoved) -> None:
        self._services.footage.removed(message)
        second = segment_second(message.path.rpartition("/")[2])
        if second is not None:
            self._services.pictures.forget(message.camera, second)

    def _process(self, state: ProcessState) -> None:
        self._services.processes.report(state)

    def _detector(self, state: DetectorState) -> None:
        self._services.processes.detector = state

    def _analysis(self, state: AnalysisState) -> None:
        self._services.metrics.analysis[state.camera] = state, time.monotonic()

    def _pressure(self, state: StoragePressure) -> None:
        self._services.metrics.pressure = state
        self._services.pictures.pressure = state.level

    def _rules(self, told: RulesDo) -> None:
        self._services.rule_book.report(told)

    def _tasks(self, told: TasksDo) -> None:
        self._services.task_book.report(told)

"""What the vision process does with what is seen: sites followed, evidence kept, events spooled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from perishield.analysis.attend import HealthLook, TrackJury
from perishield.analysis.crew import Crew
from perishield.analysis.duties import Duty, Roster
from perishield.analysis.outfit import instruct, outfit
from perishield.analysis.pipeline import CameraPipeline, Judged
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.bus.topics import AnalysisState
from perishield.log import Log
from perishield.model.alarms import Event
from perishield.model.doubts import Suppressed
from perishield.model.errors import BusError, ModelError, RuleError
from perishield.model.health import HealthReport
from perishield.model.rule_state import RuleState
from perishield.model.rules import Rule, rule_from_dict
from perishield.model.site import Site
from perishield.model.vision import TrackFrame
from perishield.roles.vision_streams import StreamChoice
from perishield.rules.engine import RuleEngine
from perishield.streams.layout import detect_stream, main_camera
from perishield.vision.crops import FarSight
from perishield.vision.detector import Detector
from perishield.vision.eyes import Eyes
from perishield.vision.picture import Picture
from perishield.vision.pieces import drawn_for, points_along
from perishield.vision.still import encode_jpeg
from perishield.vision.watch import CameraWatch

log = Log("vision")

_TELL_S = 0.5


class VisionWorker:
    """Watches all cameras of the site with a crew of threads.

    `on_tracks` is called from one of them for every analysed picture, `on_event` once an event lies in the spool,
    `on_failed` when the model of a task fails while it looks.
    """

    def __init__(
        self,
        media_root: Path,
        spool: Spool,
        detector: Detector,
        *,
        on_tracks: Callable[[TrackFrame], None],
        on_event: Callable[[Event], None],
        on_trouble: Callable[[ModelError], None],
        on_health: Callable[[HealthReport], None] = lambda report: None,
        on_suppressed: Callable[[Suppressed], None] = lambda told: None,
        on_failed: Callable[[str, ModelError], None] = lambda model, error: None,
        streams: StreamChoice | None = None,
        decoders: int = 1,
        decoder: str = "",
    ) -> None:
        self._eyes = eyes = Eyes(detector, main_camera, on_failed, on_trouble)
        self.crew = Crew(
            eyes,
            self._pipeline,
            self._judged,
            on_trouble,
            after=self._after,
            decoders=decoders,
            named=lambda stream: eyes.of(stream).name,
        )
        self._streams = streams or StreamChoice()
        self._media_root = media_root
        self._spool = spool
        self._decoder = decoder
        self._on_tracks = on_tracks
        self._on_event = on_event
        self._on_health = on_health
        self._on_suppressed = on_suppressed
        self._health: dict[str, HealthLook] = {}
        self._juries: dict[str, TrackJury] = {}
        self._engine = RuleEngine()
        self.started = time.time()
        self.rule_states: tuple[RuleState, ...] = ()
        """How the rules do, as of half a second ago."""
        self._told = 0.0
        self._duties: Mapping[str, Duty] = {}
        self._in_force: Mapping[str, Duty] | None = None
        self._rules: list[Rule] = []
        self._unspooled: list[Event] = []

    def start(self) -> None:
        self.crew.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the pictures at hand; blocks."""
        self.crew.stop(timeout_s)

    def follow(self, site: Site, duties: Mapping[str, Duty] | None = None) -> None:
        """Watch as this site says from now on; tracks of cameras that stay are kept.

        `duties`: who looks at which camera at this moment; None: worked out here, once.
        """
        if duties is None:
            roster = Roster()
            roster.follow(site)
            duties = roster.on_duty(time.time())
        self.crew.order(lambda: self._apply(site, duties))

    def follows(self, duties: Mapping[str, Duty]) -> bool:
        """Whether it watches by just these by now: the crew takes up orders between two pictures."""
        return self._in_force is duties

    def lend(self, model: str, detector: Detector) -> None:
        """Have the cameras whose task names this model be looked at by it."""
        self.crew.order(lambda: self._take(model, detector))

    def give_back(self, model: str) -> None:
        """No task needs this model any more."""
        self.crew.order(lambda: self._eyes.drop(model))

    def use(self, detector: Detector) -> None:
        """See with another detector from now on."""
        self.crew.order(lambda: self._swap(detector))

    def states(self) -> list[AnalysisState]:
        """How the analysis of each stream goes."""
        return [
            AnalysisState(
                camera=stream,
                gate_open=station.pipeline.watch.open,
                reasons={reason.value: count for reason, count in station.pipeline.watch.gate.reasons.items()},
                pictures=station.pictures,
                units=station.pipeline.watch.decoder.counts.units,
                corrupt=station.pipeline.watch.decoder.counts.corrupt,
                dropped=self.crew.dropped(stream),
                skipped=station.skipped,
                late=station.late,
                decoder=station.pipeline.watch.decoder.name,
            )
            for stream, station in list(self.crew.stations.items())
        ]

    def health(self) -> list[HealthReport]:
        """How each camera is."""
        return [look.report() for look in list(self._health.values())]

    def suppressed(self) -> list[Suppressed]:
        """How much was held back at each camera, without samples."""
        return [jury.report() for jury in list(self._juries.values())]

    def accept_view(self, camera: str) -> None:
        """The camera shall look where it looks now."""
        for stream, look in list(self._health.items()):
            if main_camera(stream) == camera:
                look.accept()

    def _after(self) -> None:
        self._retry()
        now = time.monotonic()
        if now - self._told >= _TELL_S:
            self._told, self.rule_states = now, tuple(self._engine.states())

    def _apply(self, site: Site, duties: Mapping[str, Duty]) -> None:
        before, self._duties = self._duties, duties
        self._assign(before)
        for stream, station in list(self.crew.stations.items()):
            duty = duties.get(main_camera(stream))
            if duty is None:
                self.crew.dismiss(stream)
                self._health.pop(stream, None)
                self._juries.pop(stream, None)
            else:
                station.pipeline.follow(duty.camera)
                station.pipeline.resting = duty.resting
        rules: list[Rule] = []
        for data in site.rules:
            try:
                rule = rule_from_dict(data)
            except RuleError as error:
                log.error("rule.refused", camera=str(data.get("camera", "")), code=error.code, message=error.message)
                continue
            duty = duties.get(rule.camera)
            if duty is not None and not duty.resting:
                rules.append(rule)
        self._rules = instruct(self._engine, [duty.camera for duty in duties.values()], rules)
        self._show_lines()
        self._in_force = duties
        log.info("site.followed", revision=site.revision, cameras=len(duties), rules=len(rules))

    def _assign(self, before: Mapping[str, Duty]) -> None:
        """Who looks at what; nobody goes on from what a detector remembers of a camera that others looked at since."""
        duties = self._duties
        for camera in duties.keys() | before.keys():
            if _eyes_of(duties.get(camera)) != _eyes_of(before.get(camera)):
                self._eyes.forget(camera)
                self._eyes.forget(detect_stream(camera))
        self._eyes.assign(
            {camera: duty.task.model for camera, duty in duties.items() if duty.task is not None and duty.task.model},
            {camera for camera, duty in duties.items() if duty.resting},
        )

    def _swap(self, detector: Detector) -> None:
        self._eyes.site = detector
        self._show_lines()

    def _take(self, model: str, detector: Detector) -> None:
        self._eyes.add(model, detector)
        self._show_lines()

    def _show_lines(self) -> None:
        """Where rules are drawn, far sight looks more closely."""
        for detector in self._eyes.all():
            if not isinstance(detector, FarSight):
                continue
            for camera in self._duties:
                points = points_along(drawn_for(rule for rule in self._rules if rule.camera == camera))
                detector.draw(camera, points)
                detector.draw(detect_stream(camera), points)

    def _pipeline(self, stream: str) -> CameraPipeline | None:
        """A stream's pipeline. What else looks at its pictures is added here, what filters or doubts in `outfit`."""
        duty = self._duties.get(main_camera(stream))
        if duty is None:
            return None
        watch = CameraWatch(self._media_root, duty.camera.analysis.fps, hardware=self._decoder)
        pipeline = CameraPipeline(stream, duty.camera, watch, self._engine, self._streams.on_main)
        pipeline.resting = duty.resting
        self._health[stream] = health = HealthLook(pipeline, self._on_health)
        pipeline.looks.append(health)
        self._juries[stream] = outfit(pipeline, self._on_suppressed)
        return pipeline

    def _judged(self, picture: Picture, judged: Judged) -> None:
        for event in judged.events:
            self._keep(event, picture)
        self._on_tracks(judged.frame)

    def _keep(self, event: Event, picture: Picture) -> None:
        """Store the picture, then the event, then tell: whoever hears of an event finds it whole."""
        day = time.strftime("%Y-%m-%d", time.gmtime(event.wall))
        path = f"evidence/{day}/{event.id}.jpg"
        try:
            _write_whole(self._media_root / path, encode_jpeg(picture))
            event = replace(event, snapshot=path)
        except (OSError, ValueError) as error:
            log.error("evidence.failed", camera=event.camera, id=event.id, message=str(error))
        self._unspooled.append(event)
        self._retry()

    def _retry(self) -> None:
        """Put what waits into the spool; a full disk delays an event but does not lose it while this process lives."""
        while self._unspooled:
            event = self._unspooled[0]
            try:
                self._spool.put(event.id, encode(event))
            except BusError as error:
                log.error("spool.failed", id=event.id, code=error.code, message=error.message)
                return
            self._unspooled.pop(0)
            log.info(
                "event.raised",
                camera=event.camera,
                kind=event.kind.value,
                label=event.label,
                level=event.level,
                delay_s=time.time() - event.arrival,
            )
            self._on_event(event)


def _eyes_of(duty: Duty | None) -> tuple[str, bool] | None:
    return None if duty is None else (duty.task.model if duty.task is not None else "", duty.resting)


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

"""The thread that does the seeing: chunks in, tracks and events out.

One thread, because the detector wants pictures of all cameras in one batch; decoding and inference release the
interpreter's lock, so the event loop stays punctual beside it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.log import Log
from perishield.model.alarms import Event
from perishield.model.errors import BusError, ModelError, RuleError
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.model.rules import Rule, rule_from_dict
from perishield.model.site import Camera, Site
from perishield.model.vision import Detections, TrackFrame
from perishield.roles.vision_inbox import Inbox
from perishield.roles.vision_streams import StreamChoice
from perishield.rules.engine import RuleEngine
from perishield.streams.layout import main_camera
from perishield.tracking.byte_tracker import ByteTracker
from perishield.vision.detector import Detector
from perishield.vision.motion import MotionDetector
from perishield.vision.picture import Picture
from perishield.vision.still import encode_jpeg
from perishield.vision.watch import CameraWatch, Due

log = Log("vision")

_IDLE_S = 0.5
_LATE_S = 3.0
"""Seconds of video waiting from which on every second picture is left out."""
_HOLDS = 0.4
"""Score from which a lone detection, not yet a track, keeps the gate open."""
_BATCH = 8


@dataclass(slots=True, eq=False)
class _Camera:
    settings: Camera
    watch: CameraWatch
    tracker: ByteTracker
    epoch: int = -1
    late: bool = False
    odd: bool = False


class VisionWorker:
    """Watches all cameras of the site in one thread.

    `on_tracks` is called from that thread for every analysed picture, `on_event` once an event lies in the spool.
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
        streams: StreamChoice | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.pictures = 0
        self.skipped = 0
        self.keys_only = False
        """The disk is under pressure: nothing but key frames is looked at."""
        self._streams = streams or StreamChoice()
        self._media_root = media_root
        self._spool = spool
        self._detector = detector
        self._on_tracks = on_tracks
        self._on_event = on_event
        self._on_trouble = on_trouble
        self._engine = RuleEngine()
        self._cameras: dict[str, _Camera] = {}
        self._wanted: dict[str, Camera] = {}
        self._unspooled: list[Event] = []
        self._orders: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vision", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the picture at hand; blocks."""
        self._stopping.set()
        self.inbox.wake()
        self._thread.join(timeout_s)

    def follow(self, site: Site) -> None:
        """Watch as this site says from now on; tracks of cameras that stay are kept."""
        self._orders.append(lambda: self._apply(site))
        self.inbox.wake()

    def use(self, detector: Detector) -> None:
        """See with another detector from now on."""
        self._orders.append(lambda: self._swap(detector))
        self.inbox.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while self._orders:
                    self._orders.pop(0)()
                self._round(self.inbox.take(_IDLE_S))
                self._retry()
            except Exception:
                log.exception("vision.round_failed")
        for camera in self._cameras.values():
            camera.watch.close()

    def _apply(self, site: Site) -> None:
        self._wanted = {camera.id: camera for camera in site.cameras if camera.enabled and camera.analysis.enabled}
        for key in [key for key in self._cameras if main_camera(key) not in self._wanted]:
            self._cameras.pop(key).watch.close()
            self._detector.forget(key)
            self.inbox.forget(key)
        for key, camera in self._cameras.items():
            camera.settings = self._wanted[main_camera(key)]
            camera.watch.fps = camera.settings.analysis.fps
        rules: list[Rule] = []
        for data in site.rules:
            try:
                rule = rule_from_dict(data)
            except RuleError as error:
                log.error("rule.refused", camera=str(data.get("camera", "")), code=error.code, message=error.message)
                continue
            camera_settings = self._wanted.get(rule.camera)
            if camera_settings is not None:
                # A rule may ask for more certainty than its camera does, never for less.
                least = max(rule.min_score, camera_settings.analysis.min_score)
                rules.append(replace(rule, min_score=least))
        self._engine.configure(rules)
        log.info("site.followed", revision=site.revision, cameras=len(self._wanted), rules=len(rules))

    def _swap(self, detector: Detector) -> None:
        self._detector = detector

    def _round(self, taken: Sequence[tuple[list[ChunkRef], float]]) -> None:
        batch: list[tuple[_Camera, Due]] = []
        for camera, due in self._due(taken):
            batch.append((camera, due))
            if len(batch) >= max(_BATCH, self._detector.batch):
                self._analyse(batch)
                batch = []
        if batch:
            self._analyse(batch)

    def _due(self, taken: Sequence[tuple[list[ChunkRef], float]]) -> Iterator[tuple[_Camera, Due]]:
        for refs, waiting_s in taken:
            stream = refs[0].camera
            settings = self._wanted.get(main_camera(stream))
            if settings is None:
                continue
            camera = self._cameras.get(stream)
            if camera is None:
                fps = settings.analysis.fps
                watch = CameraWatch(self._media_root, fps)
                camera = self._cameras[stream] = _Camera(settings, watch, ByteTracker(fps))
            self._note_lag(camera, waiting_s)
            camera.watch.keys_only = self.keys_only
            for ref in refs:
                if ref.epoch != camera.epoch:
                    camera.epoch = ref.epoch
                    camera.tracker.reset()
                for due in camera.watch.take(ref):
                    camera.odd = not camera.odd
                    if camera.late and camera.odd and due.gate_open:
                        self.skipped += 1
                    else:
                        yield camera, due

    def _note_lag(self, camera: _Camera, waiting_s: float) -> None:
        late = waiting_s > _LATE_S
        if late != camera.late:
            camera.late = late
            log.warning("vision.late" if late else "vision.caught_up", camera=camera.settings.id, waiting_s=waiting_s)

    def _analyse(self, batch: Sequence[tuple[_Camera, Due]]) -> None:
        found = self._detect([due.picture for _, due in batch])
        for (camera, due), detections in zip(batch, found, strict=True):
            self.pictures += 1
            frame = self._track(camera, due, detections)
            events = self._engine.update(frame)
            for event in events:
                self._keep(event, due.picture)
            self._on_tracks(frame)

    def _detect(self, pictures: list[Picture]) -> list[Detections]:
        try:
            return self._detector.detect(pictures)
        except Exception as error:
            if isinstance(self._detector, MotionDetector):
                raise
            log.exception("vision.detector_failed", name=self._detector.name)
            trouble = ModelError(
                f"model {self._detector.model}: failed while it ran ({error}); seeing motion only until a restart",
                code="model_corrupt",
            )
            self._swap(MotionDetector())
            self._on_trouble(trouble)
            return self._detector.detect(pictures)

    def _track(self, camera: _Camera, due: Due, detections: Detections) -> TrackFrame:
        picture = due.picture
        tracks = camera.tracker.update(detections, picture.stream_time / TIMESCALE)
        boxes = [track.box for track in tracks if track.seen]
        lone = detections.boxes[detections.scores >= _HOLDS].tolist()
        camera.watch.saw([*boxes, *((x1, y1, x2, y2) for x1, y1, x2, y2 in lone)], picture.stream_time)
        epoch, stream_time = self._streams.on_main(picture.camera, picture.epoch, picture.stream_time)
        return TrackFrame(
            camera=camera.settings.id,
            epoch=epoch,
            stream_time=stream_time,
            wall=picture.wall,
            arrival=picture.arrival,
            width=picture.width,
            height=picture.height,
            tracks=tuple(tracks),
            gate_open=due.gate_open,
            detector=self._detector.name,
        )

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


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

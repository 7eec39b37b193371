"""One camera's way from chunk to event: watch, detector, filters, tracker, rules.

Two sides, each used by one thread at a time: `pictures` decodes, `judge` makes tracks and events of what the detector
found. The detector stands between them, since it wants pictures of many cameras at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from perishield.model.alarms import Event
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.model.site import Camera
from perishield.model.vision import MOTION, Detections, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.tracking.byte_tracker import ByteTracker
from perishield.tracking.camera_motion import STILL, CameraMotion, Shift
from perishield.vision.motion import TRAVELS, MotionDetector
from perishield.vision.opinions import as_people
from perishield.vision.picture import Picture, Shrinker
from perishield.vision.watch import CameraWatch, Due

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THUMBNAIL = (160, 90)
_HOLDS = 0.4
"""Score from which a lone detection, not yet a track, keeps the gate open."""

OnMain = Callable[[str, int, int], tuple[int, int]]
"""(stream, epoch, stream time) -> epoch and stream time of the camera's recorded stream."""
Look = Callable[[Picture], list[Event]]
"""Looks at a picture itself, before the detector's findings are used: camera health, for instance."""
Filter = Callable[[Picture, Detections], Detections]
"""Takes away what is no object, or what nobody wants to know: masks, sizes, places that cry wolf."""
Sift = Callable[[Picture, TrackFrame, Detections], TrackFrame]
"""Keeps from the rules whatever track is doubted."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one picture led to. `tracked`: something that is really seen is being followed."""

    frame: TrackFrame
    events: list[Event] = field(default_factory=list)
    tracked: bool = False


class CameraPipeline:
    """Everything that is remembered of one stream.

    `looks`, `filters` and `sifts` are called for each analysed picture, in order, by the thread that judges; whoever
    adds to them does so before the first picture.
    """

    def __init__(
        self, stream: str, settings: Camera, watch: CameraWatch, engine: RuleEngine, on_main: OnMain | None = None
    ) -> None:
        self.stream = stream
        self.settings = settings
        self.resting = False
        """No task is on duty: only key frames are decoded, for the camera's health, and nobody detects anything."""
        self.watch = watch
        self.looks: list[Look] = []
        self.filters: list[Filter] = []
        self.sifts: list[Sift] = []
        self._tracker = ByteTracker(settings.analysis.fps)
        self._motion = CameraMotion()
        self._movement = MotionDetector()
        self._shrink = Shrinker(*_THUMBNAIL, "gray")
        self._engine = engine
        self._on_main = on_main or (lambda stream, epoch, time: (epoch, time))
        self._epoch = -1

    def follow(self, settings: Camera) -> None:
        """The camera's settings changed; what is being followed stays."""
        self.settings = settings
        self.watch.fps = settings.analysis.fps

    def pictures(self, ref: ChunkRef) -> Iterator[Due]:
        """The pictures that a chunk makes due, decoded one by one as they are asked for."""
        return self.watch.take(ref)

    def judge(self, due: Due, detections: Detections, detector: str) -> Judged:
        """Tracks and events of a picture; they come in the order of their time. `detector`: its name."""
        picture = due.picture
        if picture.epoch != self._epoch:
            self._epoch = picture.epoch
            self._tracker.reset()
            self._motion.restart()
        events = [event for look in self.looks for event in look(picture)]
        moving = self._movement.detect([picture])[0] if detector != MOTION else None
        for chosen in self.filters:
            detections = chosen(picture, detections)
            if moving is not None:
                moving = chosen(picture, moving)
        followed = detections if self.settings.analysis.livestock else as_people(detections)
        tracks = self._tracker.update(
            followed, picture.stream_time / TIMESCALE, self._shift(picture), _travelling(moving)
        )
        boxes = [track.box for track in tracks if track.seen]
        lone = detections.boxes[detections.scores >= _HOLDS].tolist()
        self.watch.saw([*boxes, *((x1, y1, x2, y2) for x1, y1, x2, y2 in lone)], picture.stream_time)
        epoch, stream_time = self._on_main(picture.camera, picture.epoch, picture.stream_time)
        frame = TrackFrame(
            camera=self.settings.id,
            epoch=epoch,
            stream_time=stream_time,
            wall=picture.wall,
            arrival=picture.arrival,
            width=picture.width,
            height=picture.height,
            tracks=tuple(tracks),
            gate_open=due.gate_open,
            detector=detector,
        )
        judged = frame
        for sift in self.sifts:
            judged = sift(picture, judged, detections)
        return Judged(frame, events + self._engine.update(judged), bool(boxes))

    def _shift(self, picture: Picture) -> Shift:
        """How far the camera's own shaking has moved the picture, where it is asked for."""
        if not self.settings.analysis.steady:
            return STILL
        return self._motion.shift(self._shrink.luma(picture.frame), picture.width, picture.height)

    def close(self) -> None:
        self.watch.close()


def _travelling(moving: Detections | None) -> NDArray[np.float64]:
    """Boxes of what goes somewhere, and does not merely differ from what is usually seen."""
    if moving is None:
        return np.zeros((0, 4))
    return moving.boxes[moving.scores >= TRAVELS].astype(np.float64)

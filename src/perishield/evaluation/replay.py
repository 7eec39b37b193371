"""Recorded chunks through a camera's pipeline, as the vision process would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.analysis.outfit import instruct, outfit
from perishield.analysis.pipeline import CameraPipeline
from perishield.model.alarms import Event
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.model.rules import Rule
from perishield.model.site import Analysis, Camera
from perishield.model.vision import TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.vision.crops import draw_rules
from perishield.vision.watch import CameraWatch, Due

if TYPE_CHECKING:
    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

_MOST_AT_ONCE = 8
"""Decoded pictures held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One analysed picture and what the rules made of it. The picture is good until the next one is asked for."""

    picture: Picture
    frame: TrackFrame
    events: list[Event]


def unset_camera(name: str, fps: float) -> Camera:
    """A camera of which nothing is known, as footage from elsewhere has: the product's own settings count."""
    return Camera(id=name, name=name, url="", analysis=Analysis(fps=fps))


class Replay:
    """One camera's chunks, in order, watched as its settings say: at their pace while its gate is open.

    A detector that looks a second time looks along what is drawn for `rules`, as it does in operation.
    """

    def __init__(self, media: Path, settings: Camera, rules: Sequence[Rule], detector: Detector) -> None:
        self.camera = settings.id
        self.engine = RuleEngine()
        instruct(self.engine, [settings], rules)
        self.watch = CameraWatch(media, settings.analysis.fps)
        self.pictures = 0
        self._pipeline = CameraPipeline(settings.id, settings, self.watch, self.engine)
        self.jury = outfit(self._pipeline).jury
        self._detector = detector
        draw_rules(detector, settings.id, rules)
        self._last: TrackFrame | None = None

    def take(self, ref: ChunkRef) -> Iterator[Looked]:
        """What this chunk makes due."""
        batch: list[Due] = []
        for due in self._pipeline.pictures(ref):
            batch.append(due)
            if len(batch) >= min(max(self._detector.batch, 1), _MOST_AT_ONCE):
                yield from self._look(batch)
                batch = []
        if batch:
            yield from self._look(batch)

    def finish(self) -> list[Event]:
        """The events that become certain once everybody is out of sight."""
        last = self._last
        if last is None:
            return []
        frame = TrackFrame(
            camera=last.camera,
            epoch=last.epoch,
            stream_time=last.stream_time + TIMESCALE,
            wall=last.wall + 1,
            arrival=last.arrival + 1,
            width=last.width,
            height=last.height,
            tracks=(),
            detector=last.detector,
        )
        return self.engine.update(frame)

    def close(self) -> None:
        self._pipeline.close()
        self._detector.forget(self.camera)

    def _look(self, batch: Sequence[Due]) -> Iterator[Looked]:
        found = self._detector.detect([due.picture for due in batch])
        for due, detections in zip(batch, found, strict=True):
            self.pictures += 1
            judged = self._pipeline.judge(due, detections, self._detector.name)
            self._last = judged.frame
            yield Looked(due.picture, judged.frame, judged.events)

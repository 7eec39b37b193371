"""What one stream's pipeline does beside finding people: it watches the camera's health, and doubts what it tracks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from perishield.model.alarms import Event, EventKind
from perishield.model.doubts import Doubt, Sample, Suppressed
from perishield.model.geometry import Point
from perishield.model.ground import Ground, GroundPlane
from perishield.model.health import Ailment, HealthReport, Spell
from perishield.model.media import TIMESCALE
from perishield.model.site import Camera
from perishield.rules.measure import TYPICAL_M
from perishield.vision.doubts import Jury
from perishield.vision.health import CameraHealth
from perishield.vision.health_look import HEIGHT, WIDTH, chroma_of
from perishield.vision.picture import Shrinker

if TYPE_CHECKING:
    from perishield.analysis.pipeline import CameraPipeline
    from perishield.vision.picture import Picture

_SOONEST_S = 1.0
_LATEST_S = 2.5
"""While everything is decoded, key frames are not always among the pictures analysed: then another one serves."""


class HealthLook:
    """A pipeline's look at the camera itself: key frames in, an event when something goes wrong."""

    def __init__(self, pipeline: CameraPipeline, on_report: Callable[[HealthReport], None]) -> None:
        self._pipeline = pipeline
        self._on_report = on_report
        self._health = CameraHealth(self._wants)
        self._shrink = Shrinker(WIDTH, HEIGHT, "gray")
        self._spells: dict[Ailment, Spell] = {}
        self._epoch = -1
        self._last_s = -1e9
        self._looked = 0
        self._cpu_s = 0.0
        self._accepted = False

    def accept(self) -> None:
        """From any thread: what the camera sees from the next picture on is its view."""
        self._accepted = True

    def __call__(self, picture: Picture) -> list[Event]:
        if not self._pipeline.settings.analysis.health.enabled and not self._spells:
            return []
        time_s = picture.stream_time / TIMESCALE
        if picture.epoch != self._epoch:
            self._epoch, self._last_s = picture.epoch, -1e9
            self._health.restart()
        if time_s - self._last_s < (_SOONEST_S if picture.key else _LATEST_S):
            return []
        if self._accepted:
            self._accepted = False
            self._health.accept()
        self._last_s = time_s
        began = time.thread_time()
        ailments = self._health.look(self._shrink.luma(picture.frame), picture.wall, chroma_of(picture.frame))
        self._cpu_s += time.thread_time() - began
        self._looked += 1
        return self._compare(ailments, picture)

    def _wants(self, ailment: Ailment) -> bool:
        return self._pipeline.settings.analysis.health.wants(ailment)

    def report(self) -> HealthReport:
        return HealthReport(
            camera=self._pipeline.settings.id,
            spells=tuple(self._spells.values()),
            ready=self._health.ready,
            looked=self._looked,
            cpu_s=self._cpu_s,
        )

    def _compare(self, ailments: list[Ailment], picture: Picture) -> list[Event]:
        before = dict(self._spells)
        self._spells = {name: spell for name, spell in before.items() if name in ailments}
        events = []
        for ailment in ailments:
            if ailment not in before:
                spell = Spell(
                    id=uuid.uuid4().hex, camera=self._pipeline.settings.id, ailment=ailment, began=picture.wall
                )
                self._spells[ailment] = spell
                level = self._pipeline.settings.analysis.health.level
                if level:
                    events.append(health_event(spell, level, picture))
        if self._spells.keys() != before.keys():
            self._on_report(self.report())
        return events


class TrackJury:
    """A camera's doubts, as its settings say, which may change at any time.

    `on_suppressed` hears what was held back.
    """

    def __init__(
        self, settings: Callable[[], Camera], on_suppressed: Callable[[Suppressed], None] | None = None
    ) -> None:
        self._settings = settings
        self._on_suppressed = on_suppressed
        self._since = time.time()
        self._plane: GroundPlane | None = None
        self._ground: Ground | None = None
        self._size = (0, 0)
        told = self._told if on_suppressed is not None else None
        self.jury = Jury(self._wants, told, self._expected, self._has_livestock, self._metres)

    def _expected(self, at: Point, width: int, height: int) -> float | None:
        ground = self._plan(width, height)
        return ground.upright(at, TYPICAL_M) if ground is not None else None

    def _metres(self, at: Point, width: int, height: int) -> Point | None:
        ground = self._plan(width, height)
        return ground.project([at])[0] if ground is not None and ground.valid(at) else None

    def _plan(self, width: int, height: int) -> Ground | None:
        """By the camera's calibration, which may change at any time."""
        plane = self._settings().ground
        if plane is not self._plane or self._size != (width, height):
            self._plane, self._size = plane, (width, height)
            self._ground = plane(width, height) if plane is not None else None
        return self._ground

    def _has_livestock(self) -> bool:
        return self._settings().analysis.livestock

    def _wants(self, doubt: Doubt) -> bool:
        return self._settings().analysis.doubts.wants(doubt)

    def report(self, *samples: Sample) -> Suppressed:
        counts = {doubt.value: count for doubt, count in self.jury.counts.items()}
        return Suppressed(camera=self._settings().id, counts=counts, since=self._since, samples=samples)

    def _told(self, sample: Sample) -> None:
        if self._on_suppressed is not None:
            self._on_suppressed(self.report(sample))


def health_event(spell: Spell, level: int, picture: Picture) -> Event:
    """The spell's beginning as an event, as if a rule of the camera had found it."""
    ailment = spell.ailment.value
    return Event(
        id=spell.id,
        camera=spell.camera,
        epoch=picture.epoch,
        kind=EventKind.HEALTH,
        rule={"id": f"health-{ailment}", "kind": "health", "name": f"Camera: {ailment.replace('_', ' ')}"},
        level=level,
        label=ailment,
        score=1.0,
        track=0,
        stream_time=picture.stream_time,
        wall=picture.wall,
        arrival=picture.arrival,
        point=(0.5, 0.5),
        direction="",
        box=(0.0, 0.0, 1.0, 1.0),
        path=(),
        detector="health",
    )

"""How the cameras themselves are, and what was held back: fed by the bus, kept here, told when it changes."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Iterable

from typing_extensions import TypedDict

from perishield.api.push import Push
from perishield.api.times import iso
from perishield.log import Log
from perishield.model.doubts import Sample, Suppressed
from perishield.model.health import HealthReport, Spell
from perishield.store.database import Database
from perishield.store.health import keep_spells

log = Log("health")

_SAMPLES = 40
STALE_S = 15.0


class SpellOut(TypedDict):
    id: str
    ailment: str
    began: str
    ended: str | None


class HealthOut(TypedDict):
    """`watched` is False where nothing was heard for a while. `ready`: the usual view is known."""

    camera: str
    watched: bool
    ready: bool
    spells: list[SpellOut]


class SampleOut(TypedDict):
    doubt: str
    wall: str
    track: int
    label: str
    score: float
    box: list[float]
    picture: str | None


class SuppressedOut(TypedDict):
    camera: str
    since: str | None
    counts: dict[str, int]
    samples: list[SampleOut]


class HealthBoard:
    """The last report of every camera, and the newest samples of what was held back there."""

    def __init__(self, database: Database, push: Push) -> None:
        self._database = database
        self._push = push
        self._reports: dict[str, tuple[HealthReport, float]] = {}
        self._suppressed: dict[str, Suppressed] = {}
        self._samples: dict[str, deque[Sample]] = {}
        self._stored: dict[str, tuple[Spell, ...] | None] = {}

    def report(self, report: HealthReport) -> None:
        before = self._reports.get(report.camera)
        self._reports[report.camera] = (report, time.monotonic())
        if before is None or before[0].spells != report.spells or before[0].ready != report.ready:
            self._push.send("streams", report.camera, lambda: {"type": "health", "data": self.out(report.camera)})

    def held_back(self, told: Suppressed) -> None:
        self._suppressed[told.camera] = told
        samples = self._samples.setdefault(told.camera, deque(maxlen=_SAMPLES))
        samples.extendleft(sample for sample in told.samples if sample.jpeg)

    def keep_only(self, cameras: Iterable[str]) -> None:
        """Forget cameras that are gone."""
        there = set(cameras)
        for camera in (self._reports.keys() | self._suppressed.keys()) - there:
            self._reports.pop(camera, None)
            self._suppressed.pop(camera, None)
            self._samples.pop(camera, None)
            self._stored.pop(camera, None)

    async def store(self) -> None:
        """Write down what began and ended since the last time. Raises SQLAlchemyError; then it is tried again."""
        for camera, (report, _) in list(self._reports.items()):
            if self._stored.get(camera) != report.spells:
                async with self._database.write() as session:
                    await keep_spells(session, camera, report.spells, time.time())
                self._stored[camera] = report.spells

    def reports(self) -> list[HealthReport]:
        return [report for report, _ in self._reports.values()]

    def suppressed(self) -> list[Suppressed]:
        return list(self._suppressed.values())

    def out(self, camera: str) -> HealthOut:
        report, heard = self._reports.get(camera, (HealthReport(camera=camera), float("-inf")))
        return {
            "camera": camera,
            "watched": time.monotonic() - heard < STALE_S,
            "ready": report.ready,
            "spells": [spell_out(spell) for spell in report.spells],
        }

    def all(self) -> list[HealthOut]:
        return [self.out(camera) for camera in self._reports]

    def suppressed_out(self, camera: str, *, pictures: bool = True) -> SuppressedOut:
        """The newest sample first."""
        told = self._suppressed.get(camera)
        return {
            "camera": camera,
            "since": iso(told.since) if told is not None else None,
            "counts": dict(told.counts) if told is not None else {},
            "samples": [_sample_out(sample, pictures) for sample in self._samples.get(camera, ())],
        }


def spell_out(spell: Spell) -> SpellOut:
    return {
        "id": spell.id,
        "ailment": spell.ailment.value,
        "began": iso(spell.began),
        "ended": iso(spell.ended) if spell.ended is not None else None,
    }


def _sample_out(sample: Sample, with_picture: bool) -> SampleOut:
    picture = base64.b64encode(sample.jpeg).decode() if with_picture else ""
    return {
        "doubt": sample.doubt.value,
        "wall": iso(sample.wall),
        "track": sample.track,
        "label": sample.label,
        "score": round(sample.score, 3),
        "box": [round(side, 4) for side in sample.box],
        "picture": f"data:image/jpeg;base64,{picture}" if picture else None,
    }

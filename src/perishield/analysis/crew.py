"""The threads that see: some decode, each a camera at a time, and one has the detector look at batches of pictures.

Decoding and inference release the interpreter's lock, so that both keep the cores busy. A camera's chunks are decoded
in order, by whichever thread is free; tracks and rules are a matter of the one thread that infers. A camera whose
pictures wait for the detector is not decoded further, which costs nothing: its chunks are references into files. Only
where it falls behind for seconds are pictures left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perishield.analysis.inbox import Claim, Inbox
from perishield.analysis.pipeline import CameraPipeline, Judged
from perishield.log import Log
from perishield.model.errors import ModelError
from perishield.model.media import ChunkRef
from perishield.model.vision import MOTION, Detections
from perishield.vision.batcher import Batcher, Urgency
from perishield.vision.detector import Detector
from perishield.vision.motion import MotionDetector
from perishield.vision.picture import Picture
from perishield.vision.watch import Due

log = Log("vision")

_IDLE_S = 0.5
_LATE_S = 3.0
"""Seconds of video waiting from which on every second picture is left out, and the newest wins."""
_GATHER_S = 0.02
"""So long may a picture wait for others to be looked at with it."""
_AT_ONCE = 2


@dataclass(slots=True, eq=False)
class Station:
    """One stream's place in the crew."""

    pipeline: CameraPipeline
    parked: Iterator[Due] | None = None
    pictures: int = 0
    skipped: int = 0
    late: bool = False
    odd: bool = False
    tracked: bool = False
    gone: bool = False


class Crew:
    """Works on whatever lies in `inbox`.

    `pipeline_of` makes the pipeline of a stream heard of for the first time, or None where nobody wants it watched;
    called by threads that decode. `on_judged` is called for every analysed picture and `after` after every batch, both
    by the thread that infers. `named` gives the name of what detects in a stream, where that is not the same for all.
    """

    def __init__(
        self,
        detector: Detector,
        pipeline_of: Callable[[str], CameraPipeline | None],
        on_judged: Callable[[Picture, Judged], None],
        on_trouble: Callable[[ModelError], None],
        *,
        after: Callable[[], None] = lambda: None,
        decoders: int = 1,
        batcher: Batcher[tuple[Station, Due]] | None = None,
        named: Callable[[str], str] | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.batcher: Batcher[tuple[Station, Due]] = batcher or Batcher()
        self.detector = detector
        self.keys_only = False
        self.stations: dict[str, Station] = {}
        self._pipeline_of = pipeline_of
        self._on_judged = on_judged
        self._on_trouble = on_trouble
        self._after = after
        self._named = named or (lambda _stream: self.detector.name)
        self._orders: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._infer, name="infer", daemon=True)]
        self._threads += [
            threading.Thread(target=self._decode, name=f"decode-{number}", daemon=True)
            for number in range(max(1, decoders))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End after the pictures at hand; blocks."""
        self._stopping.set()
        self._wake()
        for thread in self._threads:
            thread.join(timeout_s)
        for station in self.stations.values():
            station.pipeline.close()

    def order(self, do: Callable[[], None]) -> None:
        """Have something done by the thread that infers, between two batches."""
        self._orders.append(do)
        self.batcher.wake()

    def dismiss(self, stream: str) -> None:
        """Watch this stream no more. To be ordered."""
        with self._lock:
            station = self.stations.pop(stream, None)
            if station is not None:
                station.gone = True
            free = self.inbox.forget(stream)
        self.batcher.forget(stream)
        self.detector.forget(stream)
        if station is not None and free:
            station.pipeline.close()

    def dropped(self, stream: str) -> int:
        """Chunks and pictures of a stream that nobody looked at because there was no time."""
        return self.inbox.dropped[stream] + self.batcher.dropped[stream]

    def _wake(self) -> None:
        self.inbox.wake()
        self.batcher.wake()

    def _decode(self) -> None:
        while not self._stopping.is_set():
            claim = self.inbox.claim(_IDLE_S, _AT_ONCE, self.batcher.has_room)
            if claim is None:
                continue
            station = self._station(claim.stream)
            unfinished = False
            try:
                if station is not None:
                    unfinished = self._pictures(station, claim)
            except Exception:
                log.exception("vision.decode_failed", camera=claim.stream)
            finally:
                with self._lock:
                    gone = station is not None and station.gone
                    self.inbox.release(claim.stream, unfinished=unfinished)
            if gone and station is not None:
                self.batcher.forget(claim.stream)
                station.pipeline.close()

    def _station(self, stream: str) -> Station | None:
        with self._lock:
            station = self.stations.get(stream)
            if station is None:
                pipeline = self._pipeline_of(stream)
                if pipeline is not None:
                    station = self.stations[stream] = Station(pipeline)
            return station

    def _pictures(self, station: Station, claim: Claim) -> bool:
        """Decode and hand in what is due; True where it was left off, since pictures wait already."""
        self._note_lag(station, claim.behind_s)
        pipeline = station.pipeline
        pipeline.watch.keys_only = self.keys_only or pipeline.resting
        pictures, station.parked = station.parked or _all(pipeline, claim.refs), None
        weight = 1 + max(0, pipeline.settings.recording.priority)
        for due in pictures:
            station.odd = not station.odd
            if station.late and station.odd and due.gate_open:
                station.skipped += 1
                continue
            urgency = Urgency.IDLE
            if due.gate_open:
                urgency = Urgency.FOLLOWED if station.tracked else Urgency.OPEN
            size = due.picture.width * due.picture.height * 3 // 2
            self.batcher.put(claim.stream, (station, due), urgency, weight=weight, size=size)
            if self._stopping.is_set():
                return False
            if not station.late and not self.batcher.has_room(claim.stream):
                station.parked = pictures
                return True
        return False

    def _note_lag(self, station: Station, behind_s: float) -> None:
        late = behind_s > _LATE_S
        if late != station.late:
            station.late = late
            name = "vision.late" if late else "vision.caught_up"
            log.warning(name, camera=station.pipeline.settings.id, waiting_s=behind_s)

    def _infer(self) -> None:
        while not self._stopping.is_set():
            try:
                while self._orders:
                    self._orders.pop(0)()
                most = max(1, self.detector.batch)
                gather = _GATHER_S if most > 1 and self.detector.name != MOTION else 0.0
                batch = self.batcher.take(most, _IDLE_S, gather)
                if batch:
                    self.inbox.wake()
                    self._analyse([(station, due) for station, due in batch if not station.gone])
                self._after()
            except Exception:
                log.exception("vision.round_failed")

    def _analyse(self, batch: Sequence[tuple[Station, Due]]) -> None:
        if not batch:
            return
        found = self._detect([due.picture for _, due in batch])
        for (station, due), detections in zip(batch, found, strict=True):
            station.pictures += 1
            judged = station.pipeline.judge(due, detections, self._named(due.picture.camera))
            station.tracked = judged.tracked
            self._on_judged(due.picture, judged)

    def _detect(self, pictures: list[Picture]) -> list[Detections]:
        try:
            return self.detector.detect(pictures)
        except Exception as error:
            if isinstance(self.detector, MotionDetector):
                raise
            log.exception("vision.detector_failed", name=self.detector.name)
            trouble = ModelError(
                f"model {self.detector.model}: failed while it ran ({error}); seeing motion only until a restart",
                code="model_corrupt",
            )
            self.detector = MotionDetector()
            self._on_trouble(trouble)
            return self.detector.detect(pictures)


def _all(pipeline: CameraPipeline, refs: Sequence[ChunkRef]) -> Iterator[Due]:
    for ref in refs:
        yield from pipeline.pictures(ref)

"""One labelled clip through the pipeline: its lines, zones and fences as rules, what they find as findings.

`every`: each frame is decoded, and the detector sees at most `fps` of them a second. `full`: the clip is cut into
chunks and recorded to a scratch folder, and goes through gate and decoder as it does in operation.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from perishield.analysis.attend import TrackJury
from perishield.analysis.outfit import instruct
from perishield.evaluation.dataset import EventType, LabelledClip, LabelledLine
from perishield.evaluation.replay import Replay, unset_camera
from perishield.evaluation.scorer import Found
from perishield.evaluation.texture_clip import read_packets
from perishield.model.alarms import Event, EventKind
from perishield.model.errors import DatasetError
from perishield.model.geometry import Point
from perishield.model.media import TIMESCALE, ChunkRef, Packet
from perishield.model.rules import Fence, Rule, Tripwire, Zone
from perishield.model.site import Analysis
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.streams.chunker import Chunker
from perishield.streams.layout import RECORDINGS
from perishield.streams.media_root import MediaRoot
from perishield.streams.segments import SegmentWriter
from perishield.tracking.byte_tracker import ByteTracker
from perishield.vision.crops import draw_rules
from perishield.vision.opinions import as_people

if TYPE_CHECKING:
    from perishield.vision.detector import Detector
    from perishield.vision.doubts import Jury
    from perishield.vision.picture import Picture

Pipeline = Literal["every", "full"]
PIPELINES: tuple[Pipeline, ...] = ("every", "full")

_TYPES: dict[EventKind, EventType] = {
    EventKind.TRIPWIRE: "line_cross",
    EventKind.ZONE_ENTER: "zone_enter",
    EventKind.ZONE_EXIT: "zone_exit",
    EventKind.FENCE: "fence_cross",
}
_OBLIQUE = 0.3
"""Sine from which a way across a slanting line is described by that screen direction too."""
CAMERA = "clip"
"""What the clip is called as a camera."""
_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """The tracks of one analysed picture, for whoever draws them later. `time_s`: seconds as the labels count them."""

    time_s: float
    width: int
    height: int
    tracks: tuple[TrackBox, ...]


class ClipRun:
    """One clip through the pipeline. `keep`: remember the tracks of every picture in `seen`."""

    def __init__(
        self, clip: LabelledClip, detector: Detector, fps: float, pipeline: Pipeline = "every", *, keep: bool = False
    ) -> None:
        self.clip = clip
        self.found: list[Found] = []
        self.warnings: list[str] = []
        self.seen: list[Seen] = []
        self.held_back: dict[str, int] = {}
        """How many tracks each doubt kept from the rules."""
        self.frames = 0
        self.analysed = 0
        self.seconds = 0.0
        self.cpu_s = 0.0
        self._keep = keep
        self._detector = detector
        self._fps = fps
        self._pipeline = pipeline

    def steps(self) -> Iterator[int]:
        """Work through the clip; yields the number of frames done now and then. Raises DatasetError."""
        import av

        if not self.clip.path.is_file():
            raise DatasetError(f"{self.clip.path}: is not there", file=str(self.clip.path), field="file")
        began = time.process_time()
        try:
            self._size()
            yield from self._full() if self._pipeline == "full" else self._every()
        except (av.FFmpegError, IndexError, OSError) as error:
            raise DatasetError(
                f"{self.clip.path}: cannot be decoded: {error}", file=str(self.clip.path), field="file"
            ) from error
        finally:
            self.cpu_s = time.process_time() - began
            self._detector.forget(CAMERA)
        if self.clip.sha256 and _sha256(self.clip.path) != self.clip.sha256:
            self.warnings.append("the file's sha256 is not the one in the dataset")
        if self.clip.frames and self.frames != self.clip.frames:
            self.warnings.append(f"the file has {self.frames} frames, the dataset says {self.clip.frames}")

    def _size(self) -> None:
        """Compare the video's size with the dataset's, or take it over where that has none."""
        import av

        with av.open(str(self.clip.path)) as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
        if self.clip.width and self.clip.height:
            if (width, height) != (self.clip.width, self.clip.height):
                self.warnings.append(f"the file is {width}x{height}, unlike the dataset says")
        elif width and height:
            self.clip = replace(self.clip, width=width, height=height)
        else:
            raise DatasetError(
                f"{self.clip.path}: says no size, and neither does the dataset", file=str(self.clip.path), field="width"
            )

    def _every(self) -> Iterator[int]:
        settings, rules = unset_camera(CAMERA, self._fps), rules_of(self.clip)
        engine, tracker, jury = RuleEngine(), ByteTracker(self._fps), TrackJury(lambda: settings).jury
        instruct(engine, [settings], rules)
        draw_rules(self._detector, CAMERA, rules)
        pictures = self._pictures()
        last: TrackFrame | None = None
        while batch := list(islice(pictures, max(self._detector.batch, 1))):
            self.analysed += len(batch)
            for picture, detections in zip(batch, self._detector.detect(batch), strict=True):
                last = self._frame(picture, tuple(tracker.update(as_people(detections), picture.wall)))
                self._note(last, engine.update(jury.sift(picture, last, detections)))
            yield self.frames
        self.held_back = _counted(jury)
        if last is not None:
            # The video is over: everybody in it is out of sight now.
            end = self.seconds + 1
            last = replace(last, stream_time=round(end * TIMESCALE), wall=end, arrival=end, tracks=())
            self._note(last, engine.update(last))

    def _frame(self, picture: Picture, tracks: tuple[TrackBox, ...]) -> TrackFrame:
        return TrackFrame(
            camera=CAMERA,
            epoch=_EPOCH,
            stream_time=picture.stream_time,
            wall=picture.wall,
            arrival=picture.arrival,
            width=picture.width,
            height=picture.height,
            tracks=tracks,
            detector=self._detector.name,
        )

    def _full(self) -> Iterator[int]:
        video, packets = read_packets(self.clip.path)
        if not packets:
            raise IndexError("no pictures in it")
        packets = _as_labelled(packets, self.clip.fps)
        total = len(packets)
        self.seconds = max(packet.wall for packet in packets)
        with tempfile.TemporaryDirectory(prefix="perishield-eval-") as scratch:
            media = Path(scratch)
            refs: list[ChunkRef] = []
            writer = SegmentWriter(MediaRoot(media), CAMERA, RECORDINGS, 10.0, lambda row: None, lambda error: None)
            chunker = Chunker(CAMERA, _EPOCH, writer, refs.append)
            replay = Replay(media, unset_camera(CAMERA, self._fps), rules_of(self.clip), self._detector)
            chunker.format(video)
            try:
                for number, packet in enumerate(packets, 1):
                    chunker.packet(packet)
                    if refs or number == total:
                        if number == total:
                            chunker.close()
                        yield from self._replayed(replay, refs)
                        refs.clear()
                        self.frames = number
                        yield number
                self._note(None, replay.finish())
                self.held_back = _counted(replay.jury)
            finally:
                replay.close()

    def _replayed(self, replay: Replay, refs: Sequence[ChunkRef]) -> Iterator[int]:
        for ref in refs:
            for looked in replay.take(ref):
                self.analysed += 1
                self._note(looked.frame, looked.events)
            yield self.frames

    def _note(self, frame: TrackFrame | None, events: Sequence[Event]) -> None:
        raised = self.seconds if frame is None else frame.wall
        self.found += [finding_of(self.clip, event, raised) for event in events]
        if self._keep and frame is not None and frame.tracks:
            self.seen.append(Seen(frame.wall, frame.width, frame.height, frame.tracks))

    def _pictures(self) -> Iterator[Picture]:
        import av

        from perishield.vision.picture import Picture

        period, due = 1.0 / self._fps, 0.0
        first: float | None = None
        with av.open(str(self.clip.path)) as container:
            for frame in container.decode(video=0):
                stamp = frame.time or 0.0
                first = stamp if first is None else first
                # Labels count frames, so that is what counts here wherever the dataset gives a rate.
                now = self.frames / self.clip.fps if self.clip.fps else stamp - first
                self.frames += 1
                self.seconds = now
                if now < due - period / 4:
                    continue
                due = max(due + period, now + period / 2)
                ticks = round(now * TIMESCALE)
                yield Picture(CAMERA, _EPOCH, ticks, now, now, bool(frame.key_frame), frame)


def _counted(jury: Jury) -> dict[str, int]:
    return {doubt.value: count for doubt, count in jury.counts.items()}


def finding_of(clip: LabelledClip, event: Event, raised_s: float | None = None) -> Found:
    """An event as the scorer wants it; its `wall` counts seconds from the clip's first frame."""
    rule = str(event.rule["id"])
    line = next((line for line in clip.lines if line.id == rule), None)
    begin = event.wall - event.stream_time / TIMESCALE
    return Found(
        rule=rule,
        type=_TYPES[event.kind],
        time_s=event.wall,
        directions=screen_directions(line, event.direction) if line is not None else (),
        label=event.label,
        score=event.score,
        track=event.track,
        raised_s=raised_s,
        point=event.point,
        box=event.box,
        path=tuple((begin + ticks / TIMESCALE, x, y) for ticks, x, y in event.path),
    )


def rules_of(clip: LabelledClip) -> list[Rule]:
    """What is drawn on the clip as rules. Every crossing counts, so there is no cooldown."""

    def at(point: Point) -> Point:
        return min(max(point[0] / clip.width, 0.0), 1.0), min(max(point[1] / clip.height, 0.0), 1.0)

    least = Analysis().min_score
    rules: list[Rule] = [
        Tripwire(
            id=line.id,
            camera=CAMERA,
            name=line.id,
            line=(at(line.start), at(line.end)),
            min_score=least,
            cooldown_s=0,
        )
        for line in clip.lines
    ]
    rules += [
        Zone(
            id=zone.id,
            camera=CAMERA,
            name=zone.id,
            polygon=tuple(at(point) for point in zone.polygon),
            on=("enter", "exit"),
            min_score=least,
            cooldown_s=0,
        )
        for zone in clip.zones
    ]
    rules += [
        Fence(
            id=fence.id,
            camera=CAMERA,
            name=fence.id,
            outer=tuple(at(point) for point in fence.outer),
            inner=tuple(at(point) for point in fence.inner),
            direction=fence.direction,
            within_s=fence.within_s,
            min_score=least,
            cooldown_s=0,
        )
        for fence in clip.fences
    ]
    return rules


def screen_directions(line: LabelledLine, direction: str) -> tuple[str, ...]:
    """`left`, `right`, `up`, `down`: the way across `line`, at right angles to it, the plainest first."""
    along_x, along_y = line.end[0] - line.start[0], line.end[1] - line.start[1]
    length = math.hypot(along_x, along_y)
    sign = 1.0 if direction == "left_to_right" else -1.0
    x, y = -along_y / length * sign, along_x / length * sign
    parts = sorted(((x, "right"), (-x, "left"), (y, "down"), (-y, "up")), reverse=True)
    return tuple(name for share, name in parts if share >= _OBLIQUE)


def _as_labelled(packets: Sequence[Packet], fps: float) -> list[Packet]:
    """The packets with wall-clock times as the labels count: frame index / `fps`, or from the first frame without one.

    With a rate, stream time follows it too, so that tracker and rules see the speeds that the labels mean.
    """
    order = {pts: rank for rank, pts in enumerate(sorted(packet.pts for packet in packets))}
    first = min(order)
    if not fps:
        moved = []
        for packet in packets:
            wall = (packet.pts - first) / TIMESCALE
            moved.append(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, wall, wall))
        return moved
    frame = TIMESCALE / fps
    late = max(index - order[packet.pts] for index, packet in enumerate(packets))
    moved = []
    for index, packet in enumerate(packets):
        rank = order[packet.pts]
        dts, pts = round(index * frame), round((rank + late) * frame)
        moved.append(Packet(packet.data, packet.size, dts, max(dts, pts), packet.key, rank / fps, rank / fps))
    return moved


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

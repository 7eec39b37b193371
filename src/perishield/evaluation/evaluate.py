"""A labelled set through the pipeline: decoder, detector, tracker, rules, scorer.

Every frame of a clip is decoded. The detector sees at most `fps` of them a second, as it does in operation; lines
become tripwires that count in both directions, zones count entering and leaving, for people only (or for everything
that moves with the detector `motion`, which cannot tell). A track counts from the camera's default least score on.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.evaluation.dataset import EventType, LabelledClip, LabelledLine, read_dataset
from perishield.evaluation.scorer import Found, Score, score
from perishield.model.alarms import Event, EventKind
from perishield.model.errors import DatasetError
from perishield.model.geometry import Point
from perishield.model.media import TIMESCALE
from perishield.model.rules import Rule, Tripwire, Zone
from perishield.model.site import Analysis
from perishield.model.vision import TrackBox, TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.tracking.byte_tracker import ByteTracker

if TYPE_CHECKING:
    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

MOST_FPS = 15.0
"""Pictures a second that the detector sees unless told otherwise."""
_TYPES: dict[EventKind, EventType] = {
    EventKind.TRIPWIRE: "line_cross",
    EventKind.ZONE_ENTER: "zone_enter",
    EventKind.ZONE_EXIT: "zone_exit",
}
_OBLIQUE = 0.3
"""Sine from which a way across a slanting line is described by that screen direction too."""

Progress = Callable[[float], None]


def evaluate(
    dataset: Path,
    detector: str,
    *,
    models_dir: Path | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run every clip of `dataset` and score it; plain data for JSON.

    `detector`: an ONNX file, the name of one in `models_dir`, `motion`, or `auto` (see `choose_detector`).
    `fps`: pictures a second to look at.
    `progress` is told the share that is done. Raises DatasetError, ModelError.
    """
    clips = read_dataset(dataset)
    # Imported here: a dataset that cannot be read should say so without waiting for the detectors.
    from perishield.vision.model_store import choose_detector

    eyes = choose_detector(detector, models_dir or Path())
    total = sum(max(clip.frames, 1) for clip in clips)
    done = 0
    scores: list[Score] = []
    rows: list[dict[str, Any]] = []
    for clip in clips:
        run = ClipRun(clip, eyes, fps or MOST_FPS)
        for frames in run.steps():
            if progress is not None:
                progress(min((done + min(frames, max(clip.frames, 1))) / total, 1.0))
        done += max(clip.frames, 1)
        result = score(clip, run.found)
        scores.append(result)
        rows.append(
            {
                "file": clip.file,
                "labelled": clip.events is not None,
                **_figures(result, run.frames, run.analysed, run.seconds, run.cpu_s),
                "found_events": [
                    {**_finding(found), "truth_t": truth.time_s, "dt": round(found.time_s - truth.time_s, 3)}
                    for truth, found in result.pairs
                ],
                "missed_events": [
                    {"rule": truth.rule, "type": truth.type, "direction": truth.direction, "t": truth.time_s}
                    for truth in result.missed
                ],
                "false_events": [_finding(found) for found in result.false],
                "unscored_events": [_finding(found) for found in result.unscored],
                "warnings": run.warnings,
            }
        )
    frames, analysed = sum(row["frames"] for row in rows), sum(row["analysed"] for row in rows)
    seconds, cpu_s = sum(row["seconds"] for row in rows), sum(row["cpu_s"] for row in rows)
    return {
        "dataset": str(dataset),
        "detector": eyes.model or eyes.name,
        "fps": fps or MOST_FPS,
        **_figures(sum(scores, Score()), frames, analysed, seconds, cpu_s),
        "clips": rows,
    }


class ClipRun:
    """One clip through the pipeline."""

    def __init__(self, clip: LabelledClip, detector: Detector, fps: float) -> None:
        self.clip = clip
        self.found: list[Found] = []
        self.warnings: list[str] = []
        self.frames = 0
        self.analysed = 0
        self.seconds = 0.0
        self.cpu_s = 0.0
        self._detector = detector
        self._period = 1.0 / fps
        self._tracker = ByteTracker(fps)
        self._engine = RuleEngine()
        self._engine.configure(rules_of(clip))
        self._lines = {line.id: line for line in clip.lines}

    def steps(self) -> Iterator[int]:
        """Work through the clip; yields the number of frames done now and then."""
        if self.clip.sha256 and _sha256(self.clip.path) != self.clip.sha256:
            self.warnings.append("the file's sha256 is not the one in the dataset")
        pictures = self._pictures()
        size = (self.clip.width, self.clip.height)
        began = time.process_time()
        while batch := list(islice(pictures, max(self._detector.batch, 1))):
            self.analysed += len(batch)
            for picture, detections in zip(batch, self._detector.detect(batch), strict=True):
                size = (picture.width, picture.height)
                self._judge(picture.stream_time, size, self._tracker.update(detections, picture.wall))
            yield self.frames
        if self.analysed:
            # The video is over: everybody in it is out of sight now.
            self._judge(round((self.seconds + 1) * TIMESCALE), size, [])
        self.cpu_s = time.process_time() - began
        self._detector.forget(self.clip.file)
        if self.clip.frames and self.frames != self.clip.frames:
            self.warnings.append(f"the file has {self.frames} frames, the dataset says {self.clip.frames}")

    def _judge(self, ticks: int, size: tuple[int, int], tracks: Sequence[TrackBox]) -> None:
        time_s = ticks / TIMESCALE
        frame = TrackFrame(
            camera=self.clip.file,
            epoch=1,
            stream_time=ticks,
            wall=time_s,
            arrival=time_s,
            width=size[0],
            height=size[1],
            tracks=tuple(tracks),
            detector=self._detector.name,
        )
        self.found += [self._finding(event) for event in self._engine.update(frame)]

    def _pictures(self) -> Iterator[Picture]:
        import av

        from perishield.vision.picture import Picture

        due = 0.0
        first: float | None = None
        try:
            with av.open(str(self.clip.path)) as container:
                for frame in container.decode(video=0):
                    stamp = frame.time or 0.0
                    first = stamp if first is None else first
                    # Labels count frames, so that is what counts here wherever the dataset gives a rate.
                    now = self.frames / self.clip.fps if self.clip.fps else stamp - first
                    self.frames += 1
                    self.seconds = now
                    if self.frames == 1 and (frame.width, frame.height) != (self.clip.width, self.clip.height):
                        self.warnings.append(f"the file is {frame.width}x{frame.height}, unlike the dataset says")
                    if now < due - self._period / 4:
                        continue
                    due = max(due + self._period, now + self._period / 2)
                    ticks = round(now * TIMESCALE)
                    yield Picture(self.clip.file, 1, ticks, now, now, bool(frame.key_frame), frame)
        except (av.FFmpegError, IndexError) as error:
            raise DatasetError(
                f"{self.clip.path}: cannot be decoded: {error}", file=str(self.clip.path), field="file"
            ) from error

    def _finding(self, event: Event) -> Found:
        rule = str(event.rule["id"])
        line = self._lines.get(rule)
        return Found(
            rule=rule,
            type=_TYPES[event.kind],
            time_s=event.wall,
            directions=screen_directions(line, event.direction) if line is not None else (),
            label=event.label,
            score=event.score,
            track=event.track,
        )


def rules_of(clip: LabelledClip) -> list[Rule]:
    """The clip's lines and zones as rules. Every crossing counts, so there is no cooldown."""

    def at(point: Point) -> Point:
        return min(max(point[0] / clip.width, 0.0), 1.0), min(max(point[1] / clip.height, 0.0), 1.0)

    least = Analysis().min_score
    lines: list[Rule] = [
        Tripwire(
            id=line.id,
            camera=clip.file,
            name=line.id,
            line=(at(line.start), at(line.end)),
            min_score=least,
            cooldown_s=0,
        )
        for line in clip.lines
    ]
    return lines + [
        Zone(
            id=zone.id,
            camera=clip.file,
            name=zone.id,
            polygon=tuple(at(point) for point in zone.polygon),
            on=("enter", "exit"),
            min_score=least,
            cooldown_s=0,
        )
        for zone in clip.zones
    ]


def screen_directions(line: LabelledLine, direction: str) -> tuple[str, ...]:
    """`left`, `right`, `up`, `down`: the way across `line`, at right angles to it, the plainest first."""
    along_x, along_y = line.end[0] - line.start[0], line.end[1] - line.start[1]
    length = math.hypot(along_x, along_y)
    sign = 1.0 if direction == "left_to_right" else -1.0
    x, y = -along_y / length * sign, along_x / length * sign
    parts = sorted(((x, "right"), (-x, "left"), (y, "down"), (-y, "up")), reverse=True)
    return tuple(name for share, name in parts if share >= _OBLIQUE)


def _figures(result: Score, frames: int, analysed: int, seconds: float, cpu_s: float) -> dict[str, Any]:
    return {
        "recall": _rounded(result.recall),
        "precision": _rounded(result.precision),
        "f1": _rounded(result.f1),
        "events": result.events,
        "found": len(result.pairs),
        "missed": len(result.missed),
        "false_alarms": len(result.false),
        "unscored": len(result.unscored),
        "mean_dt_s": _rounded(result.mean_dt_s),
        "frames": frames,
        "analysed": analysed,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "cpu_ms_per_frame": round(cpu_s * 1000 / frames, 3) if frames else 0.0,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _finding(found: Found) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "type": found.type,
        "direction": found.directions[0] if found.directions else None,
        "t": round(found.time_s, 3),
        "label": found.label,
        "score": round(found.score, 3),
        "track": found.track,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

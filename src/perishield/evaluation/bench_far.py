"""`perishield bench far`: how small people may be, with and without a second look at pieces of the picture.

Clips of a labelled set are made small and laid on a still ground of 1280 x 720, which is their own empty picture
mirrored outwards and blurred beyond recognition, so that people come out at the wanted heights and nobody who stood
still appears twice. Events have the set's labels; a line that reaches the clip's border goes on beyond it, since feet
that the border cuts off are now guessed on the ground around it. Boxes have no labels: truth is what the same network
sees in the clip as it is, from a score of 0.5 on, hence a ceiling of its own. What it sees there with less certainty
is neither asked for nor held against the small picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from perishield.evaluation.clip_run import ClipRun
from perishield.evaluation.dataset import LabelledClip, read_dataset
from perishield.evaluation.process_usage import machine
from perishield.evaluation.scorer import Score, score
from perishield.model.errors import DatasetError
from perishield.model.geometry import Point, prolonged
from perishield.model.media import TIMESCALE
from perishield.model.vision import MOTION, PERSON, Detections
from perishield.vision.crops import FarSight
from perishield.vision.model_store import choose_detector
from perishield.vision.nms import iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

WIDTH, HEIGHT = 1280, 720
HEIGHTS = (100, 50, 30, 20)
_SURE = 0.5
_COUNTS = 0.3
_PERHAPS = 0.1
_BORDER = 0.01
_BEYOND = 0.6
"""Of the clip's height: by how much a line goes on that reaches its border."""
_COARSE = 40
"""Pixels of the ground around that become one."""
_ENOUGH = 20

Boxes = dict[int, "NDArray[np.float32]"]
"""Person boxes (n, 4) by the hundredth of a second."""
Progress = Callable[[float], None]


@dataclass(slots=True)
class _Tally:
    truth: int = 0
    found: int = 0
    false: int = 0
    pictures: int = 0
    cpu_s: float = 0.0
    score: Score | None = None

    def add(self, seen: Boxes, truth: Boxes, perhaps: Boxes) -> None:
        """`perhaps`: all that may be a person, the truth among it."""
        for moment, boxes in seen.items():
            wanted = truth.get(moment, np.zeros((0, 4), np.float32))
            likely = perhaps.get(moment, np.zeros((0, 4), np.float32))
            self.pictures += 1
            self.truth += len(wanted)
            self.found += int((iou(wanted, boxes) >= 0.5).any(axis=1).sum())
            self.false += int((~(iou(likely, boxes) >= 0.5).any(axis=0)).sum())

    def figures(self) -> dict[str, Any]:
        result = {
            "boxes": self.truth,
            "box_recall": round(self.found / self.truth, 3) if self.truth else None,
            "false_boxes_per_picture": round(self.false / self.pictures, 3) if self.pictures else None,
            "cpu_s": round(self.cpu_s, 2),
        }
        if self.score is not None:
            result |= {"events": self.score.events, "events_found": len(self.score.pairs)}
            result |= {"false_events": len(self.score.false)}
        return result


class _Noting:
    """A detector whose persons are noted: those from a score of `least` on, and those of at least `_SURE`."""

    def __init__(self, inner: Detector, least: float) -> None:
        self.name, self.model, self.batch = inner.name, inner.model, inner.batch
        self.seen: Boxes = {}
        self.sure: Boxes = {}
        self._inner = inner
        self._least = least

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        found = self._inner.detect(pictures)
        for picture, boxes in zip(pictures, found, strict=True):
            person = np.array([name == PERSON for name in boxes.names])[boxes.classes]
            moment = round(picture.stream_time * 100 / TIMESCALE)
            self.seen[moment] = boxes.boxes[person & (boxes.scores >= self._least)]
            self.sure[moment] = boxes.boxes[person & (boxes.scores >= _SURE)]
        return found

    def forget(self, camera: str) -> None:
        self._inner.forget(camera)


def run(
    dataset: Path,
    detector: str,
    models_dir: Path,
    *,
    fps: float = 5.0,
    pieces: int = 2,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Figures by height of people. Raises DatasetError, ModelError."""
    eyes = choose_detector(detector, models_dir)
    if eyes.name == MOTION:
        raise DatasetError("bench far: motion does not tell people; name a network with --detector")
    clips = read_dataset(dataset)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="perishield-bench-") as name:
        chosen = [(clip, *seen) for clip in clips if _people((seen := _seen(clip, eyes, fps))[0])]
        empty = [clip for clip in clips if clip.expect_no_person_events]
        steps, done = len(HEIGHTS) * (len(chosen) + len(empty)), 0
        for height in HEIGHTS:
            tallies = {"whole": _Tally(), "pieces": _Tally()}
            quiet = {"whole": _Tally(score=Score()), "pieces": _Tally(score=Score())}
            for clip, truth, perhaps in chosen:
                share = height / float(np.median(_heights(truth)))
                small = _shrunk(clip, min(share, 1.0), Path(name))
                people = _moved(truth, clip, small), _moved(perhaps, clip, small)
                for way, tally in tallies.items():
                    _look(small, *people, _eyes(eyes, way, pieces), fps, tally)
                done += 1
                progress(done / steps)
            for clip in empty:
                small = _shrunk(clip, max(0.25, height / 100), Path(name))
                for way, tally in quiet.items():
                    _look(small, {}, {}, _eyes(eyes, way, pieces), fps, tally)
                done += 1
                progress(done / steps)
            rows.append(
                {
                    "height_px": height,
                    **{way: tally.figures() for way, tally in tallies.items()},
                    "without_people": {way: tally.figures() for way, tally in quiet.items()},
                }
            )
    return {
        "detector": eyes.model,
        "picture": f"{WIDTH}x{HEIGHT}",
        "fps": fps,
        "most_pieces": pieces,
        "clips": [clip.file for clip, *_ in chosen],
        "heights": rows,
        "machine": machine(),
    }


def _eyes(eyes: Detector, way: str, pieces: int) -> Detector:
    return eyes if way == "whole" else FarSight(eyes, most=pieces)


def _seen(clip: LabelledClip, eyes: Detector, fps: float) -> tuple[Boxes, Boxes]:
    """People in the clip as it is: those beyond doubt, and all that may be some."""
    noting = _Noting(eyes, _PERHAPS)
    for _ in ClipRun(clip, noting, fps).steps():
        pass
    return noting.sure, noting.seen


def _people(truth: Boxes) -> bool:
    return sum(len(boxes) for boxes in truth.values()) >= _ENOUGH


def _heights(truth: Boxes) -> NDArray[np.float32]:
    every = np.concatenate(list(truth.values()))
    result: NDArray[np.float32] = every[:, 3] - every[:, 1]
    return result


def _look(clip: LabelledClip, truth: Boxes, perhaps: Boxes, eyes: Detector, fps: float, tally: _Tally) -> None:
    noting = _Noting(eyes, _COUNTS)
    run = ClipRun(clip, noting, fps)
    for _ in run.steps():
        pass
    tally.add(noting.seen, truth, perhaps)
    tally.cpu_s += run.cpu_s
    if clip.events is not None:
        tally.score = (tally.score or Score()) + score(clip, run.found)


def _place(clip: LabelledClip, share: float) -> tuple[int, int, int, int]:
    """left, top, width and height of the small picture."""
    share = min(share, WIDTH / clip.width, HEIGHT / clip.height)
    width, height = (max(2, round(side * share / 2) * 2) for side in (clip.width, clip.height))
    return (WIDTH - width) // 3 // 2 * 2, (HEIGHT - height) // 2 // 2 * 2, width, height


def _moved(truth: Boxes, clip: LabelledClip, small: LabelledClip) -> Boxes:
    left, top, width, height = _place(clip, _share_of(clip, small))
    scale = np.array([width / clip.width, height / clip.height] * 2, np.float32)
    return {moment: boxes * scale + np.array([left, top] * 2, np.float32) for moment, boxes in truth.items()}


def _share_of(clip: LabelledClip, small: LabelledClip) -> float:
    return float(small.file.rsplit("@", 1)[1])


def _shrunk(clip: LabelledClip, share: float, folder: Path) -> LabelledClip:
    """The clip on the canvas, written as H.264, its lines and zones moved along."""
    left, top, width, height = _place(clip, share)
    path = folder / f"far-{Path(clip.file).stem}-{share:.4f}.mp4"
    canvas = _ground(clip, left, top, width, height)
    rate = Fraction(clip.fps or 25.0).limit_denominator(1000)
    noise = np.random.default_rng(5)
    with av.open(str(path), "w") as out, av.open(str(clip.path)) as source:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20", "bf": "0"}
        for index, frame in enumerate(source.decode(video=0)):
            picture = canvas.astype(np.int16)
            picture[top : top + height, left : left + width] = frame.to_ndarray(
                width=width, height=height, format="rgb24", interpolation="AREA"
            )
            picture += noise.integers(-2, 3, (HEIGHT, WIDTH, 1), np.int16)
            shown = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            shown.pts, shown.time_base = index, 1 / rate
            out.mux(stream.encode(shown))
        out.mux(stream.encode(None))

    def at(point: Point) -> Point:
        return left + point[0] * width / clip.width, top + point[1] * height / clip.height

    return replace(
        clip,
        file=f"{clip.file}@{share}",
        path=path,
        sha256="",
        width=WIDTH,
        height=HEIGHT,
        lines=tuple(
            replace(line, start=at(_beyond(clip, line.end, line.start)), end=at(_beyond(clip, line.start, line.end)))
            for line in clip.lines
        ),
        zones=tuple(replace(zone, polygon=tuple(at(point) for point in zone.polygon)) for zone in clip.zones),
    )


def _beyond(clip: LabelledClip, start: Point, end: Point) -> Point:
    """Where a line from `start` ends once the clip's border no longer ends it."""
    sides = zip(end, (clip.width, clip.height), strict=True)
    inside = all(_BORDER * side < at < (1 - _BORDER) * side for at, side in sides)
    return end if inside else prolonged(start, end, _BEYOND * clip.height)


def _ground(clip: LabelledClip, left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    """The clip's picture without what moves (its median), made small, mirrored to all sides and blurred there."""
    shots = []
    with av.open(str(clip.path)) as source:
        for index, frame in enumerate(source.decode(video=0)):
            if index % max(1, (clip.frames or 100) // 25) == 0:
                shots.append(frame.to_ndarray(width=width, height=height, format="rgb24", interpolation="AREA"))
    still = np.median(np.stack(shots).astype(np.float32), axis=0).astype(np.uint8)
    around = ((top, HEIGHT - height - top), (left, WIDTH - width - left), (0, 0))
    ground = av.VideoFrame.from_ndarray(np.pad(still, around, mode="symmetric"), format="rgb24")
    coarse = ground.reformat(width=WIDTH // _COARSE, height=HEIGHT // _COARSE, interpolation="AREA")
    blurred = coarse.reformat(width=WIDTH, height=HEIGHT, interpolation="BICUBIC").to_ndarray(format="rgb24")
    blurred[top : top + height, left : left + width] = still
    return np.asarray(blurred, np.uint8)

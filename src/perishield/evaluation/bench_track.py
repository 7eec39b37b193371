"""`perishield bench track`: how well and how fast objects are followed, beside PyPI's `trackers` and `supervision`.

The sequences lie in a folder: MOT15's TUD-Campus and TUD-Stadtmitte (`NAME/gt.txt`, `NAME/det.txt`) and simulated
crowds (`synN.gt.csv`, `synN.det.csv`); a line is frame, id, left, top, width, height (and the score). All trackers get
the same detections; a round takes every picture of a crowd through each of them in turn, so that what else the
machine does meets all alike. Only objects detected in a picture count as found in it, for everybody.
"""

from __future__ import annotations

import csv
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perishield.evaluation.mot_score import Floats, MotFrame, MotScore, score
from perishield.evaluation.process_usage import machine, on_cores
from perishield.model.errors import DatasetError
from perishield.model.vision import Detections
from perishield.tracking.byte_tracker import ByteTracker

FPS = 25.0
_SEQUENCES = {
    "campus": ("TUD-Campus/gt.txt", "TUD-Campus/det.txt"),
    "stadtmitte": ("TUD-Stadtmitte/gt.txt", "TUD-Stadtmitte/det.txt"),
    **{f"{count}": (f"syn{count}.gt.csv", f"syn{count}.det.csv") for count in (10, 50, 100)},
}
_CROWDS = ("10", "50", "100")
_OURS = "perishield"
_PEERS = ("trackers", "supervision")

Step = Callable[[Detections, float], object]
Found = Callable[[object], MotFrame]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Clip:
    truth: list[MotFrame]
    detections: list[Detections]


@dataclass(frozen=True, slots=True)
class Contestant:
    """`make` gives a fresh tracker's step, the thing that is timed; `found` reads what a step returned."""

    name: str
    make: Callable[[], Step]
    found: Found


def run(folder: Path, rounds: int = 5, *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Figures of all trackers. Raises DatasetError where a sequence is missing or cannot be read."""
    sequences = {name: read(folder, name) for name in _SEQUENCES}
    contestants = [ours(), *(peer for name in _PEERS if (peer := _peer(name)) is not None)]
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    steps = rounds * len(_CROWDS) + len(sequences)
    for done in range(rounds):
        for place, crowd in enumerate(_CROWDS):
            with on_cores(1):
                for contestant in contestants:
                    times[contestant.name, crowd].append(_median_us(contestant, sequences[crowd]))
            progress((done * len(_CROWDS) + place + 1) / steps)
    scores: dict[tuple[str, str], MotScore] = {}
    for place, (name, sequence) in enumerate(sequences.items()):
        for contestant in contestants:
            scores[contestant.name, name] = follow(contestant, sequence)
        progress((rounds * len(_CROWDS) + place + 1) / steps)
    figures = {contestant.name: _figures(contestant.name, scores, times) for contestant in contestants}
    return {
        **figures[_OURS],
        **{f"ratio_{name}": _ratio(figures[_OURS], figures.get(name)) for name in _PEERS},
        "peers": {name: figures.get(name) for name in _PEERS},
        "missing": [name for name in _PEERS if name not in figures],
        "note": _note([name for name in _PEERS if name not in figures]),
        "rounds": rounds,
        "machine": machine(),
    }


def ours(fps: float = FPS, **settings: float) -> Contestant:
    """This product's tracker, with other settings than usual where they are given."""
    made = {name: value for name, value in settings.items() if name != "tentative_s"}

    def make() -> Step:
        tracker = ByteTracker(fps, **made)
        tracker.tentative_s = settings.get("tentative_s", tracker.tentative_s)
        return tracker.update

    def found(result: Any) -> MotFrame:
        seen = [track for track in result if track.seen]
        return _frame([track.id for track in seen], [track.box for track in seen])

    return Contestant(_OURS, make, found)


def follow(contestant: Contestant, sequence: Clip, fps: float = FPS) -> MotScore:
    """The score of a fresh tracker on a sequence of so many pictures a second."""
    step = contestant.make()
    found = [contestant.found(step(detections, index / fps)) for index, detections in enumerate(sequence.detections, 1)]
    return score(sequence.truth, found)


def read(folder: Path, name: str) -> Clip:
    """A sequence by its short name. Raises DatasetError."""
    truth_file, found_file = (folder / file for file in _SEQUENCES[name])
    truth, found = _table(truth_file, 6), _table(found_file, 7)
    # Pictures behind the last true object belong to nobody; MOT15's detections may go on.
    last = max(truth, default=0)
    pictures = []
    frames = []
    for number in range(1, last + 1):
        people = np.array(truth.get(number, []), np.float64).reshape(-1, 7)[:, :6]
        boxes = np.array(found.get(number, []), np.float64).reshape(-1, 7)
        frames.append(MotFrame(people[:, 1].astype(np.intp), _corners(people)))
        pictures.append(
            Detections(
                _corners(boxes).astype(np.float32),
                boxes[:, 6].astype(np.float32),
                np.zeros(len(boxes), np.int16),
                ("person",),
            )
        )
    return Clip(frames, pictures)


def _table(file: Path, least: int) -> dict[int, list[list[float]]]:
    """Rows of seven numbers by frame."""
    rows: dict[int, list[list[float]]] = defaultdict(list)
    try:
        with file.open(newline="") as lines:
            for number, line in enumerate(csv.reader(lines), 1):
                if not line:
                    continue
                values = [float(value) for value in line[:7]]
                if len(values) < least or not all(map(np.isfinite, values)):
                    raise DatasetError(f"{file.name}, line {number}: wants {least} finite numbers")
                rows[int(values[0])].append([*values, *[0.0] * (7 - len(values))])
    except OSError as error:
        raise DatasetError(
            f"bench track: {file}: {error.strerror}; --data names the folder with TUD-Campus and syn100.gt.csv in it"
        ) from error
    except ValueError as error:
        raise DatasetError(f"{file.name}: {error}; lines are frame,id,left,top,width,height,score") from error
    return rows


def _corners(rows: Floats) -> Floats:
    return np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)


def _frame(ids: Sequence[int] | NDArray[Any], boxes: Sequence[Sequence[float]] | NDArray[Any]) -> MotFrame:
    return MotFrame(np.asarray(ids, np.intp).reshape(-1), np.asarray(boxes, np.float64).reshape(-1, 4))


def _median_us(contestant: Contestant, sequence: Clip) -> float:
    """CPU time of the median picture, on one core."""
    step = contestant.make()
    spent = []
    for index, detections in enumerate(sequence.detections, 1):
        began = time.process_time_ns()
        step(detections, index / FPS)
        spent.append(time.process_time_ns() - began)
    return statistics.median(spent) / 1000


def _figures(
    name: str, scores: dict[tuple[str, str], MotScore], times: dict[tuple[str, str], list[float]]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for short in ("campus", "stadtmitte"):
        figures |= _percent(scores[name, short], short)
    for crowd in _CROWDS:
        figures |= _percent(scores[name, crowd], crowd)
        figures[f"us_per_frame_{crowd}"] = round(statistics.median(times[name, crowd]), 1)
    return figures


def _percent(found: MotScore, short: str) -> dict[str, float]:
    return {
        f"idf1_{short}": round(100 * found.idf1, 1),
        f"hota_{short}": round(100 * found.hota, 1),
        f"mota_{short}": round(100 * found.mota, 1),
        f"id_switches_{short}": found.switches,
    }


def _ratio(own: dict[str, float], other: dict[str, float] | None) -> float | None:
    """Our time at 100 objects as a share of theirs."""
    return round(own["us_per_frame_100"] / other["us_per_frame_100"], 3) if other else None


def _note(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    return f"not installed, so not compared: {', '.join(missing)}; `uv pip install --group bench` brings them"


def _peer(name: str) -> Contestant | None:
    """ByteTrack as the peer ships it, with its own defaults; None where it is not installed."""
    try:
        import supervision
    except ImportError:
        return None
    make: Callable[[], Step]
    if name == "supervision":

        def make() -> Step:
            tracker = supervision.ByteTrack(frame_rate=int(FPS))
            return lambda seen, _: tracker.update_with_detections(_theirs(supervision, seen))
    else:
        try:
            from trackers import ByteTrackTracker
        except ImportError:
            return None

        def make() -> Step:
            tracker = ByteTrackTracker(frame_rate=FPS)
            return lambda seen, _: tracker.update(_theirs(supervision, seen))

    def found(result: Any) -> MotFrame:
        ids = result.tracker_id if result.tracker_id is not None else np.full(len(result), -1)
        real = np.asarray(ids) >= 0
        return _frame(np.asarray(ids)[real], np.asarray(result.xyxy)[real])

    return Contestant(name, make, found)


def _theirs(supervision: Any, seen: Detections) -> Any:
    """Our detections as the peers take them: a few views, no copies."""
    return supervision.Detections(xyxy=seen.boxes, confidence=seen.scores, class_id=seen.classes)

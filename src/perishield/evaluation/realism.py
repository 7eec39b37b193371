"""Whether a detector finds rendered people about as often as real ones of the same height.

Real people come from clips: whoever the detector is sure of in a frame at its own size, whole on the picture. The frame
is then shrunk until that person has the wanted height, and laid on a picture of the analysed size around him, mirrored
at the edges where it does not fill it. Rendered people are those of the standard suite's places in daylight and clear
weather, shrunk by the same hand from a picture in which they are larger, and chosen by the same detector in the same
way. A person is found where a box of its class and at least the operating score overlaps by 0.4 (IoU).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perishield.evaluation.scenes.places import HEIGHT, WIDTH, Place, person_look, place
from perishield.model.errors import DatasetError
from perishield.model.site import Analysis
from perishield.model.vision import PERSON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from perishield.vision.detector import Detector

HEIGHTS = (150, 100, 60, 40)
_SURE = 0.5
_OVERLAP = 0.4
_LARGER = 1.08
"""How much taller than wanted a person must be, so that every picture is shrunk."""
_LARGEST = 3.0
_EVERY_S = 0.4
Progress = Callable[[float], None]
Pictures = Iterator["NDArray[np.uint8]"]


def compare(clips: Path, detector: Detector, *, places: int = 10, progress: Progress | None = None) -> dict[str, Any]:
    """Rates and mean scores (0 where not found) at each height, side by side. Raises DatasetError: no clips there."""
    files = sorted(clips.glob("*.mp4"))
    if not files:
        raise DatasetError(f"{clips}: there is no .mp4 file; name a folder of clips with people", file=str(clips))
    found: dict[str, dict[int, list[float]]] = {kind: {height: [] for height in HEIGHTS} for kind in ("real", "drawn")}
    steps = len(files) + places
    for number, file in enumerate(files):
        _measure(_frames(file), detector, found["real"])
        if progress is not None:
            progress((number + 1) / steps)
    for number in range(places):
        _measure(_drawn(number), detector, found["drawn"])
        if progress is not None:
            progress((len(files) + number + 1) / steps)
    least = Analysis().min_score
    rows = [
        {
            "height_px": height,
            **{f"{kind}_{name}": value for kind in found for name, value in _rate(found[kind][height], least).items()},
        }
        for height in HEIGHTS
    ]
    return {"detector": detector.model or detector.name, "operating_score": least, "heights": rows}


def _rate(scores: list[float], least: float) -> dict[str, Any]:
    if not scores:
        return {"people": 0, "rate": None, "mean_score": None}
    values = np.array(scores)
    return {
        "people": len(scores),
        "rate": round(float((values >= least).mean()), 4),
        "mean_score": round(float(values.mean()), 4),
    }


def _measure(pictures: Pictures, detector: Detector, into: dict[int, list[float]]) -> None:
    for picture in pictures:
        for box in _sure(picture, detector):
            tall = box[3] - box[1]
            for height in HEIGHTS:
                if height * _LARGER <= tall <= height * _LARGEST:
                    shown, where = shrunk(picture, box, height / tall)
                    into[height].append(_best(shown, where, detector))


def _sure(picture: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.float32]]:
    """Boxes of people that are upright, whole on the picture, and beyond doubt."""
    from perishield.vision.onnx_model import as_picture

    detections = detector.detect([as_picture(picture)])[0]
    high, wide = picture.shape[:2]
    kept = []
    for box, score, number in zip(detections.boxes, detections.scores, detections.classes, strict=True):
        inside = box[0] > 3 and box[1] > 3 and box[2] < wide - 3 and box[3] < high - 3
        upright = box[3] - box[1] > 1.6 * (box[2] - box[0])
        if detections.names[int(number)] == PERSON and score >= _SURE and inside and upright:
            kept.append(box)
    return kept


def shrunk(
    picture: NDArray[np.uint8], box: NDArray[np.float32], share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture at a share of its size, laid on one of the analysed size around the box; and where the box is now."""
    import av

    high, wide = (max(2, round(side * share / 2) * 2) for side in picture.shape[:2])
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    small = frame.reformat(width=wide, height=high, interpolation="AREA").to_ndarray(format="rgb24")
    moved = box * np.array([wide / picture.shape[1], high / picture.shape[0]] * 2, np.float32)
    columns, left = _window(wide, WIDTH, float(moved[0] + moved[2]) / 2)
    rows, top = _window(high, HEIGHT, float(moved[1] + moved[3]) / 2)
    shown: NDArray[np.uint8] = np.asarray(small[rows[:, None], columns[None, :]], np.uint8)
    return shown, (moved - np.array([left, top] * 2, np.float32)).astype(np.float32)


def _window(length: int, wanted: int, middle: float) -> tuple[NDArray[np.intp], int]:
    """Which of `length` pixels come to lie on `wanted`, mirrored beyond the ends; and the first one's place."""
    start = -((wanted - length) // 2) if length <= wanted else int(np.clip(middle - wanted / 2, 0, length - wanted))
    index = np.abs(np.arange(start, start + wanted))
    turn = 2 * (length - 1)
    index = index % turn if turn else index * 0
    return np.where(index >= length, turn - index, index).astype(np.intp), start


def _best(picture: NDArray[np.uint8], box: NDArray[np.float32], detector: Detector) -> float:
    """The highest score of a person there."""
    from perishield.vision.onnx_model import as_picture

    detections = detector.detect([as_picture(picture)])[0]
    best = 0.0
    for other, score, number in zip(detections.boxes, detections.scores, detections.classes, strict=True):
        shared = np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None).prod()
        union = (box[2:] - box[:2]).prod() + (other[2:] - other[:2]).prod() - shared
        if detections.names[int(number)] == PERSON and shared >= _OVERLAP * union:
            best = max(best, float(score))
    return best


def _frames(file: Path) -> Pictures:
    import av

    try:
        with av.open(str(file)) as container:
            due = 0.0
            for frame in container.decode(video=0):
                if (frame.time or 0.0) >= due:
                    due = (frame.time or 0.0) + _EVERY_S
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except av.FFmpegError as error:
        raise DatasetError(f"{file.name}: cannot be decoded: {error}", file=str(file)) from error


def _drawn(number: int) -> Pictures:
    """People walking at one of the suite's places, at twice its size."""
    from perishield.evaluation.scenes.footage import Footage
    from perishield.evaluation.scenes.scene import Actor, FenceShape, Go, Scene, Weather

    rng = np.random.default_rng((number, 4))
    # Places of noon and overcast light at all distances.
    here: Place = place(2 + number, 6 * (number % 5) + number % 2)
    x, _ = here.crossing
    actors = tuple(
        Actor(
            name=f"walker-{index}",
            look=person_look(rng),
            start_s=0.0,
            at=(x - side * 4 + float(rng.uniform(-1, 1)), y),
            moves=(Go((x + side * 4, y + float(rng.uniform(-2, 2))), float(rng.uniform(1.1, 1.6))),),
        )
        for index, (side, y) in enumerate(((1, -float(rng.uniform(0, 3))), (-1, float(rng.uniform(0.3, 1.5)))))
    )
    scene: Scene = replace(
        here.stage,
        width=2 * WIDTH,
        height=2 * HEIGHT,
        fence=FenceShape(height=0.0),
        weather=Weather(noise=2.5, wind=0.1),
        actors=actors,
        trees=(),
    )
    footage = Footage(scene, quality=75)
    for moment in np.arange(0.8, 5.2, _EVERY_S):
        yield footage.at(float(moment))[0]

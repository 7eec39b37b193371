"""Camera health on pictures that were tampered with: how soon it is told, by what name, and what is told for nothing.

Pictures come as a camera's key frames would, one every two seconds: of the generated scenes and, where a labelled set
is given, of its clips, forwards and backwards. Each is encoded and decoded again after it was tampered with, so that
coding leaves its marks. Healthy runs go through dusk, a change to infrared, fog and rain.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from perishield.evaluation.dataset import read_dataset
from perishield.evaluation.process_usage import machine
from perishield.evaluation.sabotage import SABOTAGES, Sabotage, levels
from perishield.evaluation.scenes import demo_scenes, frames
from perishield.model.health import Ailment
from perishield.vision.health import CameraHealth
from perishield.vision.health_look import HEIGHT, WIDTH, chroma_of
from perishield.vision.picture import Shrinker

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERY_S = 2.0
_BEFORE, _DURING, _AFTER = 30, 20, 12
_WIDE = 640

Progress = Callable[[float], None]
Change = Callable[["NDArray[np.uint8]", float, np.random.Generator], "NDArray[np.uint8]"]
"""(picture, share of the run, chance) -> picture."""


@dataclass(frozen=True, slots=True)
class Footage:
    """Pictures of one camera, RGB uint8 (h, w, 3)."""

    name: str
    pictures: Sequence[NDArray[np.uint8]] = field(repr=False)
    generated: bool

    def endless(self) -> Iterator[NDArray[np.uint8]]:
        while True:
            yield from self.pictures
            yield from self.pictures[-2:0:-1]


def run(dataset: Path | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Times in seconds. Raises DatasetError for a set that cannot be read."""
    footage = [*_scenes(), *(_clips(dataset) if dataset is not None else ())]
    total = len(footage) * (len(SABOTAGES) + 1) + len(_WEATHERS) * sum(one.generated for one in footage)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done / total)

    healthy: list[dict[str, Any]] = []
    costs: list[float] = []
    for one in footage:
        for name, change in (("as it is", _unchanged), *(_WEATHERS if one.generated else ())):
            told, cost = _healthy(one, change)
            healthy.append({"footage": one.name, "run": name, "minutes": round(_MINUTES, 1), "told": told})
            costs += cost
            step()
    rows = []
    for sabotage in SABOTAGES:
        trials = []
        for one in footage:
            trials.append(_tampered(one, sabotage))
            step()
        rows.append(_summary(sabotage, trials))
    return {
        "key_frame_every_s": EVERY_S,
        "footage": [one.name for one in footage],
        "sabotage": rows,
        "healthy_runs": len(healthy),
        "healthy_minutes": round(_MINUTES * len(healthy), 1),
        "told_for_nothing": sum(len(row["told"]) for row in healthy),
        "told_for_nothing_in": [row for row in healthy if row["told"]],
        "us_per_key_frame": round(statistics.median(costs) * 1e6),
        "machine": machine(),
    }


@dataclass(frozen=True, slots=True)
class _Trial:
    footage: str
    told: Ailment | None
    after_s: float
    over: bool
    wrong: tuple[str, ...]


def _tampered(footage: Footage, sabotage: Sabotage) -> _Trial:
    camera, chance = _Camera(), np.random.default_rng(7)
    told: Ailment | None = None
    after_s = 0.0
    wrong: set[str] = set()
    last: NDArray[np.uint8] | None = None
    source = footage.endless()
    for index in range(_BEFORE + _DURING + _AFTER):
        picture = next(source)
        since = index - _BEFORE
        if 0 <= since < _DURING:
            shown = last if sabotage.freezes and last is not None else picture
            picture = sabotage.deed(shown, since, chance)
        else:
            last = picture
        ailments = camera.see(picture, index * EVERY_S)
        right = [ailment for ailment in ailments if ailment in sabotage.right]
        wrong |= {ailment.value for ailment in ailments if ailment not in sabotage.right}
        if since >= 0 and right and told is None:
            told, after_s = right[0], since * EVERY_S
    return _Trial(footage.name, told, after_s, not camera.health.ailments, tuple(sorted(wrong)))


def _summary(sabotage: Sabotage, trials: Sequence[_Trial]) -> dict[str, Any]:
    times = [trial.after_s for trial in trials if trial.told is not None]
    return {
        "sabotage": sabotage.name,
        "right_words": [ailment.value for ailment in sabotage.right],
        "trials": len(trials),
        "told": len(times),
        "median_s": statistics.median(times) if times else None,
        "longest_s": max(times, default=None),
        "over_in_time": sum(trial.over for trial in trials),
        "missed": [trial.footage for trial in trials if trial.told is None],
        "wrong_words": {trial.footage: list(trial.wrong) for trial in trials if trial.wrong},
        "not_over": [trial.footage for trial in trials if not trial.over],
    }


_LOOKS = 90
_MINUTES = _LOOKS * EVERY_S / 60


def _healthy(footage: Footage, change: Change) -> tuple[list[str], list[float]]:
    camera, chance = _Camera(), np.random.default_rng(9)
    source = footage.endless()
    told: list[str] = []
    costs = []
    for index in range(_LOOKS):
        picture = change(next(source), index / (_LOOKS - 1), chance)
        ailments = camera.see(picture, index * EVERY_S)
        costs.append(camera.cost_s)
        told += [ailment.value for ailment in ailments if ailment.value not in told]
    return told, costs


class _Camera:
    """Encodes a picture as a key frame, decodes it, and has its health looked at, as the vision process does."""

    def __init__(self) -> None:
        self.health = CameraHealth()
        self.cost_s = 0.0
        self._shrink = Shrinker(WIDTH, HEIGHT, "gray")
        self._encoder: av.VideoCodecContext | None = None
        self._decoder: av.VideoCodecContext = av.VideoCodecContext.create("h264", "r")

    def see(self, picture: NDArray[np.uint8], time_s: float) -> list[Ailment]:
        frame = self._coded(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        began = time.process_time()
        ailments = self.health.look(self._shrink.luma(frame), time_s, chroma_of(frame))
        self.cost_s = time.process_time() - began
        return ailments

    def _coded(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._encoder is None:
            encoder: av.VideoCodecContext = av.VideoCodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuv420p"
            encoder.framerate = Fraction(25)
            encoder.thread_count = 1
            encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "28", "g": "1"}
            self._encoder = encoder
        frame.pts = None
        decoded: list[av.VideoFrame] = []
        for packet in self._encoder.encode(frame):
            decoded += self._decoder.decode(packet)
        decoded += self._decoder.decode(None)
        self._decoder.flush_buffers()
        return decoded[0]


def _scenes() -> Iterator[Footage]:
    for scene in demo_scenes():
        once_a_second = replace(scene, fps=1, width=_WIDE, height=_WIDE * 9 // 16)
        yield Footage(scene.name, [picture.copy() for picture, _ in frames(once_a_second)], generated=True)


def _clips(dataset: Path) -> Iterator[Footage]:
    for clip in read_dataset(dataset):
        pictures: list[NDArray[np.uint8]] = []
        with av.open(str(clip.path)) as container:
            for frame in container.decode(video=0):
                if (frame.time or 0.0) >= 0.5 * len(pictures):
                    high = round(_WIDE * frame.height / frame.width / 2) * 2
                    pictures.append(frame.to_ndarray(width=_WIDE, height=high, format="rgb24").astype(np.uint8))
        yield Footage(clip.file, pictures, generated=False)


def _unchanged(picture: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    return picture


def _dusk(picture: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Light goes down to a quarter within two minutes, faster than ever outdoors; noise comes up."""
    light = 0.25 ** min(max(share - 0.3, 0.0) / 0.6, 1.0)
    noise = chance.normal(0, 1 + 4 * (1 - light), picture.shape)
    return levels(picture * light**0.6 + noise)


def _infrared(picture: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Half-way the camera changes to its own lamp: no colour, bright in the middle, dark behind, noisy; then back."""
    if not 0.35 < share < 0.75:
        return picture
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    lamp = 0.25 + np.exp(-(((columns / width - 0.5) / 0.4) ** 2) - ((rows / height - 0.7) / 0.45) ** 2)
    red = 0.8 * picture[..., 0] + 0.2 * picture[..., 1]
    lit: NDArray[np.uint8] = np.clip(red * lamp + chance.normal(0, 5, (height, width)), 0, 255).astype(np.uint8)
    return np.repeat(lit[..., None], 3, axis=2)


def _fog(picture: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Fog that takes seven tenths of the contrast within a minute."""
    thick = 0.7 * min(max(share - 0.3, 0.0) / 0.3, 1.0)
    return levels(picture * (1 - thick) + 165 * thick)


def _rain(picture: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Heavy rain: a thousand streaks, and the wet ground darker."""
    if share < 0.3:
        return picture
    height, width = picture.shape[:2]
    wet = picture * 0.85
    for _ in range(1000):
        x, y, long = int(chance.integers(width)), int(chance.integers(height)), int(chance.integers(8, 30))
        wet[y : y + long, x] += 35
    return levels(wet)


_WEATHERS: tuple[tuple[str, Change], ...] = (
    ("dusk", _dusk),
    ("infrared and back", _infrared),
    ("fog", _fog),
    ("rain", _rain),
)

"""Generated scenes through the product's own eyes: gate, detector, tracker and rules with their default settings, at
cameras whose ground is calibrated.

As in operation (`vision.watch`), a shut gate has one picture every two seconds looked at, the key frame; where the gate
opens, what came since the key frame before is looked at too, and everything from there on, at the analysed rate. There
is no encoded stream behind a generated scene, so the gate's early signal, the size of packets, is missing: it opens by
key frames and objects alone, that is later, never earlier, than for a real camera.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.analysis.outfit import instruct, outfit
from perishield.analysis.pipeline import CameraPipeline
from perishield.evaluation.scorer import Found, score
from perishield.evaluation.standard import PER_SITE, VERSION, GeneratedScene, scene_of, seeds
from perishield.model.alarms import Event
from perishield.model.ground import GroundPlane, GroundPoint
from perishield.model.media import TIMESCALE, ChunkRef, Codec
from perishield.model.site import Analysis, Camera
from perishield.model.vision import TrackFrame
from perishield.rules.engine import RuleEngine
from perishield.vision.crops import draw_rules, with_pieces
from perishield.vision.gate import Gate
from perishield.vision.watch import CameraWatch, Due

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from perishield.vision.detector import Detector
    from perishield.vision.picture import Picture

_MARKS = tuple((x, y) for y in (-6.0, -4.0, -2.0, 0.0, 1.0, 2.0, 3.0) for x in (-5.0, -2.5, 0.0, 2.5, 5.0))
"""Metres along and across the line, from where the camera looks: places that whoever calibrates it may have marked."""
KEY_S = 2.0
"""Seconds between key frames."""
_BEFORE_S = 3.0
"""How long the place was watched at the analysed rate before, so that its background is known."""
_THUMBNAIL = (160, 90)
Progress = Callable[[float], None]
Shown = Callable[["NDArray[np.uint8]", TrackFrame], None]


def ground_of(scene: GeneratedScene) -> GroundPlane:
    """The camera's calibration as whoever installs it makes it: marks on the ground that it sees, where they lie."""
    from perishield.evaluation.scenes.camera import View
    from perishield.tracking.ground_fit import fit_ground

    view = View(scene.scene.camera, scene.width, scene.height)
    # Where its axis meets the line on the ground.
    middle = float(view.position[0] - view.forward[0] / view.forward[1] * view.position[1])
    points = []
    for x, y in _MARKS:
        column, row = view.pixel((middle + x, y, 0.0))
        if 0 < column < scene.width and 0 < row < scene.height:
            # To the pixel, as somebody clicks.
            seen = (round(column) / scene.width, round(row) / scene.height)
            points.append(GroundPoint(picture=seen, site=(middle + x, y)))
    return fit_ground(points)


class SceneRun:
    """One scene, watched. `on_picture` gets every picture that was analysed, with what was followed in it."""

    def __init__(self, scene: GeneratedScene, detector: Detector, *, on_picture: Shown | None = None) -> None:
        from perishield.vision.picture import Shrinker

        self.scene = scene
        self.found: list[Found] = []
        self.analysed = 0
        self.opened = 0
        self.cpu_s = 0.0
        self._detector = detector
        self._on_picture = on_picture
        settings = Camera(
            id=scene.scene.name,
            name=scene.scene.title,
            url="",
            analysis=Analysis(fps=scene.fps),
            ground=ground_of(scene),
        )
        engine = RuleEngine()
        instruct(engine, [settings], scene.rules)
        # Somebody comes in early in a short scene: its gate has been running for long.
        self._gate = Gate() if scene.quiet else Gate(warm_up_s=0.0)
        self._watch = CameraWatch(Path(), scene.fps, gate=self._gate)
        self._pipeline = CameraPipeline(str(scene.seed), settings, self._watch, engine)
        outfit(self._pipeline)
        self._engine = engine
        self._shrink = Shrinker(*_THUMBNAIL, "gray")
        self._last = -1
        draw_rules(detector, str(scene.seed), scene.rules)

    def run(self) -> None:
        """Work through the scene."""
        began = time.process_time()
        scene = self.scene
        step = round(scene.fps * KEY_S)
        total = int(scene.seconds * scene.fps)
        if not scene.quiet:
            self._settle(round(scene.fps * _BEFORE_S))
        for start in range(0, total, step):
            ticks = self._ticks(start)
            was_open = self._gate.chunk(_chunk(scene, ticks, start // step))
            picture, rgb = self._picture(start)
            opens = self._gate.key_frame(self._shrink.luma(picture.frame), ticks)
            if opens and not was_open:
                self.opened += 1
                for index in range(max(self._last + 1, start - step), start):
                    self._see(index)
            self._look(start, picture, rgb, gate_open=opens)
            for index in range(start + 1, min(start + step, total)):
                if self._gate.is_open(self._ticks(index)):
                    self._see(index)
        self._end(TIMESCALE + self._ticks(total))
        self._detector.forget(str(scene.seed))
        self.cpu_s = time.process_time() - began

    def _settle(self, pictures: int) -> None:
        """The empty place, before the scene's time: what its gate's warm-up showed when the camera was new."""
        for index in range(pictures):
            picture, _ = self._picture(index)
            before = replace(picture, stream_time=self._ticks(index - pictures), wall=picture.wall - _BEFORE_S)
            detections = self._detector.detect([before])[0]
            self._pipeline.judge(Due(before, gate_open=True), detections, self._detector.name)

    def _ticks(self, index: int) -> int:
        return round(index * TIMESCALE / self.scene.fps)

    def _picture(self, index: int) -> tuple[Picture, NDArray[np.uint8]]:
        from perishield.vision.onnx_model import as_picture

        rgb, _ = self.scene.footage.at(index / self.scene.fps)
        picture = as_picture(rgb, str(self.scene.seed), self._ticks(index))
        return replace(picture, wall=index / self.scene.fps, arrival=index / self.scene.fps), rgb

    def _see(self, index: int) -> None:
        if index > self._last:
            self._look(index, *self._picture(index), gate_open=True)

    def _look(self, index: int, picture: Picture, rgb: NDArray[np.uint8], *, gate_open: bool) -> None:
        self._last = index
        self.analysed += 1
        detections = self._detector.detect([picture])[0]
        judged = self._pipeline.judge(Due(picture, gate_open=gate_open), detections, self._detector.name)
        self._watch.heed()
        self._note(judged.events)
        if self._on_picture is not None:
            self._on_picture(rgb, judged.frame)

    def _end(self, ticks: int) -> None:
        """The scene is over: everybody in it is out of sight now."""
        scene, moment = self.scene, ticks / TIMESCALE
        frame = TrackFrame(
            camera=scene.scene.name,
            epoch=0,
            stream_time=ticks,
            wall=moment,
            arrival=moment,
            width=scene.width,
            height=scene.height,
            tracks=(),
            detector=self._detector.name,
        )
        self._note(self._engine.update(frame))

    def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            self.found.append(
                Found(
                    rule=str(event.rule["id"]),
                    type="line_cross",
                    time_s=event.wall,
                    label=event.label,
                    score=event.score,
                    track=event.track,
                )
            )


def _chunk(scene: GeneratedScene, ticks: int, number: int) -> ChunkRef:
    """What the gate wants to know of a chunk that has no bytes: when it is."""
    return ChunkRef(
        camera=str(scene.seed), epoch=1, number=number, path="", init_length=0, offset=0, length=0, segment_time=0,
        stream_time=ticks, wall=0.0, arrival=0.0, key=True, discontinuity=False, codec=Codec.H264, mime="",
        width=scene.width, height=scene.height, sizes=(), durations=(), composition=(), arrivals=(),
    )  # fmt: skip


def watch(seed: int, detector: Detector) -> dict[str, Any]:
    """One scene's result, plain data."""
    run = SceneRun(scene_of(seed), detector)
    run.run()
    return row_of(run)


def row_of(run: SceneRun) -> dict[str, Any]:
    """What a finished run says of its scene."""
    scene = run.scene
    result = score(scene.clip, run.found)
    return {
        "seed": scene.seed,
        "tags": scene.tags,
        "person_px": scene.person_px,
        "seconds": scene.seconds,
        "quiet": scene.quiet,
        "events": result.events,
        "found": len(result.pairs),
        "delays_s": [round(found.time_s - truth.time_s, 2) for truth, found in result.pairs],
        "missed": [{"rule": each.rule, "person": each.person, "t": each.time_s} for each in result.missed],
        "false": [
            {"rule": each.rule, "t": round(each.time_s, 2), "label": each.label, "score": round(each.score, 2)}
            for each in result.false
        ],
        "analysed": run.analysed,
        "opened": run.opened,
        "cpu_s": round(run.cpu_s, 2),
    }


def results(
    suite: str,
    detector: str,
    *,
    models_dir: Path,
    cache: Path,
    pieces: int = 0,
    scenes: int = 200,
    hours: float = 10.0,
    seed: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Every scene's result, in the order of the suite; those kept in `cache` of the same code and model are reused.

    `pieces`: of a picture that are looked at again (`[vision] pieces`).

    Scenes of one place go to one worker, which renders their backdrop once. Raises DatasetError, ModelError.
    """
    wanted = seeds(suite, scenes=scenes, hours=hours, seed=seed)
    folder = cache / _fingerprint(detector, models_dir, pieces)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {each: found for each in wanted if (found := _load(folder / f"{each}.json")) is not None}
    groups = _mixed(list(_groups([each for each in wanted if each not in kept])))
    done = len(kept)
    if groups:
        context = multiprocessing.get_context("spawn")
        eyes = (detector, models_dir, pieces)
        with ProcessPoolExecutor(max(1, workers), context, initializer=_start, initargs=eyes) as pool:
            # A few at a time, so that an interrupt leaves little behind.
            waiting = deque(groups)
            running: set[Future[list[dict[str, Any]]]] = set()
            while waiting or running:
                while waiting and len(running) < 2 * workers:
                    running.add(pool.submit(_work, waiting.popleft()))
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    for row in future.result():
                        _save(folder / f"{row['seed']}.json", row)
                        kept[row["seed"]] = row
                        done += 1
                if progress is not None:
                    progress(done / len(wanted))
    return [kept[each] for each in wanted]


def _groups(missing: Sequence[int]) -> Iterator[list[int]]:
    """Seeds that share a place together."""
    group: list[int] = []
    for each in missing:
        quiet = each % 10_000 >= 5_000
        if group and (quiet or each // 10_000 != group[0] // 10_000 or _site(each) != _site(group[0])):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _mixed(groups: list[list[int]]) -> list[list[int]]:
    """Quiet pieces spread evenly among the rest: a run that is cut short has some of both."""
    quiet = [group for group in groups if group[0] % 10_000 >= 5_000]
    rest = [group for group in groups if group[0] % 10_000 < 5_000]
    places = [((index + 0.5) / len(part), group) for part in (quiet, rest) for index, group in enumerate(part)]
    return [group for _, group in sorted(places)]


def _site(seed: int) -> int:
    number = seed % 10_000
    return -number if number >= 5_000 else number // PER_SITE


_eyes: list[Detector] = []


def _start(detector: str, models_dir: Path, pieces: int) -> None:
    from perishield.vision.model_store import choose_detector

    _eyes.append(with_pieces(choose_detector(detector, models_dir), pieces))


def _work(group: list[int]) -> list[dict[str, Any]]:
    return [watch(each, _eyes[0]) for each in group]


def _fingerprint(detector: str, models_dir: Path, pieces: int) -> str:
    """Of the scenes' version, the eyes, and the code between picture and event."""
    from perishield import analysis, rules, tracking, vision
    from perishield.vision.model_store import choose_detector

    eyes = choose_detector(detector, models_dir)
    digest = hashlib.sha256(f"{VERSION} {eyes.name} {eyes.model} {pieces}".encode())
    folders = [
        Path(__file__).parent / "scenes",
        *(Path(str(room.__file__)).parent for room in (analysis, vision, tracking, rules)),
    ]
    for file in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(file.read_bytes())
    for name in ("standard.py", "generated.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def _load(path: Path) -> dict[str, Any] | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) else None


def _save(path: Path, row: dict[str, Any]) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(row), encoding="utf-8")
    draft.replace(path)

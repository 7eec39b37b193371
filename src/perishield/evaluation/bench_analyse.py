"""`perishield bench analyse`: how many cameras some cores can watch, with the gate and batches and without.

Every camera shows the same rendered scene, each from another moment on: nine tenths of the time nothing but wind. One
camera alone, in one thread, tells the processor time of a second of video with the gate and with every picture decoded.
From the former follows how many cameras should do; so many then run at their own pace through the node's threads, and
fewer after them until a number is sustained: that is seen, not computed. The first rounds of the scene are not counted,
in which gates learn what is usual, and in which trees a network sees birds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perishield.analysis.crew import Crew
from perishield.analysis.outfit import instruct, outfit
from perishield.analysis.pipeline import CameraPipeline, Judged
from perishield.evaluation.footage_run import lay_down, looped, watch
from perishield.evaluation.process_usage import machine, on_cores
from perishield.evaluation.quiet_footage import render_passing
from perishield.evaluation.replay import unset_camera
from perishield.evaluation.scenes import demo_scenes
from perishield.evaluation.texture_clip import read_packets
from perishield.model.errors import ModelError
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.model.rules import Rule
from perishield.rules.engine import RuleEngine
from perishield.settings import Vision
from perishield.vision.crops import draw_rules, with_pieces
from perishield.vision.detector import Detector
from perishield.vision.gate import Gate
from perishield.vision.model_store import choose_detector
from perishield.vision.picture import Picture
from perishield.vision.providers import Runtime
from perishield.vision.watch import CameraWatch

FPS = 5.0
_LOOP_S = 20.0
_SETTLE_S = 120.0
_ALONE_S = 60.0
_FULL = 0.85
"""Share of the cores that is planned with: bursts want room."""
_FEWER = 0.8
_TRIES = 4
_LATE_S = 2.0
_MOST = 500
_SCENE = "passing"

Progress = Callable[[float], None]


def run(
    models: Sequence[str],
    models_dir: Path,
    *,
    cores: int = 2,
    seconds: float = 40.0,
    loop_s: float = _LOOP_S,
    settle_s: float = _SETTLE_S,
    alone_s: float = _ALONE_S,
    most: int = _MOST,
    pieces: int = 0,
    clip: Path | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Figures by model. A file that is no network we understand is told as such, and the others go on.

    `seconds`: length of each run of many cameras, at most `most`. `loop_s`: of the scene. `settle_s`: what of it comes
    first in each run, and is not counted. `alone_s`: of the run alone. `pieces`: of a picture that are looked at again
    (`[vision] pieces`). `clip`: that scene, encoded before (`render_passing`).
    """
    rows: list[dict[str, Any]] = []
    with on_cores(cores), tempfile.TemporaryDirectory(prefix="perishield-bench-") as name:
        folder = Path(name)
        if clip is None:
            clip = folder / "passing.mp4"
            render_passing(clip, seconds=loop_s)
        video, packets = read_packets(clip)
        total = settle_s + max(alone_s, seconds + loop_s)
        refs = lay_down(video, looped(packets, total), folder, _SCENE)
        progress(0.2)
        show = _Show(folder, refs, loop_s, settle_s, alone_s, seconds)
        for index, model in enumerate(models):
            rows.append(_of_model(model, models_dir, show, cores, most, pieces))
            progress(0.2 + 0.8 * (index + 1) / len(models))
    return {"fps": FPS, "cores": cores, "quiet_share": 0.9, "pieces": pieces, "models": rows, "machine": machine()}


@dataclass(frozen=True, slots=True)
class _Show:
    """The scene, laid down in `folder`: `loop_s` long, over and over."""

    folder: Path
    refs: Sequence[ChunkRef]
    loop_s: float
    settle_s: float
    alone_s: float
    seconds: float


def _of_model(model: str, models_dir: Path, show: _Show, cores: int, most: int, pieces: int) -> dict[str, Any]:
    threads = Vision().threads_on(cores)
    try:
        eyes, fast = (
            with_pieces(choose_detector(model, models_dir, runtime=Runtime(threads=count)), pieces)
            for count in (1, threads)
        )
    except ModelError as error:
        return {"model": Path(model).name, "refused": error.message}
    rules = [replace(rule, camera=_SCENE) for rule in demo_scenes()[0].rules]
    end = (show.settle_s + show.alone_s) * TIMESCALE
    alone = [ref for ref in show.refs if ref.stream_time < end]
    gated, plain = (
        watch(alone, rules, eyes, show.folder, fps=FPS, gated=gated, settle_s=show.settle_s) for gated in (True, False)
    )
    cost, cost_plain = gated.cpu_s / gated.seconds, plain.cpu_s / plain.seconds
    tries: list[dict[str, Any]] = []
    cameras = max(1, min(most, int(cores * _FULL / cost)))
    while len(tries) < _TRIES:
        tries.append(_many(fast, show, cameras, rules))
        if tries[-1]["sustained"] or cameras == 1:
            break
        cameras = max(1, int(cameras * _FEWER))
    return {
        "model": eyes.model or eyes.name,
        "batch": fast.batch,
        "threads": threads,
        "cpu_ms_per_camera_s": round(cost * 1000, 2),
        "cpu_ms_per_camera_s_plain": round(cost_plain * 1000, 2),
        "ratio": round(cost_plain / cost, 2),
        "open_share": round(gated.open_s / gated.seconds, 3),
        "pictures_per_s": round(gated.pictures / gated.seconds, 2),
        "cameras": cameras if tries[-1]["sustained"] else None,
        "cameras_plain": max(1, int(cores * _FULL / cost_plain)),
        "tries": tries,
    }


def _many(eyes: Detector, show: _Show, cameras: int, rules: Sequence[Rule]) -> dict[str, Any]:
    """So many cameras at their own pace: what was left out, and how late pictures were."""
    engine = RuleEngine()
    settings = {name: unset_camera(name, FPS) for name in (f"cam-{number}" for number in range(cameras))}
    drawn = [replace(rule, id=f"{rule.id}-{name}", camera=name) for name in settings for rule in rules]
    instruct(engine, settings.values(), drawn)
    for name in settings:
        draw_rules(eyes, name, rules)
    delays: list[float] = []
    counted_from = float("inf")

    def judged(picture: Picture, _: Judged) -> None:
        if picture.arrival >= counted_from:
            delays.append(time.time() - picture.arrival)

    def pipeline(stream: str) -> CameraPipeline:
        made = CameraPipeline(stream, settings[stream], CameraWatch(show.folder, FPS, gate=Gate(warm_up_s=0.0)), engine)
        outfit(made)
        return made

    crew = Crew(eyes, pipeline, judged, lambda error: None, decoders=2)
    began = time.time()
    counted_from = began + show.settle_s
    crew.start()
    try:
        before, cpu = 0, 0.0
        counting = False
        for due, ref in _plan(show.refs, cameras, show.settle_s + show.seconds, began, show.loop_s):
            time.sleep(max(0.0, due - time.time()))
            if not counting and due >= counted_from:
                counting, before, cpu = True, _left_out(crew), time.process_time()
            crew.inbox.offer(ref)
        time.sleep(min(1.0, show.seconds))
        used = time.process_time() - cpu
        left = _left_out(crew) - before
    finally:
        crew.stop()
    delays.sort()
    p95 = delays[int(len(delays) * 0.95)] if delays else None
    return {
        "cameras": cameras,
        "seconds": show.seconds,
        "pictures": len(delays),
        "left_out": left,
        "delay_p95_ms": round(p95 * 1000) if p95 is not None else None,
        "cores_used": round(used / (time.time() - counted_from), 3),
        "sustained": left == 0 and p95 is not None and p95 <= _LATE_S,
    }


def _left_out(crew: Crew) -> int:
    return sum(crew.dropped(stream) + station.skipped for stream, station in list(crew.stations.items()))


def _plan(
    refs: Sequence[ChunkRef], cameras: int, seconds: float, began: float, loop_s: float
) -> list[tuple[float, ChunkRef]]:
    """(when, chunk) for all cameras, each a key frame into the loop farther than the one before."""
    keys = [index for index, ref in enumerate(refs) if ref.key and ref.stream_time < loop_s * TIMESCALE]
    plan = []
    for number in range(cameras):
        first = keys[number % len(keys)]
        origin = refs[first].stream_time
        shift = number * 0.037 % 2.0
        for ref in refs[first:]:
            start = (ref.stream_time - origin) / TIMESCALE
            due = began + shift + start + ref.duration / TIMESCALE
            if due > began + seconds:
                break
            # A chunk is there when its last frame is; that is when its pictures begin to be late.
            told = replace(ref, camera=f"cam-{number}", arrival=due, arrivals=(0,) * len(ref.sizes), wall=due)
            plan.append((due, told))
    return sorted(plan, key=lambda item: item[0])

"""Several scenes at once, each in its own process."""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from perishield.evaluation.scenes.encode import Clip, cached
from perishield.evaluation.scenes.scene import Scene

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

_reports: list[Queue[tuple[str, float]]] = []


def _start(reports: Queue[tuple[str, float]]) -> None:
    _reports.append(reports)


def _work(scene: Scene, folder: Path) -> Clip:
    return cached(scene, folder, lambda share: _reports[0].put((scene.name, share)))


def cached_all(
    scenes: Sequence[Scene], folder: Path, progress: Callable[[str, float], None] | None = None
) -> tuple[Clip, ...]:
    """`cached` for each scene, in parallel as far as there are cores. Blocks; `progress` gets (scene name, 0..1)."""
    context = multiprocessing.get_context("spawn")
    reports = cast("Queue[tuple[str, float]]", context.Queue())
    workers = max(1, min(len(scenes), len(os.sched_getaffinity(0))))
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(reports,)) as pool:
        running: list[Future[Clip]] = [pool.submit(_work, scene, folder) for scene in scenes]
        while not all(future.done() for future in running):
            try:
                name, share = reports.get(timeout=0.2)
            except queue.Empty:
                continue
            if progress is not None:
                progress(name, share)
        clips = tuple(future.result() for future in running)
    if progress is not None:
        for clip in clips:
            progress(clip.scene, 1.0)
    return clips

"""Keeps the vision process to its tasks: who is on duty, the models that they need, and how they stand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.analysis.duties import Duty, Roster
from perishield.bus import LocalBus, topics
from perishield.bus.topics import DetectorState, TasksDo
from perishield.log import Log
from perishield.model.errors import ModelError
from perishield.model.media import ChunkRef
from perishield.model.site import Site
from perishield.model.task_state import TaskCondition, TaskState
from perishield.model.tasks import Task
from perishield.model.vision import MOTION
from perishield.streams.layout import main_camera

if TYPE_CHECKING:
    from perishield.roles.vision_worker import VisionWorker
    from perishield.vision.detector import Detector

log = Log("vision")

MOST_MODELS = 4
"""Models in memory beside the site's."""
_TELL_EVERY_S = 1.0
_SOON_S = 0.05
"""For whom watches to take up new duties: what is told of them holds already."""
_SILENT_S = 5.0
"""A camera of which nothing was heard for so long gives no stream."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """`stamp`: of the model's file; another one is tried anew."""

    error: ModelError
    stamp: tuple[int, int]


class VisionTasks:
    """Used by the event loop's thread.

    `load` makes a detector of a model's name and blocks; `site` says what the site's detector is.
    """

    def __init__(
        self,
        models_dir: Path,
        bus: LocalBus,
        load: Callable[[str], Detector],
        site: Callable[[], DetectorState],
    ) -> None:
        self._models_dir = models_dir
        self._bus = bus
        self._load = load
        self._site_detector = site
        self._site: Site | None = None
        self._roster = Roster()
        self._duties: dict[str, Duty] = {}
        self._loaded: dict[str, Detector] = {}
        self._failed: dict[str, _Failed] = {}
        self._heard: dict[str, float] = {}
        self._since: dict[str, tuple[TaskCondition, float]] = {}
        self._pictures: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        self._changed = asyncio.Event()

    def heard(self, ref: ChunkRef) -> None:
        """A chunk of a camera came."""
        self._heard[main_camera(ref.camera)] = time.monotonic()

    def follow(self, site: Site, worker: VisionWorker) -> None:
        """This is the site now: it counts at once."""
        self._site = site
        self._roster.follow(site)
        self._duties = self._roster.on_duty(time.time())
        worker.follow(site, self._duties)
        self._changed.set()

    def failed(self, model: str, error: ModelError) -> None:
        """A task's model failed while it looked."""
        self._loaded.pop(model, None)
        self._failed[model] = _Failed(error, self._stamp(model))
        self._changed.set()

    async def run(self, worker: VisionWorker) -> None:
        """Until cancelled: change duties by the clock, make models ready, tell how tasks stand."""
        loading: asyncio.Task[None] | None = None
        try:
            while True:
                pause = _TELL_EVERY_S if self._site is None or worker.follows(self._duties) else _SOON_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), pause)
                self._changed.clear()
                self._change_duties(worker)
                self._release(worker)
                if loading is None or loading.done():
                    model = self._next_model()
                    loading = asyncio.create_task(self._make_ready(model, worker)) if model else None
                self._count(worker)
                if worker.follows(self._duties):
                    self._tell()
        finally:
            if loading is not None:
                loading.cancel()

    def _change_duties(self, worker: VisionWorker) -> None:
        """Have the clock's changes of duty count."""
        if self._site is None:
            return
        duties = self._roster.on_duty(time.time())
        if duties != self._duties:
            self._duties = duties
            worker.follow(self._site, duties)
            log.info("tasks.changed", on_duty=sum(duty.task is not None for duty in duties.values()))

    def _wanted(self) -> set[str]:
        """Models that are needed now beside the site's."""
        own = self._site_detector().model.removesuffix(".onnx")
        named = {duty.task.model for duty in self._duties.values() if duty.task is not None}
        return named - {"", own}

    def _release(self, worker: VisionWorker) -> None:
        for model in self._loaded.keys() - self._wanted():
            del self._loaded[model]
            worker.give_back(model)
            log.info("tasks.model_released", model=model)

    def _next_model(self) -> str:
        """The next one to make ready, or empty."""
        for model in sorted(self._wanted() - self._loaded.keys()):
            known = self._failed.get(model)
            if known is not None and known.error.code != "model_crowded" and known.stamp == self._stamp(model):
                continue
            if len(self._loaded) < MOST_MODELS:
                return model
            crowded = ModelError(
                f"model {model}: {MOST_MODELS} others are in memory beside the site's; let tasks share a model, or "
                "give them other hours",
                code="model_crowded",
            )
            self._failed[model] = _Failed(crowded, self._stamp(model))
        return ""

    async def _make_ready(self, model: str, worker: VisionWorker) -> None:
        stamp = self._stamp(model)
        try:
            detector = await asyncio.to_thread(self._load, model)
        except ModelError as error:
            log.error("tasks.model_failed", model=model, code=error.code, message=error.message)
            self._failed[model] = _Failed(error, stamp)
        except Exception as error:
            log.exception("tasks.model_failed", model=model)
            self._failed[model] = _Failed(ModelError(f"model {model}: {error}", code="model_corrupt"), stamp)
        else:
            self._failed.pop(model, None)
            self._loaded[model] = detector
            worker.lend(model, detector)
            log.info("tasks.model_ready", model=model, provider=str(getattr(detector, "provider", "")))
        self._changed.set()

    def _count(self, worker: VisionWorker) -> None:
        """Add to each task what was analysed for it since the last time."""
        total: dict[str, int] = {}
        for state in worker.states():
            camera = main_camera(state.camera)
            total[camera] = total.get(camera, 0) + state.pictures
        for camera, duty in self._duties.items():
            fresh = total.get(camera, 0) - self._counted.get(camera, 0)
            if duty.task is not None and fresh > 0:
                self._pictures[duty.task.id] = self._pictures.get(duty.task.id, 0) + fresh
        self._counted = total

    def _tell(self) -> None:
        if self._site is None:
            return
        now = time.time()
        found = self._roster.conditions(self._duties, now)
        states = tuple(self._state(task, *found[task.id], now) for task in self._roster.tasks)
        self._since = {state.task: (state.condition, state.since) for state in states}
        self._pictures = {task: count for task, count in self._pictures.items() if task in found}
        self._bus.publish(topics.TASKS, "", TasksDo(revision=self._roster.revision, states=states))

    def _state(self, task: Task, condition: TaskCondition, first: str, now: float) -> TaskState:
        model = provider = code = message = ""
        if condition is TaskCondition.RUNNING:
            site = self._site_detector()
            own = task.model in ("", site.model.removesuffix(".onnx"))
            detector = None if own else self._loaded.get(task.model)
            failed = None if own else self._failed.get(task.model)
            if detector is not None:
                model, provider = detector.model.removesuffix(".onnx") or MOTION, str(getattr(detector, "provider", ""))
            else:
                model, provider = site.model.removesuffix(".onnx") or site.name, site.provider
            if own and site.code:
                condition, code, message = TaskCondition.FAILED, site.code, site.message
            elif not own and detector is None and failed is not None:
                condition, code = TaskCondition.FAILED, failed.error.code
                message = f"{failed.error.message}. What the site uses sees meanwhile."
            elif not own and detector is None:
                condition = TaskCondition.LOADING
            elif time.monotonic() - self._heard.get(task.camera, float("-inf")) > _SILENT_S:
                condition = TaskCondition.WAITING
        before = self._since.get(task.id)
        return TaskState(
            task=task.id,
            condition=condition,
            since=before[1] if before is not None and before[0] is condition else now,
            model=model,
            provider=provider,
            pictures=self._pictures.get(task.id, 0),
            code=code,
            message=message,
            first=first,
        )

    def _stamp(self, model: str) -> tuple[int, int]:
        try:
            status = (self._models_dir / f"{model}.onnx").stat()
        except (OSError, ValueError):
            return 0, 0
        return status.st_mtime_ns, status.st_ino

"""Who looks at which camera at a moment: cameras, tasks and their schedules put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from perishield.log import Log
from perishield.model.site import Camera, Site
from perishield.model.task_state import TaskCondition
from perishield.model.tasks import Task
from perishield.rules.timetable import Timetable

log = Log("vision")


@dataclass(frozen=True, slots=True)
class Duty:
    """How one camera is looked at. `camera` has the analysis that counts; `task` None: that of its own settings.

    `resting`: it has tasks, none of which is on duty; its health alone is watched.
    """

    camera: Camera
    task: Task | None = None
    resting: bool = False


class Roster:
    """The tasks of a site. Used by one thread."""

    def __init__(self) -> None:
        self.revision = 0
        self.tasks: tuple[Task, ...] = ()
        self._cameras: tuple[Camera, ...] = ()
        self._by_camera: dict[str, list[Task]] = {}
        self._timetables: dict[str, Timetable] = {}

    def follow(self, site: Site) -> None:
        """These are the cameras and tasks now. A task that cannot be read is logged and left out."""
        tasks = []
        timetables = {}
        for data in site.tasks:
            try:
                task = msgspec.convert(data, Task)
                if task.schedule is not None:
                    timetables[task.id] = Timetable(task.schedule)
            except (msgspec.ValidationError, KeyError, ValueError, OSError) as error:
                log.error("task.refused", task=str(data.get("id", "")), message=str(error))
                continue
            tasks.append(task)
        self.revision, self.tasks, self._cameras = site.revision, tuple(tasks), site.cameras
        self._timetables = timetables
        self._by_camera = {}
        for task in sorted(tasks, key=lambda one: (-one.priority, one.id)):
            self._by_camera.setdefault(task.camera, []).append(task)

    def on_duty(self, wall: float) -> dict[str, Duty]:
        """By camera; those that nobody looks at are missing. `wall`: Unix seconds."""
        found = {}
        for camera in self._cameras:
            if not _on(camera):
                continue
            tasks = self._by_camera.get(camera.id)
            if tasks is None:
                found[camera.id] = Duty(camera)
                continue
            task = self._first(tasks, wall)
            if task is not None:
                found[camera.id] = Duty(_as_told(camera, task), task)
            elif camera.analysis.health.enabled:
                found[camera.id] = Duty(camera, resting=True)
        return found

    def conditions(self, duties: Mapping[str, Duty], wall: float) -> dict[str, tuple[TaskCondition, str]]:
        """How each task stands by the roster alone, and the id of the one that goes first; `running`: on duty."""
        on = {camera.id for camera in self._cameras if _on(camera)}
        found = {}
        for task in self.tasks:
            duty = duties.get(task.camera)
            first = duty.task.id if duty is not None and duty.task is not None else ""
            if not task.started:
                found[task.id] = (TaskCondition.STOPPED, "")
            elif task.camera not in on:
                found[task.id] = (TaskCondition.CAMERA_OFF, "")
            elif first == task.id:
                found[task.id] = (TaskCondition.RUNNING, "")
            elif not self._watches(task, wall):
                found[task.id] = (TaskCondition.OFF_SCHEDULE, "")
            else:
                found[task.id] = (TaskCondition.STANDBY, first)
        return found

    def _first(self, tasks: list[Task], wall: float) -> Task | None:
        return next((task for task in tasks if task.started and self._watches(task, wall)), None)

    def _watches(self, task: Task, wall: float) -> bool:
        timetable = self._timetables.get(task.id)
        return timetable is None or timetable.watches(wall)


def _on(camera: Camera) -> bool:
    return camera.enabled and camera.analysis.enabled


def _as_told(camera: Camera, task: Task) -> Camera:
    """The camera with what the task says of its analysis."""
    analysis = camera.analysis
    if task.fps is not None:
        analysis = replace(analysis, fps=task.fps)
    if task.min_score is not None:
        analysis = replace(analysis, min_score=task.min_score)
    return camera if analysis is camera.analysis else replace(camera, analysis=analysis)

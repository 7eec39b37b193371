"""How tasks stand, as this process has heard: the live state of each, told to listeners when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from perishield.api.push import Push
from perishield.api.registry import Processes, Streams
from perishield.api.site import SitePublisher
from perishield.api.task_out import TaskStateOut, state_out
from perishield.bus.topics import TasksDo
from perishield.model.media import StreamCondition
from perishield.model.task_state import TaskCondition, TaskState
from perishield.model.tasks import Task

SILENT_S = 5.0
"""The vision process tells every second; silence for so long means that it does not look."""


class TaskBook:
    """Call from the event loop. `clock`: monotonic seconds."""

    def __init__(
        self,
        site: SitePublisher,
        streams: Streams,
        processes: Processes,
        push: Push,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._streams = streams
        self._processes = processes
        self._push = push
        self._clock = clock
        self._heard = clock()
        self._revision = -1
        self._states: dict[str, TaskState] = {}

    def report(self, told: TasksDo) -> None:
        before = self._states
        self._heard, self._revision = self._clock(), told.revision
        self._states = {state.task: state for state in told.states}
        changed = {
            state.task
            for state in told.states
            if (known := before.get(state.task)) is None or _shown(known) != _shown(state)
        }
        for data in self._site.site.tasks if changed else ():
            if data["id"] in changed:
                task = msgspec.convert(data, Task)
                self._push.send("streams", task.camera, lambda task=task: self._message(task))  # type: ignore[misc]

    def state(self, task: Task) -> TaskState:
        """As of now. `pending` until the vision process has taken up the site as it was last published."""
        pending = TaskState(task=task.id, condition=TaskCondition.PENDING, since=self._site.published)
        state = self._states.get(task.id)
        if self._clock() - self._heard > SILENT_S:
            detector = self._processes.detector_state()
            return replace(
                pending,
                condition=TaskCondition.FAILED,
                since=state.since if state is not None else self._site.published,
                code=(detector.code if detector is not None else "") or "vision_silent",
                message=(detector.message if detector is not None and detector.code else "")
                or f"the vision process has said nothing for {SILENT_S:g} s; it is started again when it died",
            )
        if state is None or self._revision < self._site.site.revision:
            return pending
        if state.condition is TaskCondition.WAITING:
            stream = self._streams.get(task.camera)
            if stream is not None and stream.condition is not StreamCondition.LIVE:
                return replace(state, code=stream.code, message=stream.message)
        return state

    def out(self, task: Task) -> TaskStateOut:
        return state_out(self.state(task))

    def _message(self, task: Task) -> dict[str, Any]:
        return {"type": "task", "data": {"id": task.id, "camera": task.camera, "state": self.out(task)}}


def _shown(state: TaskState) -> tuple[object, ...]:
    """What listeners are told of at once; pictures are counted all the time."""
    return state.condition, state.model, state.code, state.first

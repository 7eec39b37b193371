"""How things are right now: streams, processes, detector. Fed by the bus, kept in memory, told when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from perishield.api.outputs import StreamOut, process_out, stream_out
from perishield.api.push import Push
from perishield.bus.topics import DetectorState, ProcessState
from perishield.model.media import StreamCondition, StreamState
from perishield.model.site import Camera

STALE_S = 15.0
"""Ingest reports every few seconds; silence for this long means that nobody reads the cameras."""


class Streams:
    """The last state of every camera's stream."""

    def __init__(self, push: Push, clock: Callable[[], float] = time.time) -> None:
        self._push = push
        self._clock = clock
        self._cameras: dict[str, tuple[Camera, float]] = {}
        self._reported: dict[str, tuple[StreamState, float]] = {}
        self._stale: set[str] = set()

    def set_cameras(self, cameras: Iterable[Camera]) -> None:
        """The cameras that there are; states of others are forgotten."""
        now = self._clock()
        before = self._cameras
        self._cameras = {}
        for camera in cameras:
            known = before.get(camera.id)
            same = known is not None and known[0].enabled == camera.enabled
            self._cameras[camera.id] = (camera, known[1] if known is not None and same else now)
        self._reported = {name: report for name, report in self._reported.items() if name in self._cameras}
        self._stale &= self._cameras.keys()
        for name in self._cameras:
            if name not in before or before[name][0].enabled != self._cameras[name][0].enabled:
                self._tell(name)

    def report(self, state: StreamState) -> None:
        if state.camera in self._cameras:
            self._reported[state.camera] = (state, self._clock())
            self._stale.discard(state.camera)
            self._tell(state.camera)

    def check_stale(self) -> None:
        """Tell of streams that fell silent; call about once a second."""
        for camera in self._cameras:
            if camera not in self._stale and self._is_silent(camera):
                self._stale.add(camera)
                self._tell(camera)

    def known(self, camera: str) -> bool:
        return camera in self._cameras

    def get(self, camera: str) -> StreamState | None:
        """The stream's state as of now, or None where there is no such camera."""
        entry = self._cameras.get(camera)
        if entry is None:
            return None
        settings, since = entry
        if not settings.enabled:
            return StreamState(camera=camera, condition=StreamCondition.OFF, since=since)
        if self._is_silent(camera):
            heard = self._reported[camera][1] if camera in self._reported else since
            return StreamState(
                camera=camera,
                condition=StreamCondition.FAILED,
                since=heard,
                code="ingest_silent",
                message=f"camera {camera!r}: the ingest process has said nothing for {STALE_S:g} s; "
                "it is started again when it died, its log says why",
            )
        report = self._reported.get(camera)
        if report is None:
            return StreamState(camera=camera, condition=StreamCondition.CONNECTING, since=since)
        return report[0]

    def out(self, camera: str) -> StreamOut | None:
        state = self.get(camera)
        return stream_out(state) if state else None

    def states(self) -> list[StreamState]:
        """Of every camera, as of now."""
        return [state for camera in self._cameras if (state := self.get(camera))]

    def all(self) -> list[StreamOut]:
        return [out for camera in self._cameras if (out := self.out(camera))]

    def _is_silent(self, camera: str) -> bool:
        settings, since = self._cameras[camera]
        heard = self._reported[camera][1] if camera in self._reported else since
        return settings.enabled and self._clock() - max(heard, since) > STALE_S

    def _tell(self, camera: str) -> None:
        self._push.send("streams", camera, lambda: {"type": "stream", "data": self.out(camera)})


class Processes:
    """The node's processes as its supervisor tells them, and what the vision process sees with."""

    def __init__(self, push: Push) -> None:
        self._push = push
        self._states: dict[str, ProcessState] = {}
        self.detector: DetectorState | None = None

    def report(self, state: ProcessState) -> None:
        before = self._states.get(state.name)
        self._states[state.name] = state
        if before != state:
            self._push.send("processes", "", lambda: {"type": "process", "data": process_out(state)})

    def all(self) -> list[ProcessState]:
        return [self._states[name] for name in sorted(self._states)]

    def detector_state(self) -> DetectorState | None:
        """What the detector last said, unless its process is down."""
        vision = self._states.get("vision")
        if vision is not None and vision.state != "running":
            return DetectorState(
                name="", code="vision_down", message=f"the vision process is {vision.state}: {vision.message}"
            )
        return self.detector

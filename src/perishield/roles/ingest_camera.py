"""One camera of the ingest process: its recorded stream, its smaller one for analysis, its state, its account."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from perishield.model.errors import StorageError
from perishield.model.media import ChunkRef, SegmentRow, StreamCondition, StreamState
from perishield.model.site import Camera
from perishield.roles.ingest_account import CameraAccount, Told
from perishield.roles.ingest_stream import Outlets, StreamIngest, Workshop
from perishield.streams.layout import POOL, RECORDINGS, detect_stream
from perishield.streams.policy import Schedule

_TELL_FIRST_S = 1.0
_TELL_EVERY_S = 5.5


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what a camera does."""

    on_chunk: Callable[[ChunkRef], None]
    on_segment: Callable[[SegmentRow], None]
    on_state: Callable[[StreamState], None]


class CameraIngest:
    """Runs from `start` to `stop`. `tick` must be called about once a second, and that of the chunkers of its `streams`
    several times.
    """

    def __init__(self, camera: Camera, workshop: Workshop, listeners: Listeners, journal: Told) -> None:
        self.camera = camera
        self._workshop = workshop
        self._listeners = listeners
        self._schedule = Schedule(camera.recording)
        self._account = CameraAccount(journal, camera.id, self._withheld)
        self._watched_until = 0.0
        self._closely_until = 0.0
        self._fault: StorageError | None = None
        self._state = StreamState(camera=camera.id, condition=StreamCondition.OFF, since=time.time())
        self._told = 0.0
        # Listeners join after us: what they missed is repeated soon, and then now and then.
        self._tell_again_s = _TELL_FIRST_S
        self._main = StreamIngest(
            camera, workshop, Outlets(self._on_chunk, listeners.on_segment, self._on_state, self._on_fault, self._pool)
        )
        self._detect = self._detect_stream() if camera.analysis.enabled and camera.detect_url else None
        self._detecting = False

    def start(self, delay_s: float) -> None:
        """Connect after `delay_s`, so that many cameras do not begin at once."""
        if not self.camera.enabled:
            self._account.disabled()
            self._tell(self._state)
            return
        self._set_delay()
        self._main.start(delay_s)
        if self._detect is not None:
            self._detect.start(delay_s)

    async def stop(self, *, retired: bool = False) -> None:
        """Disconnect, write what waits, end the segment. `retired`: the camera was removed or switched off."""
        await self._main.stop()
        if self._detect is not None:
            await self._detect.stop()
        if retired:
            self._account.disabled()
        self._tell(StreamState(camera=self.camera.id, condition=StreamCondition.OFF, since=time.time()))

    def update(self, camera: Camera) -> bool:
        """Take in changed settings; False where they need a new connection instead."""
        old = self.camera
        if _connection(old) != _connection(camera):
            return False
        self.camera = camera
        if camera.recording != old.recording:
            self._schedule = Schedule(camera.recording)
            self._main.set_priority(camera.recording.priority)
            self._tell(self._state)
        self._set_delay()
        return True

    def watch(self, until: float, *, closely: bool = False) -> None:
        """Somebody looks until then (Unix seconds): low delay; `closely`: every picture by itself."""
        until = min(until, time.time() + 60.0)
        self._watched_until = max(self._watched_until, until)
        if closely:
            self._closely_until = max(self._closely_until, until)
        self._set_delay()

    def tick(self, wall: float) -> None:
        """Let low delay end, repeat the state."""
        if self._watched_until and wall >= self._watched_until:
            self._watched_until = 0.0
            self._set_delay()
        if self._closely_until and wall >= self._closely_until:
            self._closely_until = 0.0
            self._set_delay()
        if not 0 <= wall - self._told < self._tell_again_s:
            self._tell_again_s = min(_TELL_EVERY_S, self._tell_again_s * 2)
            self._tell(self._state)

    @property
    def streams(self) -> tuple[StreamIngest, ...]:
        return (self._main,) if self._detect is None else (self._main, self._detect)

    def _detect_stream(self) -> StreamIngest:
        """Pictures for analysis only: always in the pool, without sound, and no footage in anybody's index."""
        camera = self.camera
        smaller = replace(camera, id=detect_stream(camera.id), url=camera.detect_url, detect_url="", audio=False)
        return StreamIngest(
            smaller,
            self._workshop,
            Outlets(
                self._listeners.on_chunk, lambda row: None, self._on_detect_state, lambda fault: None, lambda wall: POOL
            ),
        )

    def _withheld(self, wall: float) -> str:
        return self._schedule.withheld(wall)

    def _pool(self, wall: float) -> str:
        return POOL if self._schedule.withheld(wall) else RECORDINGS

    def _set_delay(self) -> None:
        analysed = self.camera.analysis.enabled
        # While the smaller stream does not come, the recorded one is analysed.
        watched = self._watched_until > 0 or (analysed and not self._detecting)
        self._main.set_low_delay(watched, closely=self._closely_until > 0)
        if self._detect is not None:
            self._detect.set_low_delay(analysed)

    def _on_chunk(self, chunk: ChunkRef) -> None:
        self._account.chunk(chunk)
        self._listeners.on_chunk(chunk)

    def _on_state(self, state: StreamState) -> None:
        self._account.stream(state)
        self._tell(state)

    def _on_detect_state(self, state: StreamState) -> None:
        live = state.condition is StreamCondition.LIVE
        if live != self._detecting:
            self._detecting = live
            self._set_delay()

    def _on_fault(self, error: StorageError | None) -> None:
        self._fault = error
        self._account.storage(error)
        self._tell(self._state)

    def _tell(self, state: StreamState) -> None:
        self._state = state
        self._told = time.time()
        if state.condition is StreamCondition.LIVE:
            fault = self._fault
            state = replace(
                state,
                recording=not self._schedule.withheld(self._told) and fault is None,
                code=fault.code if fault else state.code,
                message=fault.message if fault else state.message,
            )
        self._listeners.on_state(state)


def _connection(camera: Camera) -> tuple[object, ...]:
    """Settings that only a new connection can follow."""
    return (
        camera.url,
        camera.username,
        camera.password,
        camera.enabled,
        camera.transport,
        camera.audio,
        camera.tls_fingerprint,
        camera.detect_url,
        bool(camera.detect_url) and camera.analysis.enabled,
    )

"""The thread that repairs what a crash left, and then deletes what may go, for ever.

It may hang in a disk that does, so nobody waits for it. Recovery and the ring are imported by it: cameras are connected
first.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.footage import Reason
from perishield.model.media import SegmentRow
from perishield.model.site import Camera
from perishield.streams.journal import Journal, forward_leaps
from perishield.streams.layout import RECORDINGS, main_camera
from perishield.streams.media_root import MediaRoot

if TYPE_CHECKING:
    from perishield.streams.ring import Limits, Ring

log = Log("ingest")

_EVERY_S = 2.0
_HEARD_AFTER_S = 1.5
_DAY_S = 86_400
_GIB = 1 << 30
_LEAPS_S = 40 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept, and for how long; ages of 0 and sizes of 0 keep without limit."""

    pool_s: float
    recordings_s: float
    recordings_bytes: int
    min_free_bytes: int
    when_full: Literal["overwrite", "stop"]


class FileKeeper:
    """Tends the files below `root`. Callbacks are called on the event loop."""

    def __init__(
        self,
        root: MediaRoot,
        data: Path,
        keeping: Keeping,
        journal: Journal,
        on_segment: Callable[[SegmentRow], None],
        on_removed: Callable[[str, str], None],
    ) -> None:
        self._root = root
        self._data = data
        self._keeping = keeping
        self._journal = journal
        self._on_segment = on_segment
        self._on_removed = on_removed
        self._loop = asyncio.get_running_loop()
        self._started = time.time()
        self._gone_at: dict[str, float] = {}
        self._cameras: tuple[Camera, ...] = ()
        self._finished: deque[SegmentRow] = deque(maxlen=10_000)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the turn at hand."""
        self._stopping.set()

    def follow(self, cameras: Iterable[Camera]) -> None:
        """Keep footage as these cameras' settings say from now on."""
        self._cameras = tuple(cameras)

    def finished(self, row: SegmentRow) -> None:
        """A segment was closed."""
        if self._keeping.recordings_bytes or any(camera.recording.keep_gib > 0 for camera in self._cameras):
            self._finished.append(row)

    def _run(self) -> None:
        ring: Ring | None = None
        while not self._stopping.is_set():
            try:
                self._watch_mounts()
                if ring is None:
                    self._repair(self._started)
                    ring = self._ring()
                else:
                    self._turn(ring)
            except Exception:
                log.exception("ingest.files_failed")
            self._stopping.wait(_EVERY_S)

    def _repair(self, before: float) -> None:
        from perishield.streams.recovery import recover

        rows = recover(Path(self._root.path), before)
        # Those who listen find this process again within half a second of its start, and miss what it says before.
        self._stopping.wait(max(0.0, self._started + _HEARD_AFTER_S - time.time()))
        for row in rows:
            if main_camera(row.camera) == row.camera:
                self._call(self._on_segment, row)

    def _ring(self) -> Ring:
        from perishield.streams.ages import Ages
        from perishield.streams.holds import Holds
        from perishield.streams.ring import Limits, Ring

        keeping = self._keeping
        return Ring(
            self._root,
            pool_s=keeping.pool_s,
            usual=Limits(age_s=keeping.recordings_s),
            min_free_bytes=keeping.min_free_bytes,
            total_bytes=keeping.recordings_bytes,
            when_full=keeping.when_full,
            holds=Holds(self._data / "holds.json"),
            ages=Ages(forward_leaps(self._data / "journal", time.time() - _LEAPS_S)),
            book=lambda camera, start, end: self._journal.span(camera, start, end, Reason.RETENTION, RECORDINGS),
        )

    def _turn(self, ring: Ring) -> None:
        ring.limits = {camera.id: self._limits(camera) for camera in self._cameras}
        while self._finished:
            row = self._finished.popleft()
            if row.pool == RECORDINGS:
                ring.added(row.camera, row.path, row.size)
        for camera, path in ring.turn(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)):
            if main_camera(camera) == camera:
                self._call(self._on_removed, camera, path)

    def _limits(self, camera: Camera) -> Limits:
        from perishield.streams.ring import Limits

        recording = camera.recording
        return Limits(
            age_s=recording.keep_days * _DAY_S if recording.keep_days > 0 else self._keeping.recordings_s,
            bytes=int(recording.keep_gib * _GIB),
        )

    def _watch_mounts(self) -> None:
        """Notice storage that went away, and repair what lay on it unfinished when it is back."""
        for pool, mount in self._root.mounts.items():
            try:
                mount.check()
            except (StorageError, OSError):
                self._gone_at.setdefault(pool, time.time())
            else:
                gone_at = self._gone_at.pop(pool, None)
                if gone_at is not None:
                    self._repair(gone_at)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

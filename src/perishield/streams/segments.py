"""One camera's segment files: which chunk goes into which file, and what is told of it.

Decisions only: files change at key frames, by length, format, pool and epoch; the first is shorter than the others by
a share of each camera's own. The writing itself is a matter of a
`Writing`, which answers later. A disk that refuses costs the camera its recording until it is tried again, never its
stream and never another camera.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from zlib import crc32

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, AudioFormat, Packet, SegmentRow, VideoFormat
from perishield.streams.disk_writer import Ending, Piece, Place, SegmentFile
from perishield.streams.layout import disk_full, overload
from perishield.streams.media_root import MediaRoot
from perishield.streams.write_queue import WriteAtOnce, Writing

__all__ = ["MediaRoot", "Place", "SegmentWriter"]

log = Log("streams")

_RETRY_S = 3.0
_STAGGERED_FROM_S: Final = 10.0
_SHORTEST_SHARE: Final = 0.2
_SLACK: Final = TIMESCALE // 10
"""A key frame this little before the segment's nominal end already begins the next one: cameras' clocks jitter."""


class SegmentWriter:
    """Has one camera's chunks appended to its segment files.

    `on_segment` gets every closed segment's row; `on_fault` gets the error when chunks cannot be kept, and None when
    writing works again. `pool` may be changed at any time; it takes effect at the next key frame. `choose_pool` is
    asked at every key frame, with its wall-clock time, and then sets it. `priority` counts when the disk cannot keep
    up. `low_delay`: a chunk is written as soon as it is there. `writing` is asked by pool; without it everything is
    written at once, in the calling thread.
    """

    def __init__(
        self,
        root: MediaRoot,
        camera: str,
        pool: str,
        segment_s: float,
        on_segment: Callable[[SegmentRow], None],
        on_fault: Callable[[StorageError | None], None],
        *,
        writing: Mapping[str, Writing] | None = None,
        choose_pool: Callable[[float], str] | None = None,
        priority: int = 0,
    ) -> None:
        self.root = root
        self.camera = camera
        self.pool = pool
        self.priority = priority
        self.low_delay = False
        self.fault: StorageError | None = None
        self._segment_ticks = int(segment_s * TIMESCALE) - _SLACK
        # Cameras that began together would all close and create their files at once, for ever: a disk stalls over that.
        share = _share_of(camera) if segment_s >= _STAGGERED_FROM_S else 1.0
        self._ticks = int(self._segment_ticks * share)
        self._on_segment = on_segment
        self._on_fault = on_fault
        self._choose_pool = choose_pool
        self._writing = writing
        self._at_once = WriteAtOnce(root)
        self._file: SegmentFile | None = None
        self._newest: SegmentFile | None = None
        """Begun since the last fault: what becomes of it tells whether the disk works."""
        self._queue: Writing = self._at_once
        self._retry_at = 0.0

    @property
    def audio(self) -> AudioFormat | None:
        """The sound of the open file; what else comes has no place in it."""
        return self._file.audio if self._file is not None else None

    @property
    def crowded(self) -> bool:
        """So much waits for the disk already that what can wait should."""
        return self._queue.crowded

    def begin(self, first: Packet, video: VideoFormat, epoch: int, audio: AudioFormat | None = None) -> int | None:
        """Make sure that there is a file for a chunk that begins with `first`; returns that file's start in ticks.

        None where the chunk cannot be kept: the disk refuses, or a file could only begin with a key frame.
        """
        file = self._file
        if first.key:
            file = self._file_for(first, video, epoch, audio)
        if file is None:
            return None
        if file.pool in self.root.full:
            self._fail(disk_full(self.camera, self.root.path))
            return None
        return file.start

    def _file_for(self, first: Packet, video: VideoFormat, epoch: int, audio: AudioFormat | None) -> SegmentFile | None:
        """The file that a key frame goes to: the open one or a new one, or None where there may be none."""
        if self._choose_pool is not None:
            self.pool = self._choose_pool(first.wall)
        file = self._file
        if (
            file is not None
            and first.dts - file.start < self._ticks
            and file.pool == self.pool
            and video is file.video
            and audio is file.audio
            and epoch == file.epoch
            and not self._gives_way(self._queue)
        ):
            return file
        if file is not None:
            self._ticks = self._segment_ticks
        self.close()
        if self.fault is not None and time.monotonic() < self._retry_at:
            return None
        queue = self._writing[self.pool] if self._writing is not None else self._at_once
        if self._gives_way(queue):
            self._fail(overload(self.camera, self.root.path))
            return None
        self._queue = queue
        self._file = self._newest = file = SegmentFile(self.camera, self.pool, epoch, video, audio, first)
        return file

    def _gives_way(self, queue: Writing) -> bool:
        return queue.floor is not None and self.priority < queue.floor

    def append(
        self,
        head: bytes,
        packets: Sequence[Packet],
        size: int,
        until: int,
        done: Callable[[Place | None], None],
    ) -> None:
        """Have a chunk of `size` bytes appended, its `head` included; `until` is the tick at which its last frame ends.

        To be called after `begin`. `done` hears where it went, or None where it could not be kept.
        """
        file = self._file
        if file is None:
            done(None)
        elif not self._queue.admits(size):
            self._fail(overload(self.camera, self.root.path))
            done(None)
        else:
            piece = Piece(file, head, packets, size, until, lambda piece: self._written(piece, done))
            self._queue.put(piece, at_once=self.low_delay)

    def close(self) -> None:
        """End the open segment and leave its sidecar."""
        file, self._file = self._file, None
        if file is not None:
            self._queue.put(Ending(file, self._ended), at_once=False)

    def _written(self, piece: Piece, done: Callable[[Place | None], None]) -> None:
        if piece.error is not None:
            if self._newest is piece.file:
                self._fail(piece.error)
        elif self.fault is not None and self._newest is piece.file:
            self.fault = None
            log.info("camera.storage_back", camera=self.camera)
            self._on_fault(None)
        done(piece.place)

    def _ended(self, ending: Ending) -> None:
        if ending.row is not None:
            self._on_segment(ending.row)

    def _fail(self, error: StorageError) -> None:
        self.close()
        self._newest = None
        self._retry_at = time.monotonic() + _RETRY_S
        if self.fault is None or self.fault.code != error.code:
            log.error("camera.storage_failed", camera=self.camera, code=error.code, message=error.message)
            self.fault = error
            self._on_fault(error)


def _share_of(camera: str) -> float:
    """How long a camera's first segment is, as a share of the others: another one for each, always the same."""
    return _SHORTEST_SHARE + (1 - _SHORTEST_SHARE) * (crc32(camera.encode()) % 1024) / 1024

"""One camera's segment files: chunks are appended, files change at key frames, a sidecar closes each.

Everything here is synchronous and short: what is written lands in the page cache. A disk that refuses costs the
camera its recording until it is tried again, never its stream and never another camera.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, AudioFormat, Packet, SegmentRow, VideoFormat
from perishield.streams.fmp4 import Origin, init_segment
from perishield.streams.layout import disk_full, hour_folder, storage_error, whole_second, write_all, write_sidecar

log = Log("streams")

_IOV_MAX = 1024
_RETRY_S = 3.0
_SLACK = TIMESCALE // 10
"""A key frame this little before the segment's nominal end already begins the next one: cameras' clocks jitter."""


class MediaRoot:
    """The folder that all cameras of this process write to. `full`: the free-space guard forbids writing."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.full = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk went; see ChunkRef."""

    path: str
    init_length: int
    offset: int
    length: int


class _File:
    """An open segment."""

    __slots__ = ("fd", "frames", "init_length", "keyframes", "path", "pool", "segment_time", "size", "until", "wall")

    def __init__(self, fd: int, path: str, pool: str, init_length: int, first: Packet) -> None:
        self.fd = fd
        self.path = path
        self.pool = pool
        self.init_length = init_length
        self.size = init_length
        self.segment_time = first.dts
        self.until = first.dts
        self.wall = first.wall
        self.frames = 0
        self.keyframes: list[tuple[int, int]] = []


class SegmentWriter:
    """Appends one camera's chunks to its segment files.

    `on_segment` gets every closed segment's row; `on_fault` gets the error when the disk refuses, and None when
    writing works again. `pool` may be changed at any time; it takes effect at the next key frame.
    """

    def __init__(
        self,
        root: MediaRoot,
        camera: str,
        pool: str,
        segment_s: float,
        on_segment: Callable[[SegmentRow], None],
        on_fault: Callable[[StorageError | None], None],
    ) -> None:
        self.root = root
        self.camera = camera
        self.pool = pool
        self.fault: StorageError | None = None
        self._segment_ticks = int(segment_s * TIMESCALE) - _SLACK
        self._on_segment = on_segment
        self._on_fault = on_fault
        self._file: _File | None = None
        self.audio: AudioFormat | None = None
        """The sound of the open file; what else comes has no place in it."""
        self._video: VideoFormat | None = None
        self._epoch = 0
        self._retry_at = 0.0
        self._unwritten: list[SegmentRow] = []

    def begin(self, first: Packet, video: VideoFormat, epoch: int, audio: AudioFormat | None = None) -> int | None:
        """Make sure that a file is open for a chunk that begins with `first`; returns that file's start in ticks.

        None where the chunk cannot be kept: the disk refuses, or a file could only begin with a key frame.
        """
        file = self._file
        if self.root.full:
            self._fail(disk_full(self.camera, self.root.path))
            return None
        if first.key and (
            file is None
            or first.dts - file.segment_time >= self._segment_ticks
            or file.pool != self.pool
            or video is not self._video
            or audio is not self.audio
            or epoch != self._epoch
        ):
            self.close()
            try:
                file = self._open(first, video, epoch, audio)
            except OSError as error:
                self._fail(storage_error(self.camera, self.root.path, error))
                return None
        return file.segment_time if file is not None else None

    def append(self, head: bytes, packets: Sequence[Packet], size: int, until: int) -> Place | None:
        """Append a chunk of `size` bytes, its `head` included; `until` is the tick at which its last frame ends.

        To be called after `begin`. None where the disk refuses.
        """
        file = self._file
        if file is None:
            return None
        try:
            self._write(file, head, packets, size)
        except OSError as error:
            self._fail(storage_error(self.camera, self.root.path, error))
            return None
        first, offset = packets[0], file.size
        file.size += size
        file.frames += len(packets)
        file.until = until
        if first.key:
            file.keyframes.append((first.dts - file.segment_time, offset))
        return Place(file.path, file.init_length, offset, size)

    def close(self) -> None:
        """End the open segment and leave its sidecar. Errors are reported, not raised."""
        file, video = self._file, self._video
        if file is None or video is None:
            return
        self._file = None
        try:
            os.close(file.fd)
        except OSError as error:
            log.warning("segment.close_failed", camera=self.camera, path=file.path, message=str(error))
        if file.frames == 0:
            self._forget(file)
            return
        row = SegmentRow(
            camera=self.camera,
            pool=file.pool,
            path=file.path,
            epoch=self._epoch,
            start=file.wall,
            duration=(file.until - file.segment_time) / TIMESCALE,
            size=file.size,
            frames=file.frames,
            stream_time=file.segment_time,
            codec=video.codec.value,
            mime=video.mime,
            width=video.width,
            height=video.height,
            init_length=file.init_length,
            keyframes=tuple(file.keyframes),
            complete=True,
            audio=self.audio.codec.value if self.audio else "",
        )
        self._leave_sidecar(row)
        self._on_segment(row)

    def _open(self, first: Packet, video: VideoFormat, epoch: int, audio: AudioFormat | None) -> _File | None:
        if self.fault is not None and time.monotonic() < self._retry_at:
            return None
        init = init_segment(video, Origin(epoch, first.dts, first.wall), audio)
        fd, path = self._create(hour_folder(self.pool, self.camera, first.wall), whole_second(first.wall))
        file = _File(fd, path, self.pool, len(init), first)
        self._file, self._video, self._epoch, self.audio = file, video, epoch, audio
        write_all(fd, init)
        if self.fault is not None:
            self.fault = None
            log.info("camera.storage_back", camera=self.camera)
            self._on_fault(None)
        while self._unwritten:
            write_sidecar(self.root.path, self._unwritten[-1])
            self._unwritten.pop()
        return file

    def _create(self, folder: str, second: int) -> tuple[int, str]:
        number = 0
        attempts = 0
        while True:
            path = f"{folder}/{second}-{number}.mp4" if number else f"{folder}/{second}.mp4"
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                return os.open(f"{self.root.path}/{path}", flags, 0o640), path
            except FileExistsError:
                number += 1
            except FileNotFoundError:
                attempts += 1
                if attempts > 8:
                    raise
                # Also when retention removed the empty folder between our making it and opening the file.
                os.makedirs(f"{self.root.path}/{folder}", mode=0o750, exist_ok=True)  # noqa: PTH103

    def _write(self, file: _File, head: bytes, packets: Sequence[Packet], size: int) -> None:
        slices = [head]
        for packet in packets:
            slices += packet.data
        if len(slices) > _IOV_MAX:
            slices = [b"".join(slices)]
        written = os.writev(file.fd, slices)
        if written < size:
            write_all(file.fd, memoryview(b"".join(slices))[written:])

    def _fail(self, error: StorageError) -> None:
        file = self._file
        if file is not None:
            try:
                os.ftruncate(file.fd, file.size if file.frames else 0)
            except OSError as second:
                log.warning("segment.truncate_failed", camera=self.camera, path=file.path, message=str(second))
            self.close()
        self._retry_at = time.monotonic() + _RETRY_S
        if self.fault is None or self.fault.code != error.code:
            log.error("camera.storage_failed", camera=self.camera, code=error.code, message=error.message)
            self.fault = error
            self._on_fault(error)

    def _forget(self, file: _File) -> None:
        try:
            os.unlink(f"{self.root.path}/{file.path}")  # noqa: PTH108
        except OSError as error:
            log.warning("segment.unlink_failed", camera=self.camera, path=file.path, message=str(error))

    def _leave_sidecar(self, row: SegmentRow) -> None:
        try:
            write_sidecar(self.root.path, row)
        except OSError as error:
            # The file tells its own story until the disk takes the sidecar: at the next success, or at the next start.
            log.warning("segment.sidecar_failed", camera=self.camera, path=row.path, message=str(error))
            self._unwritten = [*self._unwritten[-15:], row]

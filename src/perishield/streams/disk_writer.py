"""What is done to segment files: opened with their first chunk, appended to, closed with a sidecar.

Everything here blocks on the disk and is called by one thread at a time (`write_queue`). What is written lands in the
page cache; `durability` sees to the rest. A file that a write failed on is cut back to its last whole chunk, closed and
never written to again.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, AudioFormat, Packet, SegmentRow, VideoFormat
from perishield.streams.fmp4 import Origin, init_segment
from perishield.streams.layout import hour_folder, storage_error, whole_second, write_all, write_sidecar
from perishield.streams.media_root import MediaRoot

log = Log("streams")

_IOV_MAX: Final = 1024
_MOST_UNWRITTEN: Final = 512
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk went; see ChunkRef."""

    path: str
    init_length: int
    offset: int
    length: int


class SegmentFile:
    """A segment being written. The first six fields say what it shall be; the others belong to the writing thread."""

    __slots__ = (
        "audio",
        "camera",
        "epoch",
        "error",
        "fd",
        "first",
        "frames",
        "init_length",
        "keyframes",
        "path",
        "pool",
        "size",
        "start",
        "until",
        "video",
        "wall",
    )

    def __init__(
        self, camera: str, pool: str, epoch: int, video: VideoFormat, audio: AudioFormat | None, first: Packet
    ) -> None:
        self.camera = camera
        self.pool = pool
        self.epoch = epoch
        self.video = video
        self.audio = audio
        self.start = first.dts
        self.wall = first.wall
        self.path = ""
        self.fd = -1
        self.init_length = 0
        self.size = 0
        self.until = first.dts
        self.frames = 0
        self.keyframes: list[tuple[int, int]] = []
        self.error: StorageError | None = None


class Piece:
    """A chunk to be appended: `head` and then the packets' bytes, `size` in all; `until` is the tick at which it ends.

    Afterwards either `place` or `error` is set.
    """

    __slots__ = ("done", "error", "file", "head", "packets", "place", "size", "until")

    def __init__(
        self,
        file: SegmentFile,
        head: bytes,
        packets: Sequence[Packet],
        size: int,
        until: int,
        done: Callable[[Piece], None],
    ) -> None:
        self.file = file
        self.head = head
        self.packets = packets
        self.size = size
        self.until = until
        self.done = done
        self.place: Place | None = None
        self.error: StorageError | None = None


class Ending:
    """A file to be closed. Afterwards `row` describes it, or is None where it holds nothing."""

    __slots__ = ("done", "file", "row", "size")

    def __init__(self, file: SegmentFile, done: Callable[[Ending], None]) -> None:
        self.file = file
        self.size = 0
        self.done = done
        self.row: SegmentRow | None = None


class DiskWriter:
    """Carries out orders for the files of one media root."""

    def __init__(self, root: MediaRoot) -> None:
        self.root = root
        self._unwritten: deque[SegmentRow] = deque(maxlen=_MOST_UNWRITTEN)

    def write(self, piece: Piece) -> None:
        """Append; a disk that refuses costs this chunk and its file."""
        file = piece.file
        if file.error is None:
            try:
                if file.fd < 0:
                    self._open(file, piece.packets[0])
                self._append(file, piece)
            except StorageError as error:
                self._give_up(file, error)
            except OSError as error:
                self._give_up(file, storage_error(file.camera, self.root.path, error))
        piece.error = file.error
        piece.head, piece.packets = b"", ()

    def end(self, ending: Ending) -> None:
        """Close and describe. Errors are logged."""
        file = ending.file
        if file.path:
            self._close(file)
            if not file.frames:
                self._forget(file)
            else:
                ending.row = _row(file)
                self._leave_sidecar(ending.row)

    def _open(self, file: SegmentFile, first: Packet) -> None:
        mount = self.root.mounts.get(file.pool)
        if mount is not None:
            mount.check()
        init = init_segment(file.video, Origin(file.epoch, first.dts, first.wall), file.audio)
        self._create(file, hour_folder(file.pool, file.camera, first.wall), whole_second(first.wall))
        if mount is not None and not mount.belongs(file.fd):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        write_all(file.fd, init)
        file.init_length = file.size = len(init)
        while self._unwritten:
            write_sidecar(self.root.path, self._unwritten[-1])
            self._unwritten.pop()

    def _create(self, file: SegmentFile, folder: str, second: int) -> None:
        number = attempts = 0
        while True:
            path = f"{folder}/{second}-{number}.mp4" if number else f"{folder}/{second}.mp4"
            try:
                file.fd = os.open(f"{self.root.path}/{path}", _FLAGS, 0o640)
            except FileExistsError:
                number += 1
            except FileNotFoundError:
                attempts += 1
                if attempts > 8:
                    raise
                # Also when retention removed the empty folder between our making it and opening the file.
                os.makedirs(f"{self.root.path}/{folder}", mode=0o750, exist_ok=True)  # noqa: PTH103
            else:
                file.path = path
                return

    def _append(self, file: SegmentFile, piece: Piece) -> None:
        slices = [piece.head]
        packets = piece.packets
        for packet in packets:
            slices += packet.data
        if len(slices) > _IOV_MAX:
            slices = [b"".join(slices)]
        size = piece.size
        written = os.writev(file.fd, slices)
        if written < size:
            write_all(file.fd, memoryview(b"".join(slices))[written:])
        first, offset = packets[0], file.size
        file.size = offset + size
        file.frames += len(packets)
        file.until = piece.until
        if first.key:
            file.keyframes.append((first.dts - file.start, offset))
        piece.place = Place(file.path, file.init_length, offset, size)

    def _give_up(self, file: SegmentFile, error: StorageError) -> None:
        file.error = error
        if file.fd >= 0:
            try:
                os.ftruncate(file.fd, file.size if file.frames else 0)
            except OSError as second:
                log.warning("segment.truncate_failed", camera=file.camera, path=file.path, message=str(second))
            self._close(file)

    def _close(self, file: SegmentFile) -> None:
        fd, file.fd = file.fd, -1
        try:
            if fd >= 0:
                os.close(fd)
        except OSError as error:
            log.warning("segment.close_failed", camera=file.camera, path=file.path, message=str(error))

    def _forget(self, file: SegmentFile) -> None:
        try:
            os.unlink(f"{self.root.path}/{file.path}")  # noqa: PTH108
        except OSError as error:
            log.warning("segment.unlink_failed", camera=file.camera, path=file.path, message=str(error))

    def _leave_sidecar(self, row: SegmentRow) -> None:
        try:
            write_sidecar(self.root.path, row)
        except OSError as error:
            # The file tells its own story until the disk takes the sidecar: at the next success, or at the next start.
            log.warning("segment.sidecar_failed", camera=row.camera, path=row.path, message=str(error))
            self._unwritten.append(row)


def _row(file: SegmentFile) -> SegmentRow:
    video = file.video
    return SegmentRow(
        camera=file.camera,
        pool=file.pool,
        path=file.path,
        epoch=file.epoch,
        start=file.wall,
        duration=(file.until - file.start) / TIMESCALE,
        size=file.size,
        frames=file.frames,
        stream_time=file.start,
        codec=video.codec.value,
        mime=video.mime,
        width=video.width,
        height=video.height,
        init_length=file.init_length,
        keyframes=tuple(file.keyframes),
        complete=True,
        audio=file.audio.codec.value if file.audio else "",
    )

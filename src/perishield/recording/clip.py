"""Clips: a time range of one camera as one fragmented MP4, by copying chunks.

Nothing is re-encoded. A clip begins with the key frame at or before the time asked for and is made of whole chunks;
only their decode times are rewritten, so that they run on from zero. Where footage is missing the next frame follows at
once, and a remark says how much is missing. It ends where the camera changed its codec or picture. Its sound is that of
the first segment which has any; where another's is of another kind, or there is none, the clip is silent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.model.remarks import Remark, begins_late, ends_early, left_out, sentence
from perishield.recording.index import list_segments
from perishield.streams.fmp4 import (
    index_room,
    rewrite_decode_time,
    segment_index,
    with_duration,
    without_sound_chunk,
)
from perishield.streams.fmp4_reader import Chunk, Init, read_init, walk
from perishield.streams.layout import storage_error, with_no_trace

_HOLE_S = 0.5
"""A longer pause between the end of one segment and the next counts as missing footage."""
_SHORT_S = 1.0
_MOST_INDEXED = 4096


@dataclass(frozen=True, slots=True)
class ClipResult:
    """What a clip really holds. `start`: Unix seconds UTC of its first frame. `remarks`: what differs from the wish."""

    start: float
    duration_s: float
    frames: int
    bytes: int
    remarks: tuple[Remark, ...]

    @property
    def note(self) -> str:
        """The remarks in one line."""
        return sentence(self.remarks)


class Clip:
    """Chunks of a camera in [start, end) (Unix seconds), one after the other; read once.

    `init`, `wall` and `mime` are known once the first chunk was given out, the rest at the end.
    """

    def __init__(self, media: Path, camera: str, start: float, end: float) -> None:
        self.camera = camera
        self.init: Init | None = None
        self.wall = 0.0
        self.ticks = 0
        self.frames = 0
        self.pieces: list[tuple[int, int]] = []
        self.keyframes = 0
        self._media = media
        self._start = start
        self._end = end
        self._missing = 0.0
        self._holes = 0
        self._remarks: list[Remark] = []
        self._changed = False
        self._number = 0
        self._rows: list[SegmentRow] = []
        self._wall_end = 0.0
        self._epoch = 0
        self._stream_end = 0

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What differs from the wish."""
        found = list(self._remarks)
        if self.frames:
            if self.wall > self._start + _SHORT_S:
                found.insert(0, begins_late(self.wall - self._start))
            if self._holes:
                found.append(left_out(self._missing, self._holes))
            if not self._changed and self._wall_end < self._end - _SHORT_S:
                found.append(ends_early(self._end - self._wall_end))
        return tuple(found)

    def chunks(self) -> Iterator[bytearray]:
        """moof+mdat pairs in order. Raises StorageError (`missing`) where there is no footage at all."""
        rows = list_segments(self._media, self.camera, self._start, self._end)
        self.keyframes = sum(len(row.keyframes) for row in rows)
        self._rows = rows
        for row in rows:
            yield from self._of_segment(row)
            if self._changed:
                break
        if self.init is None:
            raise StorageError(
                f"camera '{self.camera}': no footage of that time; it was not recorded or is already deleted",
                code="missing",
                camera=self.camera,
            )

    def _of_segment(self, row: SegmentRow) -> Iterator[bytearray]:
        try:
            fd = os.open(self._media / row.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # Retention was faster; the hole shows in the remarks.
            return
        try:
            init = read_init(fd)
            if init is None:
                name = row.path.rpartition("/")[2]
                self._remarks.append(Remark("file_unreadable", f"{name} cannot be read", {"file": name}))
                return
            if self.init is not None and init.sample_entry != self.init.sample_entry:
                self._changed = True
                early = self._end - row.start
                text = f"ends {early:.1f} s early: the camera's picture format changed"
                self._remarks.append(Remark("format_changed", text, {"seconds": round(early, 1)}))
                return
            for chunk in walk(fd, self._first_offset(row, init)):
                wall = row.start + chunk.decode_time / TIMESCALE
                if wall >= self._end:
                    return
                data = bytearray(os.pread(fd, chunk.length, chunk.offset))
                if len(data) < chunk.length:
                    return
                if self.init is None:
                    self.init, self.wall = self._heard(init), wall
                if chunk.sound_sizes and init.sound_entry != self.init.sound_entry:
                    data = bytearray(without_sound_chunk(data))
                self._place(row, chunk, wall, len(data))
                rewrite_decode_time(data, self.ticks - chunk.duration, self._number)
                self._number += 1
                yield data
        finally:
            os.close(fd)

    def _heard(self, first: Init) -> Init:
        """The init segment of the first file with sound, if its pictures are the same: sound may set in late."""
        row = next((row for row in self._rows if row.audio), None)
        if first.audio is not None or row is None:
            return first
        try:
            fd = os.open(self._media / row.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return first
        try:
            init = read_init(fd)
        finally:
            os.close(fd)
        return init if init is not None and init.sample_entry == first.sample_entry else first

    def _first_offset(self, row: SegmentRow, init: Init) -> int:
        """Where to begin in that file: at its first chunk, or in the first file at the last key frame in time."""
        if self.init is not None or row.start >= self._start:
            return len(init.data)
        wanted = (self._start - row.start) * TIMESCALE
        return max((offset for ticks, offset in row.keyframes if ticks <= wanted), default=len(init.data))

    def _place(self, row: SegmentRow, chunk: Chunk, wall: float, length: int) -> None:
        """Advance `ticks` to the end of this chunk; its decode time is what remains before its duration."""
        stream = row.stream_time + chunk.decode_time
        if self.frames:
            pause = stream - self._stream_end
            size, ticks = self.pieces[-1]
            if row.epoch != self._epoch or not -TIMESCALE < pause < _HOLE_S * TIMESCALE:
                self._holes += 1
                self._missing += max(0.0, wall - self._wall_end)
                pause = 0
            self.ticks += pause
            self.pieces[-1] = (size, ticks + pause)
        if chunk.key or not self.pieces:
            self.pieces.append((0, 0))
        size, ticks = self.pieces[-1]
        self.ticks += chunk.duration
        self.pieces[-1] = (size + length, ticks + chunk.duration)
        self.frames += len(chunk.sizes)
        self._epoch, self._stream_end = row.epoch, stream + chunk.duration
        self._wall_end = wall + chunk.duration / TIMESCALE


def cut_clip(media: Path, camera: str, start: float, end: float, target: Path) -> ClipResult:
    """Write [start, end) of that camera to `target`, in one step. Blocks: call it in a thread.

    Raises StorageError: `missing` where there is no footage, `disk_full` or `not_writable` where it cannot be written.
    """
    clip = Clip(media, camera, start, end)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    head, room = b"", 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w+b") as file:
            for chunk in clip.chunks():
                if not head and clip.init is not None:
                    # Its final values come at the end, its length is known now.
                    head = with_duration(clip.init.data, 0)
                    room = index_room(min(clip.keyframes, _MOST_INDEXED))
                    file.seek(len(head) + room)
                file.write(chunk)
            size = file.tell()
            file.seek(0)
            if clip.init is not None:
                file.write(with_duration(clip.init.data, clip.ticks) + segment_index(clip.pieces, room))
        temporary.replace(target)
    except OSError as error:
        raise storage_error(camera, target.parent, error) from error
    finally:
        with_no_trace(str(temporary))
    return ClipResult(clip.wall, clip.ticks / TIMESCALE, clip.frames, size, clip.remarks)

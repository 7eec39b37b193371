"""Key frames in footage, found by the index and taken out of the files without decoding anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, Codec, SegmentRow
from perishield.recording.playback_plan import missing
from perishield.recording.segment_reader import Footage
from perishield.streams.fmp4_reader import Chunk, read_init_by, walk_by
from perishield.vision.init_segment import decoder_configuration

_LONGEST_RUN = 2000
"""Access units from a key frame to the picture asked for; cameras with longer groups get the last one within."""


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Where a key frame is, and when it was taken (Unix seconds). `size`: bytes of its access unit."""

    row: SegmentRow
    offset: int
    wall: float
    size: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Access units from a key frame on: (presentation time in the segment's ticks, bytes), in decode order."""

    codec: Codec
    configuration: bytes
    units: list[tuple[int, bytes]]
    wall: float
    """Of presentation tick 0."""


def key_frames(rows: Iterable[SegmentRow], start: float, end: float) -> Iterator[KeyFrame]:
    """Those in [start, end), from the index alone; `size` stays 0."""
    for row in rows:
        for ticks, offset in row.keyframes:
            wall = row.start + ticks / TIMESCALE
            if start <= wall < end:
                yield KeyFrame(row, offset, wall)


def key_frame_at(rows: Iterable[SegmentRow], moment: float) -> KeyFrame | None:
    """The last one at or before that moment in the segment that covers it, else the first one after."""
    for row in rows:
        if row.start <= moment < row.start + row.duration and row.keyframes:
            ticks, offset = max(
                (key for key in row.keyframes if key[0] <= (moment - row.start) * TIMESCALE + 1),
                default=row.keyframes[0],
            )
            return KeyFrame(row, offset, row.start + ticks / TIMESCALE)
    return None


def unit_size(footage: Footage, frame: KeyFrame) -> int:
    """Bytes of the key frame's access unit; 0 where it is gone."""
    try:
        reader = footage.open(frame.row)
    except StorageError:
        return 0
    try:
        chunk = next(walk_by(reader.pread, reader.size, frame.offset), None)
        return chunk.sizes[0] if chunk is not None and chunk.key else 0
    finally:
        reader.close()


def group(footage: Footage, frame: KeyFrame, until: float | None = None) -> Group:
    """The key frame's access unit; with `until` (Unix seconds) what follows up to that moment, too.

    Raises StorageError: `missing` where the file is gone, `corrupt` where there is no key frame in that place.
    """
    reader = footage.open(frame.row)
    try:
        init = read_init_by(reader.pread, reader.size)
        if init is None:
            raise StorageError(f"camera {frame.row.camera!r}: segment {frame.row.path} is damaged", code="corrupt")
        units: list[tuple[int, bytes]] = []
        lead = 0
        last = None if until is None else round((until - frame.row.start) * TIMESCALE)
        for chunk in walk_by(reader.pread, reader.size, frame.offset):
            if not units:
                if not chunk.key:
                    break
                lead = chunk.composition[0] if chunk.composition else 0
            if units and (last is None or chunk.decode_time > last or len(units) > _LONGEST_RUN or chunk.key):
                break
            units += _units(reader.pread(sum(chunk.sizes), chunk.offset + chunk.length - sum(chunk.sizes)), chunk)
            if last is None:
                del units[1:]
        if not units:
            raise missing(frame.row.camera)
        return Group(init.codec, decoder_configuration(init.data), units, frame.row.start - lead / TIMESCALE)
    finally:
        reader.close()


def _units(data: bytes, chunk: Chunk) -> list[tuple[int, bytes]]:
    units = []
    time, start = chunk.decode_time, 0
    for index, size in enumerate(chunk.sizes):
        units.append((time + (chunk.composition[index] if chunk.composition else 0), data[start : start + size]))
        time += chunk.durations[index]
        start += size
    return units

"""Exports: a time range as plain MP4 files that begin and end at the frame asked for, with the hash of each.

Nothing is re-encoded. Decoding begins at the key frame before; an edit list hides what lies before and after. There is
one file for each part (see `playback_plan`). Missing footage is left out, and said.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import IO

from perishield.model.errors import PeriShieldError, StorageError
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.model.remarks import Remark, begins_late, ends_early, left_out
from perishield.recording.mp4_file import Mp4File
from perishield.recording.playback_head import VIDEO_TRACK, init_segment, same_decoder
from perishield.recording.playback_plan import Gaps, Part, Piece, any_sound, missing, plan
from perishield.recording.segment_reader import Footage, SegmentReader
from perishield.streams.fmp4_reader import read_init_by, walk_by
from perishield.streams.layout import storage_error

_SOUND_TRACK = 2
_BLOCK = 1 << 20
_SHORT_S = 1.0
_SAMPLE_ROOM = 24
"""Bytes that a picture's entries in the tables take at most."""
_SOUND_ROOM_S = 100 * 12
_FIXED_ROOM = 8192
_WRITING = 0.9
"""The share of the work that writing is; the rest is reading it again for its hash."""


class CancelledError(PeriShieldError):
    """Somebody wants the export no more."""

    code = "cancelled"


@dataclass(slots=True)
class Watch:
    """How far an export is, read by others while it runs; setting `cancel` ends it soon."""

    cancel: threading.Event = field(default_factory=threading.Event)
    progress: float = 0.0
    bytes: int = 0

    def check(self) -> None:
        """Raises CancelledError."""
        if self.cancel.is_set():
            raise CancelledError("export: cancelled")


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """`start`: Unix seconds of the first picture shown. `spans`: the times in it, (from, to) in Unix seconds."""

    name: str
    size: int
    sha256: str
    start: float
    duration_s: float
    spans: tuple[tuple[float, float], ...]


def export(
    footage: Footage,
    camera: str,
    rows: Iterable[SegmentRow],
    start: float,
    end: float,
    folder: Path,
    watch: Watch,
    *,
    min_free_bytes: int = 0,
) -> list[ExportedFile]:
    """Write [start, end) of that camera below `folder`; blocks. On any error nothing stays there.

    Raises StorageError: `missing` where there is no footage, `disk_full`, `not_writable`; CancelledError.
    """
    parts = plan(footage, camera, rows, start, end, Gaps.CLOSE, any_sound)
    total = sum(piece.stop - piece.first for part in parts for piece in part.pieces)
    done: list[ExportedFile] = []
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        _check_room(camera, folder, total, min_free_bytes)
        # One by one, so that an error finds what is to be removed again.
        done.extend(_export_part(footage, camera, part, start, end, folder, watch, total) for part in parts)
    except OSError as error:
        _remove(folder, done)
        raise storage_error(camera, folder, error) from error
    except PeriShieldError:
        _remove(folder, done)
        raise
    return done


def lacks(files: Sequence[ExportedFile], start: float, end: float) -> list[Remark]:
    """What of [start, end) is missing."""
    parts = [span for file in files for span in file.spans]
    found: list[Remark] = []
    if parts[0][0] > start + _SHORT_S:
        found.append(begins_late(parts[0][0] - start))
    holes = [after[0] - before[1] for before, after in pairwise(parts) if after[0] - before[1] > _SHORT_S / 2]
    if holes:
        found.append(left_out(sum(holes), len(holes)))
    if parts[-1][1] < end - _SHORT_S:
        found.append(ends_early(end - parts[-1][1]))
    return found


def _check_room(camera: str, folder: Path, needed: int, min_free: int) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize - min_free
    if free < needed:
        raise StorageError(
            f"camera {camera!r}: this export takes {needed / 1e9:.1f} GB, and {max(0, free) / 1e9:.1f} GB may be used "
            "on the disk of the exports; delete older exports or choose a shorter time",
            code="disk_full",
            camera=camera,
            needed=needed,
            free=max(0, free),
        )


def _export_part(
    footage: Footage, camera: str, part: Part, start: float, end: float, folder: Path, watch: Watch, total: int
) -> ExportedFile:
    last = part.pieces[-1]
    until = round((end - last.wall) * TIMESCALE) + last.media + part.lead
    until = max(part.offset + 1, min(until, part.ticks + part.lead))
    begin = max(start, part.wall)
    path = _free_name(folder, f"{camera}_{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(begin))}")
    temporary = path.with_suffix(".part")
    try:
        with temporary.open("w+b") as file:
            frames = _write_part(footage, part, until, file, folder, begin, watch, total)
            file.flush()
            os.fsync(file.fileno())
            if not frames:
                raise missing(camera)
            digest = _digest(file, watch, total)
            size = file.tell()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    spans = [(span.wall, span.wall + span.duration / TIMESCALE) for span in part.spans]
    return ExportedFile(path.name, size, digest, begin, (until - part.offset) / TIMESCALE, tuple(spans))


def _write_part(
    footage: Footage, part: Part, until: int, file: IO[bytes], folder: Path, begin: float, watch: Watch, total: int
) -> int:
    """Returns the number of pictures."""
    sound = bool(part.sound)
    frames = sum(piece.row.frames for piece in part.pieces)
    room = _FIXED_ROOM + _SAMPLE_ROOM * frames + sound * _SOUND_ROOM_S * (part.ticks // TIMESCALE + 1)
    mp4 = Mp4File(file, folder, init_segment(part.init.data, sound=sound), room)
    try:
        for piece in part.pieces:
            _write_piece(footage, part, piece, until, mp4, watch)
            watch.progress = min(_WRITING, watch.progress + _WRITING * (piece.stop - piece.first) / max(1, total))
        if mp4.tracks[VIDEO_TRACK].samples:
            mp4.finish(part.offset, until, begin)
        return mp4.tracks[VIDEO_TRACK].samples
    finally:
        mp4.close()


def _write_piece(footage: Footage, part: Part, piece: Piece, until: int, mp4: Mp4File, watch: Watch) -> None:
    """A piece that is gone or does not fit leaves a hole; the picture before it stands as long."""
    try:
        reader = footage.open(piece.row)
    except StorageError:
        return
    try:
        init = read_init_by(reader.pread, reader.size)
        if init is not None and same_decoder(init.data, part.init.data, sound=bool(part.sound)):
            _write_chunks(reader, piece, until, mp4, watch)
    finally:
        reader.close()


def _write_chunks(reader: SegmentReader, piece: Piece, until: int, mp4: Mp4File, watch: Watch) -> None:
    delta = piece.media - piece.decode_time
    pictures, sound = mp4.tracks[VIDEO_TRACK], mp4.tracks.get(_SOUND_TRACK)
    for chunk in walk_by(reader.pread, min(reader.size, piece.stop), piece.first):
        watch.check()
        place = chunk.offset + chunk.data_offset
        moment = max(0, chunk.sound_time + delta)
        if sound is not None and chunk.sound_sizes and moment < until:
            size = sum(chunk.sound_sizes)
            mp4.append(_SOUND_TRACK, reader.pread(size, place - size), len(chunk.sound_sizes))
            for one, lasts in zip(chunk.sound_sizes, chunk.sound_durations, strict=True):
                sound.sample(moment, lasts, one)
                moment += lasts
        moment, taken, count = chunk.decode_time + delta, 0, 0
        for index, size in enumerate(chunk.sizes):
            # A picture decoded after the end is shown after it, and none before needs it.
            if moment >= until:
                break
            composition = chunk.composition[index] if chunk.composition else 0
            lasts = chunk.durations[index]
            pictures.sample(moment, lasts, size, key=chunk.key and index == 0, composition=composition)
            moment, taken, count = moment + lasts, taken + size, count + 1
        if count:
            data = reader.pread(taken, place)
            if len(data) < taken:
                raise StorageError(f"segment {piece.row.path} became shorter while it was exported", code="missing")
            mp4.append(VIDEO_TRACK, data, count)
        watch.bytes = mp4.position


def _digest(file: IO[bytes], watch: Watch, total: int) -> str:
    """SHA-256 of what was really written, read again."""
    digest = sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        watch.check()
        digest.update(block)
        watch.progress = min(1.0, watch.progress + (1 - _WRITING) * len(block) / max(1, total))
    return digest.hexdigest()


def _free_name(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}.mp4", 0
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.mp4"
    return path


def _remove(folder: Path, files: Iterable[ExportedFile]) -> None:
    for file in files:
        (folder / file.name).unlink(missing_ok=True)

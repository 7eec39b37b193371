"""After a crash: files without a sidecar are walked, cut to their last whole chunk, and described again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from perishield.log import Log
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.streams.fmp4_reader import read_init, walk
from perishield.streams.layout import POOLS, segment_second, sidecar_path, write_sidecar

log = Log("streams")

_MARK = ".recovered"


def describe(media: Path, path: str, *, complete: bool = False) -> SegmentRow | None:
    """The row of the segment file at `path` (relative to `media`), from the file alone.

    `size` ends with the last whole chunk. None where there is no whole chunk or the file is not ours.
    """
    parts = path.split("/")
    second = segment_second(parts[-1])
    if len(parts) != 5 or second is None:
        return None
    try:
        fd = os.open(media / path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        init = read_init(fd)
        if init is None:
            return None
        size, frames, until = len(init.data), 0, 0
        keyframes = []
        for chunk in walk(fd, size):
            if chunk.key:
                keyframes.append((chunk.decode_time, chunk.offset))
            size += chunk.length
            frames += len(chunk.sizes)
            until = chunk.decode_time + chunk.duration
    except OSError:
        return None
    finally:
        os.close(fd)
    if not frames:
        return None
    return SegmentRow(
        camera=parts[1],
        pool=parts[0],
        path=path,
        epoch=init.origin.epoch if init.origin else 0,
        start=init.origin.wall if init.origin else float(second),
        duration=until / TIMESCALE,
        size=size,
        frames=frames,
        stream_time=init.origin.stream_time if init.origin else 0,
        codec=init.codec.value,
        mime=init.mime,
        width=init.width,
        height=init.height,
        init_length=len(init.data),
        keyframes=tuple(keyframes),
        complete=complete,
        audio=init.audio.codec.value if init.audio else "",
    )


def recover(media: Path, before: float) -> list[SegmentRow]:
    """Repair what a crash left below `media`, in files last written before `before` (Unix seconds).

    Files that hold no whole chunk are removed. Folders that did not change since the last recovery are passed over.
    Blocks: call it in a thread, before or beside writers whose files are newer than `before`.
    """
    mark = media / _MARK
    try:
        since = mark.stat().st_mtime
    except OSError:
        since = 0.0
    rows = []
    for folder in _hours(media, since):
        entries = _entries(f"{media}/{folder}")
        described = {entry.name for entry in entries if entry.name.endswith(".json") and not _empty(entry)}
        for entry in entries:
            if segment_second(entry.name) is not None and sidecar_path(entry.name) not in described:
                row = _repair(media, f"{folder}/{entry.name}", before)
                if row is not None:
                    rows.append(row)
    _leave_mark(mark, before)
    return rows


def _repair(media: Path, path: str, before: float) -> SegmentRow | None:
    try:
        status = os.stat(media / path)  # noqa: PTH116
        if status.st_mtime >= before:
            return None
        row = describe(media, path)
        if row is None:
            log.warning("segment.empty", path=path, size=status.st_size)
            os.unlink(media / path)  # noqa: PTH108
            return None
        if row.size < status.st_size:
            os.truncate(media / path, row.size)
        write_sidecar(media, row)
    except OSError as error:
        log.warning("segment.not_recovered", path=path, message=str(error))
        return None
    log.info("segment.recovered", path=path, frames=row.frames, cut_bytes=status.st_size - row.size)
    return row


def _leave_mark(mark: Path, moment: float) -> None:
    # Two minutes back: coarse file system clocks, and files that this process opened while the recovery ran.
    try:
        mark.touch()
        os.utime(mark, (moment, moment - 120))
    except OSError as error:
        log.warning("recovery.no_mark", message=str(error))


def _hours(media: Path, since: float) -> Iterator[str]:
    for pool in POOLS:
        for camera in _entries(f"{media}/{pool}"):
            for day in _entries(camera.path):
                for hour in _entries(day.path):
                    try:
                        changed = hour.stat(follow_symlinks=False).st_mtime
                    except OSError:
                        continue
                    if changed >= since:
                        yield f"{pool}/{camera.name}/{day.name}/{hour.name}"


def _empty(entry: os.DirEntry[str]) -> bool:
    """A crash came between the making and the writing of a sidecar."""
    try:
        return entry.stat().st_size == 0
    except OSError:
        return True


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []

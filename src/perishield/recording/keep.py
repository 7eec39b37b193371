"""From the temporary pool into the recordings: what surrounds an event, or is held, is kept before the ring takes it.

A segment is kept whole, as a second name of the same file where the file system has such, else as a copy; a sidecar of
its own tells its new place. Keeping twice changes nothing, so that whoever is not sure keeps again.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from perishield.log import Log
from perishield.model.media import SegmentRow
from perishield.recording.index import list_segments
from perishield.streams.layout import POOL, RECORDINGS, read_sidecar, with_no_trace, write_sidecar

log = Log("keep")

_NO_LINKS = frozenset((errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))
_ATTEMPTS = 8
_MOST_OF_ONE_SECOND = 1000


@dataclass(slots=True)
class Kept:
    """`rows`: what was newly kept, each with its path in the pool. `done`: pool paths that need no keeping any more.

    `waiting`: some segments are still being written.
    """

    rows: list[tuple[SegmentRow, str]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    waiting: bool = False


def keep(media: Path, camera: str, start: float, end: float, known: Collection[str] = ()) -> Kept:
    """Keep the closed pool segments of that camera with footage in [start, end) (Unix seconds).

    `known`: pool paths that were kept before and need not be looked at. Blocks on the disk. Raises OSError where the
    disk refuses; what the ring took first is simply gone.
    """
    kept = Kept()
    for row in list_segments(media, camera, start, end, pools=(POOL,)):
        if row.path in known:
            continue
        if read_sidecar(media, row.path) is None:
            kept.waiting = True
            continue
        try:
            new = _keep_one(media, row)
        except FileNotFoundError:
            log.info("keep.too_late", camera=camera, path=row.path)
            continue
        kept.done.add(row.path)
        if new is not None:
            kept.rows.append((new, row.path))
    return kept


def _keep_one(media: Path, row: SegmentRow) -> SegmentRow | None:
    """The row of the kept segment, or None where it was kept before."""
    source = media / row.path
    status = source.stat()
    folder, _, name = f"{RECORDINGS}/{row.path.partition('/')[2]}".rpartition("/")
    stem = name.removesuffix(".mp4").partition("-")[0]
    for number in range(_MOST_OF_ONE_SECOND):
        path = f"{folder}/{stem}-{number}.mp4" if number else f"{folder}/{stem}.mp4"
        new = replace(row, pool=RECORDINGS, path=path)
        try:
            _place(source, media / path)
        except FileExistsError:
            if not _is_same(media, new, status):
                continue
            if read_sidecar(media, path) is not None:
                return None
        write_sidecar(media, new)
        return new
    raise FileExistsError(errno.EEXIST, "more than a thousand segments of one second", str(media / folder))


def _is_same(media: Path, row: SegmentRow, status: os.stat_result) -> bool:
    """Whether the file at the row's path is that segment already, by name or as a copy."""
    try:
        there = (media / row.path).stat()
    except OSError:
        return False
    if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
        return True
    known = read_sidecar(media, row.path)
    if known is None:
        # A crash came between the copy and its sidecar.
        return there.st_size == status.st_size
    return (known.epoch, known.stream_time, known.size) == (row.epoch, row.stream_time, row.size)


def _place(source: Path, target: Path) -> None:
    """Give `source` a second name, or copy it. Raises FileExistsError, and FileNotFoundError where `source` is gone."""
    for attempt in range(_ATTEMPTS):
        try:
            os.link(source, target)
            return
        except FileNotFoundError:
            if attempt + 1 == _ATTEMPTS or not source.exists():
                raise
            # Retention may take the empty folder again before the file is in it.
            target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(source, target)
            return


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        # With its time of writing, by which its age is reckoned.
        shutil.copy2(source, temporary)
        temporary.rename(target)
    finally:
        with_no_trace(str(temporary))

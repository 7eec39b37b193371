"""The index, made again from the files: segments with their sidecars are all that is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from perishield.log import Log
from perishield.model.media import SegmentRow
from perishield.recording.index import cameras_on_disk, days_on_disk, kept_path, segments_of_day
from perishield.recording.verify import YOUNG_S, differences
from perishield.store.database import Database
from perishield.store.segments import (
    DAY_S,
    forget_segments,
    indexed_cameras,
    indexed_days,
    save_segments,
    segments_between,
)
from perishield.streams.layout import read_sidecar, write_sidecar
from perishield.streams.recovery import describe

log = Log("reindex")

Progress = Callable[[float], None]


@dataclass(slots=True)
class Reindexed:
    """`added`, `dropped`: rows. `repaired`: rows that differed from their file. `described`: files that had no sidecar
    and have one now. `unreadable`: files that hold no whole chunk."""

    segments: int = 0
    added: int = 0
    dropped: int = 0
    repaired: int = 0
    described: int = 0
    unreadable: int = 0


async def reindex(media: Path, database: Database, progress: Progress = lambda share: None) -> Reindexed:
    """Bring the index in line with the files, day by day; a server may run beside it.

    What is still being written is left to its writer; rows of which a storage target keeps a copy stay. Raises
    StorageError where the database does not answer.
    """
    done = Reindexed()
    cameras = set(await asyncio.to_thread(cameras_on_disk, media))
    async with database.read() as session:
        cameras.update(await indexed_cameras(session))
    places: list[tuple[str, int]] = []
    for camera in sorted(cameras):
        days = set(await asyncio.to_thread(days_on_disk, media, camera))
        async with database.read() as session:
            days.update(await indexed_days(session, camera))
        places += [(camera, day) for day in sorted(days)]
    for number, (camera, day) in enumerate(places):
        await _day(media, database, camera, day, done)
        progress((number + 1) / len(places))
    return done


async def _day(media: Path, database: Database, camera: str, day: int, done: Reindexed) -> None:
    rows, void = await asyncio.to_thread(_rows, media, camera, day, done)
    first, last = day * DAY_S, (day + 1) * DAY_S
    async with database.read() as session:
        listed = await segments_between(session, camera, first, last, after=first - 1e-6, keyframes=True)
    known = {row.path: row for row in listed if first <= row.start < last}
    added = [row for path, row in rows.items() if path not in known]
    changed = [row for path, row in rows.items() if path in known and _differs(known[path], row)]
    gone = await asyncio.to_thread(_gone, media, known.keys() - rows.keys(), rows) + sorted(void & known.keys())
    if added or changed or gone:
        async with database.write() as session:
            await save_segments(session, [*added, *changed])
            done.dropped += await forget_segments(session, gone)
    done.segments += len(rows)
    done.added += len(added)
    done.repaired += len(changed)


def _rows(media: Path, camera: str, day: int, done: Reindexed) -> tuple[dict[str, SegmentRow], set[str]]:
    """The closed segments of a day, each described by its sidecar or else by itself; and files without any footage."""
    rows: dict[str, SegmentRow] = {}
    void: set[str] = set()
    paths = set(segments_of_day(media, camera, day))
    for path in sorted(paths):
        if kept_path(path) != path and kept_path(path) in paths:
            # Kept out of the pool: it is listed once.
            continue
        row = _row(media, path, done, void)
        if row is not None and row.camera == camera and row.start // DAY_S == day:
            rows[path] = row
    done.unreadable += len(void)
    return rows, void


def _row(media: Path, path: str, done: Reindexed, void: set[str]) -> SegmentRow | None:
    try:
        status = (media / path).stat()
    except OSError:
        return None
    row = read_sidecar(media, path)
    if row is not None and row.size <= status.st_size:
        return row
    if time.time() - status.st_mtime < YOUNG_S:
        return None
    row = describe(media, path)
    if row is None:
        void.add(path)
        return None
    try:
        write_sidecar(media, row)
        done.described += 1
    except OSError as error:
        log.warning("reindex.no_sidecar", path=path, message=str(error))
    return row


def _differs(known: SegmentRow, row: SegmentRow) -> bool:
    return bool(differences(known, replace(row, complete=known.complete))) or known.complete != row.complete


def _gone(media: Path, paths: set[str], rows: dict[str, SegmentRow]) -> list[str]:
    return [path for path in paths if not (media / path).is_file() or kept_path(path) in rows]

"""The index of segment files, kept in step with the disk: told by the bus, and compared with it now and then."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from perishield.bus.topics import SegmentRemoved
from perishield.log import Log
from perishield.model.media import SegmentRow
from perishield.model.site import CAMERA_ID
from perishield.recording.index import LONGEST_S, cameras_on_disk, days_on_disk, sidecars_of_day
from perishield.recording.index import list_segments as on_disk
from perishield.store.database import Database
from perishield.store.segments import (
    DAY_S,
    forget_segments,
    indexed_cameras,
    indexed_days,
    list_segments,
    paths_of_day,
    save_segments,
)
from perishield.streams.layout import read_sidecar

log = Log("footage")

_FLUSH_S = 0.5
_COMPARE_EVERY_S = 600.0
_AT_ONCE = 1000
_PAUSE_S = 0.002
_MOST_KEPT = 10_000


class FootageIndex:
    """Collects what the bus tells and writes it in batches. The last word about a file is the one that counts."""

    def __init__(self, database: Database, media: Path) -> None:
        self._database = database
        self._media = media
        self._changes: dict[str, SegmentRow | None] = {}
        self._news = asyncio.Event()
        self._kept: OrderedDict[str, None] = OrderedDict()
        self.writing = asyncio.Lock()
        """Held while segments change in the database, and while hours of them are merged for the ledger."""

    def closed(self, row: SegmentRow) -> None:
        # The word of its closing may come after it was kept out of the pool.
        if row.path not in self._kept:
            self._changes[row.path] = row
            self._news.set()

    def kept(self, row: SegmentRow, pooled: str) -> None:
        """A segment of the pool was kept: it is listed once, in its new place."""
        self._kept[pooled] = None
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        self._changes[row.path] = row
        self._changes[pooled] = None
        self._news.set()

    def removed(self, message: SegmentRemoved) -> None:
        self._changes[message.path] = None
        self._news.set()

    async def find(
        self, camera: str, start: float | None, end: float | None, limit: int
    ) -> tuple[list[SegmentRow], int]:
        """Segments that touch [start, end), oldest first, the one being written included, and how many there are.

        Without `start`, the newest `limit` of them.
        """
        async with self._database.read() as session:
            rows, total = await list_segments(session, camera, start, end, limit)
        now = time.time()
        recent = now - LONGEST_S
        if (end is None or end > recent) and CAMERA_ID.fullmatch(camera):
            listed = {row.path for row in rows}
            fresh = await asyncio.to_thread(
                on_disk, self._media, camera, max(start or 0.0, recent), min(end or now + 60, now + 60)
            )
            new = [row for row in fresh if not row.complete and row.path not in listed]
            room = limit - len(rows) if start is not None else limit
            total += len(new)
            rows = sorted([*rows, *new[:room]], key=lambda row: row.start)
            rows = rows[-limit:] if start is None else rows
        return rows, total

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was told so far. What cannot be written is tried again."""
        changes, self._changes = self._changes, {}
        try:
            async with self.writing, self._database.write() as session:
                await save_segments(session, [row for row in changes.values() if row is not None])
                await forget_segments(session, [path for path, row in changes.items() if row is None])
        except SQLAlchemyError as error:
            log.error("footage.unsaved", segments=len(changes), message=str(error))
            self._changes = {**changes, **self._changes}
            await asyncio.sleep(_FLUSH_S)
            self._news.set()

    async def keep_comparing(self) -> None:
        """Until cancelled: compare with the disk at once, then every few minutes, since the bus may lose a word."""
        while True:
            try:
                await self.compare(pause_s=_PAUSE_S)
            except (SQLAlchemyError, OSError) as error:
                log.error("footage.uncompared", message=str(error))
            await asyncio.sleep(_COMPARE_EVERY_S)

    async def compare(self, *, pause_s: float = 0.0) -> tuple[int, int]:
        """Add segments that the index does not know and drop those whose file is gone; returns how many of each.

        Camera by camera and day by day, so that an archive of any size takes little memory. `pause_s` after each day
        leaves the disk to others.
        """
        added = gone = 0
        cameras = set(await asyncio.to_thread(cameras_on_disk, self._media))
        async with self._database.read() as session:
            cameras.update(await indexed_cameras(session))
        for camera in sorted(cameras):
            days = set(await asyncio.to_thread(days_on_disk, self._media, camera))
            async with self._database.read() as session:
                days.update(await indexed_days(session, camera))
            for day in sorted(days):
                more, fewer = await self._compare_day(camera, day)
                added, gone = added + more, gone + fewer
                await asyncio.sleep(pause_s)
        if added or gone:
            log.info("footage.compared", added=added, gone=gone)
        return added, gone

    async def _compare_day(self, camera: str, day: int) -> tuple[int, int]:
        async with self._database.read() as session:
            known = await paths_of_day(session, camera, day)
        present = await asyncio.to_thread(sidecars_of_day, self._media, camera, day)
        added = gone = 0
        new = sorted(present - known)
        for first in range(0, len(new), _AT_ONCE):
            rows = await asyncio.to_thread(_read, self._media, new[first : first + _AT_ONCE])
            # A start that is not of its folder's day would be found missing here again and again.
            rows = [row for row in rows if row.camera == camera and row.start // DAY_S == day]
            if rows:
                async with self.writing, self._database.write() as session:
                    await save_segments(session, rows)
            added += len(rows)
        # A file closed after the folder was listed is known and yet not listed: look again before dropping.
        missing = await asyncio.to_thread(_missing, self._media, known - present)
        if missing:
            async with self.writing, self._database.write() as session:
                gone = await forget_segments(session, missing)
        return added, gone


def _read(media: Path, paths: Iterable[str]) -> list[SegmentRow]:
    rows = (read_sidecar(media, path) for path in paths if (media / path).is_file())
    return [row for row in rows if row is not None]


def _missing(media: Path, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if not (media / path).is_file()]

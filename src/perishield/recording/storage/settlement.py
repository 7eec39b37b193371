"""From decisions to steps: copies are put on their queues, and what is no longer needed is removed.

Removing is always the last step: a source goes after its copies further down were proven and noted, and rows of footage
that ends for good go after its end was booked. Each step may be repeated, so that a crash between two does no harm.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.footage import Reason
from perishield.model.media import SegmentRow
from perishield.model.storage import DAY_S, LOCAL, CopyState, SegmentCopy, Tier
from perishield.recording.storage import planner
from perishield.recording.storage.targets import OWN_FAULT, OpenTarget, Targets
from perishield.store import copies as store
from perishield.store.database import Database
from perishield.streams.layout import sidecar_path, with_no_trace

log = Log("storage")


class Settlement:
    """Settles what becomes of segments; `moved` counts those that left this disk, `expired` those gone for good."""

    def __init__(self, database: Database, media: Path, targets: Targets) -> None:
        self.moved = 0
        self.expired = 0
        self._plan = targets.plan
        self._targets = targets
        self._database = database
        self._media = media

    async def settle_paths(self, paths: Sequence[str]) -> None:
        async with self._database.read() as session:
            rows = [await store.find_segment(session, path) for path in paths]
        await self.settle([row for row in rows if row is not None])

    async def settle(self, rows: Sequence[SegmentRow], *, fresh: bool = False) -> set[str]:
        """Decide about each of these segments and take the steps; returns the targets that got new work.

        `fresh`: they were written this moment.
        """
        now = time.time()
        async with self._database.read() as session:
            known = await store.copies_of(session, [row.path for row in rows])
        written = {row.path: now for row in rows} if fresh else await self._written(rows, known, now)
        working, new = self._targets.working(), []
        for row in rows:
            if row.path not in written:
                continue
            copies = known.get(row.path, [])
            steps = planner.decide(self._plan, row.camera, copies, now - written[row.path], working)
            new += [_waiting(row, name, written[row.path], now) for name in steps.add]
            if steps.remove or steps.expired or steps.forget:
                await self._remove(row, copies, steps)
        if new:
            async with self._database.write() as session:
                await store.add_copies(session, new)
        return {copy.target for copy in new}

    async def _written(
        self, rows: Sequence[SegmentRow], known: dict[str, list[SegmentCopy]], now: float
    ) -> dict[str, float]:
        """When each was written, by this host's clock: the camera's may be far off. Files that are gone are missing."""
        found = {row.path: known[row.path][0].recorded for row in rows if row.path in known}
        # Nothing is done about young footage without hot targets, so that its files need not be looked at.
        young = now - self._plan.hot_days * DAY_S if not self._plan.of_tier(Tier.HOT) else now
        rest = []
        for row in rows:
            if row.path not in found:
                if young < row.start <= now:
                    found[row.path] = row.start
                else:
                    rest.append(row.path)
        return found | await asyncio.to_thread(_modified, self._media, rest)

    async def _remove(self, row: SegmentRow, copies: Sequence[SegmentCopy], steps: planner.Steps) -> None:
        """Delete what is no longer needed. What refuses stays on the list: the next survey comes by again."""
        now = time.time()
        if steps.expired:
            async with self._database.read() as session:
                if await store.is_held(session, row.camera, row.start, row.start + row.duration):
                    return
        removed = []
        for name in steps.remove:
            if name == LOCAL:
                if await asyncio.to_thread(_unlink, self._media, row):
                    removed.append(name)
            elif await self._delete(self._targets.open.get(name), row):
                removed.append(name)
        recorded = min((copy.recorded for copy in copies), default=now)
        async with self._database.write() as session:
            await store.forget_copies(session, row.path, [*(name for name in removed if name != LOCAL), *steps.forget])
            if LOCAL in removed:
                gone = SegmentCopy(
                    segment=row.path,
                    target=LOCAL,
                    state=CopyState.REMOVED,
                    size=row.size,
                    recorded=recorded,
                    changed=now,
                )
                await store.save_copy(session, gone)
                self.moved += 1
            if steps.expired and set(removed) == set(steps.remove) and not (self._media / row.path).exists():
                await store.book_removed(session, row, reason=Reason.RETENTION, detail=",".join(removed)[:63], now=now)
                await store.forget_copies(session, row.path)
                await store.drop_segment(session, row.path)
                self.expired += 1

    async def _delete(self, holder: OpenTarget | None, row: SegmentRow) -> bool:
        if holder is None or holder.paused:
            return False
        try:
            await holder.call(lambda: holder.target.remove(row))
        except StorageError as error:
            log.warning("storage.not_removed", storage=holder.spec.name, path=row.path, message=str(error))
            if error.code not in OWN_FAULT:
                holder.failed(error)
            return False
        return True


def _waiting(row: SegmentRow, target: str, recorded: float, now: float) -> SegmentCopy:
    return SegmentCopy(
        segment=row.path, target=target, state=CopyState.WAITING, size=row.size, recorded=recorded, changed=now
    )


def _modified(media: Path, paths: Sequence[str]) -> dict[str, float]:
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = os.stat(media / path).st_mtime  # noqa: PTH116
    return found


def _unlink(media: Path, row: SegmentRow) -> bool:
    try:
        (media / row.path).unlink(missing_ok=True)
    except OSError as error:
        log.warning("storage.not_removed", storage=LOCAL, path=row.path, message=str(error))
        return False
    with_no_trace(f"{media}/{sidecar_path(row.path)}")
    return True

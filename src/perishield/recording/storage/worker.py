"""What copies and moves footage: surveys what is due, and serves each target from its own queue.

Everything it intends lies in the database, so that a restart goes on where the last run ended. A copy counts when it
was proven at the target, and no sooner.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState, SegmentCopy, StoragePlan, Tier
from perishield.recording.storage.copier import LocalSource, TargetSource, copy_segment
from perishield.recording.storage.settlement import Settlement
from perishield.recording.storage.target import Source
from perishield.recording.storage.targets import OWN_FAULT, PARALLEL, OpenTarget, Targets
from perishield.recording.storage.throttle import Throttle
from perishield.store import copies as store
from perishield.store.database import Database
from perishield.store.meta import get_meta, set_meta
from perishield.streams.layout import RECORDINGS, read_sidecar

log = Log("storage")

_PAGE = 500
_FLUSH_S = 0.5
_IDLE_S = 2.0
_CHECK_EVERY_S = 60.0
_LEAST_REST_S = 10.0
_REST_SHARE = 4.0
"""A survey that took t rests for this many times t, so that it never takes more than a fifth of the time."""
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 3600.0
_LOST_KEPT_S = 90 * 86_400.0


def identity_key(name: str) -> str:
    return f"storage:{name}"


@dataclass(slots=True)
class Progress:
    """Since the start: copies proven and their bytes, attempts that failed."""

    copied: int = 0
    bytes: int = 0
    failed: int = 0


class StorageWorker:
    """Runs in the server process. Call `closed` for every segment that ends; `run` until cancelled."""

    def __init__(self, database: Database, media: Path, targets: Targets) -> None:
        self.plan: StoragePlan = targets.plan
        self.targets = targets
        self.progress = Progress()
        self.settlement = Settlement(database, media, targets)
        self.throttle = Throttle(self.plan.max_bytes_s)
        self._throttles = {spec.name: Throttle(spec.max_bytes_s) for spec in self.plan.targets}
        self._database = database
        self._media = media
        self._fresh: list[SegmentRow] = []
        self._news = asyncio.Event()
        self._due: dict[str, asyncio.Event] = {name: asyncio.Event() for name in targets.open}

    def closed(self, row: SegmentRow) -> None:
        """A segment of recordings has ended: hot targets get it at once."""
        if row.pool == RECORDINGS and self.plan.of_tier(Tier.HOT):
            self._fresh.append(row)
            self._news.set()

    async def run(self) -> None:
        """Until cancelled. What one part cannot do now it tries again; nothing of it ends the process."""
        if not self.targets.open:
            await asyncio.Event().wait()
        try:
            async with self._database.write() as session:
                taken_up = await store.begin_anew(session)
            if taken_up:
                log.info("storage.taken_up", copies=taken_up)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_in())
                group.create_task(self._keep_surveying())
                for target in self.targets.open.values():
                    group.create_task(self._keep_serving(target))
                    group.create_task(self._keep_checking(target))
        finally:
            self.close()

    def close(self) -> None:
        """Let copies on their way go; they are taken up by the next run."""
        for throttle in (self.throttle, *self._throttles.values()):
            throttle.stop()
        self.targets.close()

    async def survey(self) -> int:
        """Look at every recorded segment once and take the steps that are due; returns how many were looked at."""
        after, seen = store.FIRST, 0
        while True:
            async with self._database.read() as session:
                page = await store.recorded_segments(session, after, _PAGE)
            if not page:
                break
            last = page[-1]
            after, seen = (last.camera, last.start, last.path), seen + len(page)
            self._wake(await self.settlement.settle(page))
        async with self._database.write() as session:
            await store.prune_lost(session, time.time() - _LOST_KEPT_S)
        return seen

    async def serve(self, target: OpenTarget) -> int:
        """Copy what is due at that target, a handful at once; returns how many were tried."""
        if target.paused or not self._may_move(target):
            return 0
        now = time.time()
        async with self._database.read() as session:
            batch = await store.next_copies(session, target.spec.name, now, 1 if not target.works else PARALLEL)
        if not batch:
            return 0
        async with self._database.write() as session:
            for copy in batch:
                await store.save_copy(session, replace(copy, state=CopyState.COPYING, changed=now))
        results = await asyncio.gather(*(self._copy(target, copy) for copy in batch))
        async with self._database.write() as session:
            for result in results:
                await store.save_copy(session, result)
        kept = [result.segment for result in results if result.state is CopyState.KEPT]
        if kept and target.spec.tier is not Tier.HOT:
            await self.settlement.settle_paths(kept)
        return len(batch)

    async def _take_in(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_FLUSH_S)
            self._news.clear()
            fresh, self._fresh = self._fresh, []
            try:
                self._wake(await self.settlement.settle(fresh, fresh=True))
            except SQLAlchemyError as error:
                # The survey finds them.
                log.error("storage.not_queued", segments=len(fresh), message=str(error))

    async def _keep_surveying(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.survey()
            except (SQLAlchemyError, OSError) as error:
                log.error("storage.not_surveyed", message=str(error))
            await asyncio.sleep(max(_LEAST_REST_S, _REST_SHARE * (time.monotonic() - began)))

    async def _keep_serving(self, target: OpenTarget) -> None:
        due = self._due[target.spec.name]
        while True:
            due.clear()
            try:
                tried = await self.serve(target)
            except SQLAlchemyError as error:
                log.error("storage.not_served", storage=target.spec.name, message=str(error))
                tried = 0
            if target.paused:
                await asyncio.sleep(max(0.05, target.health.until - time.time()))
            elif not tried:
                with suppress(TimeoutError):
                    await asyncio.wait_for(due.wait(), _IDLE_S)

    async def _keep_checking(self, target: OpenTarget) -> None:
        """How it is, also while there is nothing to copy; and whether it is still the folder it was."""
        while True:
            if await target.check() and target.health.space.identity:
                await self._remember(target)
            await asyncio.sleep(max(_CHECK_EVERY_S, target.health.until - time.time()))

    async def _remember(self, target: OpenTarget) -> None:
        key, identity = identity_key(target.spec.name), target.health.space.identity
        with suppress(SQLAlchemyError):
            async with self._database.write() as session:
                if await get_meta(session, key) is None:
                    await set_meta(session, key, identity)

    def _wake(self, names: set[str]) -> None:
        for name in names & self._due.keys():
            self._due[name].set()

    def _may_move(self, target: OpenTarget) -> bool:
        """Moves keep to their window; backups do not wait."""
        if target.spec.tier is Tier.HOT or self.plan.window is None:
            return True
        begin, end = self.plan.window
        local = time.localtime()
        minute = local.tm_hour * 60 + local.tm_min
        return begin <= minute < end if begin <= end else minute >= begin or minute < end

    async def _copy(self, target: OpenTarget, copy: SegmentCopy) -> SegmentCopy:
        """One attempt; what came of it."""
        own = self._throttles[target.spec.name]

        def pace(size: int) -> None:
            self.throttle.take(size)
            own.take(size)

        try:
            row, source, known = await self._source(copy)
            sha256 = await target.call(lambda: copy_segment(row, source, target.target, pace, known))
        except StorageError as error:
            return self._failed(target, copy, error)
        target.worked()
        self.progress.copied += 1
        self.progress.bytes += source.size
        return replace(
            copy,
            state=CopyState.KEPT,
            sha256=sha256,
            size=source.size,
            attempts=copy.attempts + 1,
            changed=time.time(),
            error="",
        )

    def _failed(self, target: OpenTarget, copy: SegmentCopy, error: StorageError) -> SegmentCopy:
        now = time.time()
        self.progress.failed += 1
        if error.code == "lost":
            log.error("storage.lost", storage=target.spec.name, path=copy.segment)
            return replace(copy, state=CopyState.LOST, changed=now, error=str(error))
        if error.code not in OWN_FAULT:
            # Where footage moves from one target to another, either may be the one that fails.
            self.targets.open.get(str(error.params.get("storage")), target).failed(error)
        elif error.code == "corrupt":
            log.error("storage.corrupt", storage=target.spec.name, path=copy.segment, message=str(error))
        pause = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2 ** min(copy.attempts, 10))
        return replace(
            copy,
            state=CopyState.FAILED,
            attempts=copy.attempts + 1,
            changed=now,
            due=now + pause,
            error=str(error),
        )

    async def _source(self, copy: SegmentCopy) -> tuple[SegmentRow, Source, str]:
        """Where its bytes come from, and what they must hash to where that is known. Raises StorageError (`lost`)."""
        async with self._database.read() as session:
            row = await store.find_segment(session, copy.segment)
            others = (await store.copies_of(session, [copy.segment])).get(copy.segment, [])
        row = row or await asyncio.to_thread(read_sidecar, self._media, copy.segment)
        kept = {other.target: other for other in others if other.state is CopyState.KEPT}
        known = next((other.sha256 for other in kept.values()), "")
        if row is not None:
            with suppress(StorageError):
                return row, await asyncio.to_thread(LocalSource, self._media, row), known
            for name, holder in self.targets.open.items():
                if name in kept and name != copy.target and holder.works:
                    return row, TargetSource(holder.target, row, kept[name].size), known
        if kept and row is not None:
            raise StorageError(f"{copy.segment}: the storage that holds it does not answer", code="missing")
        raise StorageError(f"{copy.segment}: deleted before it was copied", code="lost")

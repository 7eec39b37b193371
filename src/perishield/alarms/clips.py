"""The evidence clip of each alarm: cut once its last second is on disk, and announced."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.intake import Along, Announce, Announcement
from perishield.log import Log
from perishield.model.alarms import Alarm, ClipState
from perishield.model.errors import StorageError
from perishield.model.remarks import Remark, of_error
from perishield.store.alarms import pending_clips, save_clip
from perishield.store.database import Database

log = Log("clips")

_SETTLE_S = 1.2
"""Footage reaches the disk this much after it arrived, at most: a chunk's length and a little."""
_TAIL_PATIENCE_S = 10.0
_PATIENCE_S = 120.0
_LEAST_TRIES = 3
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_TOLERANCE_S = 1.0


class Clip(Protocol):
    """What a cutter made. `start`: Unix seconds of the first frame."""

    @property
    def start(self) -> float: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def frames(self) -> int: ...
    @property
    def remarks(self) -> tuple[Remark, ...]: ...


class Cutter(Protocol):
    """Cuts [start, end) of a camera into `target`, blocking. Raises StorageError; `missing`: no footage (yet)."""

    def __call__(self, media: Path, camera: str, start: float, end: float, target: Path, /) -> Clip: ...


@dataclass(slots=True)
class _Job:
    alarm: Alarm
    tries: int = 0
    missing: bool = False


def evidence_path(alarm: Alarm, suffix: str) -> str:
    """Where a piece of an alarm's evidence lies, relative to the media root.

    The day is that of the crossing, UTC, where it is one that a calendar has.
    """
    try:
        day = datetime.fromtimestamp(alarm.event.wall, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        day = datetime.fromtimestamp(alarm.raised, UTC).strftime("%Y-%m-%d")
    return f"evidence/{day}/{alarm.id}{suffix}"


Elsewhere = Callable[[Alarm], Awaitable[bool]]
"""Whether somebody else sees to an alarm's clip, since there is no footage of it here. Raises SQLAlchemyError."""


class ClipScheduler:
    """Cuts clips one after another, in the order in which they fall due."""

    def __init__(
        self,
        database: Database,
        media_root: Path,
        cut: Cutter,
        announce: Announce,
        *,
        pre_s: float,
        post_s: float,
        pauses_s: Sequence[float] = _PAUSES_S,
        on_clip: Sequence[Along] = (),
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._database = database
        self._media_root = media_root
        self._cut = cut
        self._announce = announce
        self._pre_s = pre_s
        self._post_s = post_s
        self._pauses_s = pauses_s
        self._on_clip = on_clip
        self._elsewhere = elsewhere
        self._due: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._known: set[str] = set()
        self._news = asyncio.Event()

    def add(self, alarm: Alarm) -> None:
        """Remember to cut this alarm's clip."""
        if alarm.clip_state is ClipState.PENDING and alarm.id not in self._known:
            self._known.add(alarm.id)
            self._put(_Job(alarm), self._complete_at(alarm))

    async def run(self) -> None:
        """Until cancelled; begins with the clips that an earlier run left pending."""
        await self._resume()
        while True:
            pause = self._due[0][0] - time.time() if self._due else None
            if pause is None or pause > 0:
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                continue
            await self._work(heapq.heappop(self._due)[2])

    async def _resume(self) -> None:
        while True:
            try:
                async with self._database.read() as session:
                    pending = await pending_clips(session)
            except SQLAlchemyError as error:
                log.error("clips.waiting", message=f"the store cannot be read: {error}")
                await asyncio.sleep(self._pauses_s[-1])
                continue
            for alarm in pending:
                self.add(alarm)
            return

    async def _work(self, job: _Job) -> None:
        job.tries += 1
        outcome = await self._outcome(job)
        if outcome is None and await self._handed_over(job):
            self._known.discard(job.alarm.id)
            return
        if outcome is None:
            self._put(job, time.time() + self._pauses_s[min(job.tries, len(self._pauses_s)) - 1])
            return
        try:
            async with self._database.write() as session:
                outcome = await save_clip(session, outcome)
                for along in self._on_clip:
                    await along(session, outcome)
        except SQLAlchemyError as error:
            log.error("clip.unsaved", id=job.alarm.id, message=str(error))
            self._put(job, time.time() + self._pauses_s[-1])
            return
        self._known.discard(outcome.id)
        log.info(
            "alarm.clip", id=outcome.id, state=outcome.clip_state.value, s=outcome.clip_duration, note=outcome.clip_note
        )
        self._announce(Announcement(outcome, new=False))

    async def _handed_over(self, job: _Job) -> bool:
        """To whoever may have footage where there is none here."""
        if self._elsewhere is None or not job.missing or job.tries < _LEAST_TRIES:
            return False
        try:
            return await self._elsewhere(job.alarm)
        except SQLAlchemyError as error:
            log.error("clips.waiting", message=f"the store cannot be read: {error}")
            return False

    async def _outcome(self, job: _Job) -> Alarm | None:
        """The alarm with its clip, or without hope of one; None to try again."""
        event = job.alarm.event
        path = evidence_path(job.alarm, ".mp4")
        complete_at = self._complete_at(job.alarm)
        until = event.wall + self._post_s
        try:
            clip = await asyncio.to_thread(
                self._cut, self._media_root, event.camera, event.wall - self._pre_s, until, self._media_root / path
            )
        except StorageError as error:
            hopeless = error.code == "corrupt"
            job.missing = error.code == "missing"
            if not hopeless and (job.tries < _LEAST_TRIES or time.time() < complete_at + _PATIENCE_S):
                return None
            log.warning("clip.unavailable", id=event.id, camera=event.camera, code=error.code, message=str(error))
            return replace(job.alarm, clip_state=ClipState.UNAVAILABLE, clip_remarks=(of_error(error),))
        if clip.start + clip.duration_s < until - _TOLERANCE_S and time.time() < complete_at + _TAIL_PATIENCE_S:
            return None
        return replace(
            job.alarm,
            clip_state=ClipState.READY,
            clip=path,
            clip_start=clip.start,
            clip_duration=clip.duration_s,
            clip_remarks=clip.remarks,
        )

    def _complete_at(self, alarm: Alarm) -> float:
        # By arrival, which is this host's clock; the camera's may be hours off.
        return min(alarm.event.arrival, alarm.raised) + self._post_s + _SETTLE_S

    def _put(self, job: _Job, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._order), job))
        self._news.set()

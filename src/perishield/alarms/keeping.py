"""Keeps what the policies and the holds ask for out of the temporary pool, before its ring takes it.

Nothing is remembered on disk: what is to be kept follows from the alarms and holds in the database, so a restart keeps
on where the last run stopped. Windows whose end has passed and whose segments are closed are done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from perishield.log import Log
from perishield.model.alarms import Alarm
from perishield.model.footage import Hold
from perishield.model.media import SegmentRow
from perishield.model.site import Camera, RecordMode
from perishield.recording.keep import keep
from perishield.store.alarms import alarms_since
from perishield.store.cameras import list_cameras
from perishield.store.database import Database
from perishield.store.holds import list_holds
from perishield.streams.policy import in_windows

log = Log("keep")

_ROUND_S = 2.0
_IDLE_S = 20.0
_SETTLE_S = 15.0
"""A window may be done this long after its end: chunks are on the disk by then, though camera clocks are a bit off."""
_FARTHEST_S = 1200.0
"""Pre-roll and post-roll together are bounded by the API."""
_MOST_KNOWN = 200_000


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) of a camera (Unix seconds) that is to be kept. `keys`: the alarms and holds that ask for it."""

    camera: str
    start: float
    end: float
    keys: frozenset[str]


class Keeper:
    """Keeps footage of the pool around alarms of cameras in mode `event`, and all of it that is held.

    `on_kept` gets each kept segment's row and its path in the pool.
    """

    def __init__(
        self,
        database: Database,
        media: Path,
        on_kept: Callable[[SegmentRow, str], None],
        *,
        pool_s: float,
        round_s: float = _ROUND_S,
    ) -> None:
        self._database = database
        self._media = media
        self._on_kept = on_kept
        self._pool_s = pool_s
        self._round_s = round_s
        self._news = asyncio.Event()
        self._known: set[str] = set()
        self._done: set[str] = set()
        self._failing = False

    def look_again(self) -> None:
        """An alarm was raised or a hold placed."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            waiting = await self.step()
            self._news.clear()
            with suppress(TimeoutError):
                # Without anything under way only news, or a camera's changed policy, make work.
                await asyncio.wait_for(self._news.wait(), self._round_s if waiting else _IDLE_S)

    async def step(self) -> bool:
        """Keep what is to be kept now; returns whether something will follow."""
        now = time.time()
        try:
            windows = await self._windows(now)
        except SQLAlchemyError as error:
            log.error("keep.waiting", message=f"the store cannot be read: {error}")
            return True
        for window in windows:
            try:
                kept = await asyncio.to_thread(keep, self._media, window.camera, window.start, window.end, self._known)
            except OSError as error:
                if not self._failing:
                    log.error("keep.failed", camera=window.camera, message=str(error))
                self._failing = True
                continue
            self._failing = False
            if window.end + _SETTLE_S < now and not kept.waiting:
                self._done |= window.keys
            self._known |= kept.done
            for row, pooled in kept.rows:
                log.info("keep.kept", camera=row.camera, path=row.path, s=round(row.duration, 3))
                self._on_kept(row, pooled)
        return bool(windows)

    async def _windows(self, now: float) -> list[Window]:
        oldest = now - self._pool_s - _SETTLE_S
        async with self._database.read() as session:
            cameras = {camera.id: camera for camera in await list_cameras(session)}
            alarms = await alarms_since(session, oldest - _FARTHEST_S)
            holds = await list_holds(session, None, oldest, now)
        asked = [
            window
            for window in (*around_alarms(cameras, alarms), *held(holds, now))
            if window.end > oldest and window.start < now
        ]
        # What nobody asks for any more need not be remembered.
        self._done &= {key for window in asked for key in window.keys}
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        return merged(
            replace(window, start=max(window.start, oldest)) for window in asked if not window.keys <= self._done
        )


def around_alarms(cameras: Mapping[str, Camera], alarms: Iterable[Alarm]) -> Iterator[Window]:
    """What the policies of cameras in mode `event` keep."""
    for alarm in alarms:
        camera = cameras.get(alarm.event.camera)
        if camera is None or camera.recording.mode is not RecordMode.EVENT:
            continue
        policy, wall = camera.recording, alarm.event.wall
        if not policy.windows or in_windows(policy, wall):
            yield Window(camera.id, wall - policy.pre_s, wall + policy.post_s, frozenset((alarm.id,)))


def held(holds: Iterable[Hold], now: float) -> Iterator[Window]:
    """What holds ask for up to now; one that reaches into the future is never done."""
    for hold in holds:
        key = f"{hold.id} {hold.start} {hold.until}"
        yield Window(hold.camera, hold.start, min(hold.until, now + _SETTLE_S), frozenset((key,)))


def merged(windows: Iterable[Window]) -> list[Window]:
    """The same with those of one camera that touch in one."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda one: (one.camera, one.start, one.end)):
        last = found[-1] if found else None
        if last is not None and last.camera == window.camera and window.start <= last.end:
            found[-1] = replace(last, end=max(last.end, window.end), keys=last.keys | window.keys)
        else:
            found.append(window)
    return found

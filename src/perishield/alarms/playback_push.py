"""The clip of an alarm from another maker's recorder, where this node has no footage of its own.

Recorders close their files late: footage of a moment is often found 20 to 40 s after it, so it is asked for again and
again until it is there or hope is gone. One request at a time: recorders serve few. Once the clip lies here it is
announced like one of our own, and the outbox pushes its address on.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.intake import Along, Announce, Announcement
from perishield.log import Log
from perishield.model.alarms import Alarm, ClipState
from perishield.model.device_reach import DeviceReach
from perishield.model.errors import SourceError
from perishield.model.recorders import Recorder, RecorderKind
from perishield.model.remarks import Remark
from perishield.sources.dahua import DahuaRecorder
from perishield.sources.device_http import DeviceHttp
from perishield.sources.hikvision import Found, HikvisionRecorder
from perishield.store.alarms import save_clip
from perishield.store.database import Database
from perishield.store.recorders import get_recorder

log = Log("clips")

_PAUSES_S = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
_GIVE_UP_S = 900.0
_REMUX_S = 120.0
_FETCH_S = 300.0
_SLACK_S = 1.0
"""So much may be missing at the end: recorders cut at key frames."""
_STUBBORN = frozenset({"auth_failed", "refused", "recorder_gone"})

PathOf = Callable[[Alarm, str], str]


class _Footage(Protocol):
    suffix: str

    async def search(self, start: float, end: float) -> list[Found]: ...
    async def download(self, piece: Found, path: Path) -> None: ...


@dataclass(slots=True)
class _Job:
    alarm: Alarm
    began: float
    tries: int = 0


class PlaybackPush:
    """`take` an alarm whose clip cannot be cut here; `run` until cancelled."""

    def __init__(
        self,
        database: Database,
        media_root: Path,
        path_of: PathOf,
        announce: Announce,
        *,
        pre_s: float,
        post_s: float,
        on_clip: Sequence[Along] = (),
        pauses_s: Sequence[float] = _PAUSES_S,
        give_up_s: float = _GIVE_UP_S,
        reach: DeviceReach | None = None,
        loopback: bool = False,
    ) -> None:
        self._database = database
        self._media_root = media_root
        self._path_of = path_of
        self._announce = announce
        self._pre_s = pre_s
        self._post_s = post_s
        self._on_clip = on_clip
        self._pauses_s = pauses_s
        self._give_up_s = give_up_s
        self._reach = reach
        self._loopback = loopback
        self._due: list[tuple[float, int, _Job]] = []
        self._order = itertools.count()
        self._known: set[str] = set()
        self._news = asyncio.Event()

    async def take(self, alarm: Alarm) -> bool:
        """Whether its camera has a recorder, which is then asked. Raises SQLAlchemyError."""
        async with self._database.read() as session:
            if await get_recorder(session, alarm.event.camera) is None:
                return False
        if alarm.id not in self._known:
            self._known.add(alarm.id)
            self._put(_Job(alarm, time.time()), time.time())
        return True

    async def run(self) -> None:
        while True:
            pause = self._due[0][0] - time.time() if self._due else None
            if pause is None or pause > 0:
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                continue
            await self._work(heapq.heappop(self._due)[2])

    async def _work(self, job: _Job) -> None:
        job.tries += 1
        try:
            done = await self._try(job)
        except SourceError as error:
            log.info("clip.elsewhere", id=job.alarm.id, code=error.code, tries=job.tries, message=error.message)
            if error.code not in _STUBBORN and time.time() < job.began + self._give_up_s:
                pause = self._pauses_s[min(job.tries, len(self._pauses_s)) - 1]
                self._put(job, time.time() + pause)
                return
            done = replace(job.alarm, clip_state=ClipState.UNAVAILABLE, clip_remarks=(_given_up(error),))
        except SQLAlchemyError as error:
            log.error("clips.waiting", message=f"the store cannot be read: {error}")
            self._put(job, time.time() + self._pauses_s[-1])
            return
        await self._save(job, done)

    async def _save(self, job: _Job, done: Alarm) -> None:
        try:
            async with self._database.write() as session:
                await save_clip(session, done)
                for along in self._on_clip:
                    await along(session, done)
        except SQLAlchemyError as error:
            log.error("clip.unsaved", id=done.id, message=str(error))
            self._put(job, time.time() + self._pauses_s[-1])
            return
        self._known.discard(done.id)
        log.info("alarm.clip", id=done.id, state=done.clip_state.value, s=done.clip_duration, note=done.clip_note)
        self._announce(Announcement(done, new=False))

    async def _try(self, job: _Job) -> Alarm:
        async with self._database.read() as session:
            recorder = await get_recorder(session, job.alarm.event.camera)
        if recorder is None:
            raise SourceError("the camera's recorder was taken away", code="recorder_gone")
        http = DeviceHttp(
            recorder.url, recorder.username, recorder.password, reach=self._reach, loopback=self._loopback
        )
        try:
            async with asyncio.timeout(_FETCH_S):
                return await self._fetch(footage_of(recorder, http), job.alarm, recorder)
        except TimeoutError:
            raise SourceError(f"{recorder.url}: sent no clip within {_FETCH_S:g} s", code="timeout") from None
        finally:
            await http.close()

    async def _fetch(self, footage: _Footage, alarm: Alarm, recorder: Recorder) -> Alarm:
        start, end = alarm.event.wall - self._pre_s, alarm.event.wall + self._post_s
        pieces = await footage.search(start, end)
        whole = [one for one in pieces if one.start <= alarm.event.wall and one.end >= end - _SLACK_S]
        if not whole:
            raise SourceError(
                f"recorder of camera '{alarm.event.camera}': no footage of that time yet", code="no_footage"
            )
        piece = whole[0]
        if recorder.kind is RecorderKind.DAHUA:
            # Loaded by time: what is not asked for is not sent.
            piece = replace(piece, start=max(piece.start, start), end=min(piece.end, end))
        path = self._path_of(alarm, ".mp4")
        target = self._media_root / path
        part = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
        raw = part.with_suffix(footage.suffix)
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        try:
            await footage.download(piece, raw)
            told = await _remux(raw, part, max(start - piece.start, 0.0), end - start)
            await asyncio.to_thread(part.replace, target)
        finally:
            for left in (raw, part):
                left.unlink(missing_ok=True)
        return replace(
            alarm,
            clip_state=ClipState.READY,
            clip=path,
            clip_start=piece.start + told["start_s"],
            clip_duration=told["duration_s"],
            clip_remarks=(_from(recorder),),
        )

    def _put(self, job: _Job, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._order), job))
        self._news.set()


def _from(recorder: Recorder) -> Remark:
    kind = recorder.kind.value
    return Remark("from_recorder", f"from the {kind} recorder", {"recorder": kind})


def _given_up(error: SourceError) -> Remark:
    said = error.message[:500]
    return Remark("recorder_failed", said, {"error": error.code, "detail": said})


def footage_of(recorder: Recorder, http: DeviceHttp) -> _Footage:
    """The recorder in its own words."""
    if recorder.kind is RecorderKind.HIKVISION:
        return HikvisionRecorder(http, recorder.channel, recorder.clock)
    return DahuaRecorder(http, recorder.channel, recorder.clock)


async def _remux(source: Path, target: Path, skip_s: float, lasts_s: float) -> dict[str, float]:
    order = {"source": str(source), "target": str(target), "skip_s": skip_s, "lasts_s": lasts_s}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perishield.sources.ffmpeg.remux",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_REMUX_S):
            out, _ = await process.communicate(json.dumps(order).encode())
    except TimeoutError:
        raise SourceError("what the recorder sent could not be read in time", code="timeout") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        told = json.loads(out)
    except ValueError:
        raise SourceError("what the recorder sent broke its reader", code="not_a_video") from None
    if "error" in told:
        raise SourceError(f"what the recorder sent cannot be read: {told['error']}", code="not_a_video")
    found: dict[str, float] = told
    return found

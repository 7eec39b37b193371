"""Clips are cut from real footage, waited for while it is not there, and taken up again after a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import av
import pytest

from perishield.alarms.clips import ClipScheduler, evidence_path
from perishield.alarms.intake import Announcement, raise_alarm
from perishield.model.alarms import Alarm, ClipState, Event
from perishield.model.errors import StorageError
from perishield.recording.clip import ClipResult, cut_clip
from perishield.store.alarms import add_alarm, get_alarm
from perishield.store.database import Database


class Heard(Protocol):
    """What was announced, in order (see conftest)."""

    def append(self, announcement: Announcement, /) -> None: ...
    async def reach(self, count: int) -> None: ...
    def __getitem__(self, index: int, /) -> Announcement: ...
    def __iter__(self) -> Iterator[Announcement]: ...


MakeEvent = Callable[..., Event]
Record = Callable[..., None]


def long_ago(make_event: MakeEvent, name: str = "e1") -> Alarm:
    """An alarm whose footage should have been there for long."""
    return raise_alarm(make_event(name), "Gate", 1_790_000_001.0)


@asynccontextmanager
async def running(scheduler: ClipScheduler) -> AsyncIterator[None]:
    task = asyncio.create_task(scheduler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_clip_holds_the_crossing_with_its_before_and_after(
    database: Database, heard: Heard, make_event: MakeEvent, record: Record, tmp_path: Path
) -> None:
    alarm = long_ago(make_event)
    record("gate", alarm.event.wall - 7)
    async with database.write() as session:
        await add_alarm(session, alarm)
    scheduler = ClipScheduler(database, tmp_path / "media", cut_clip, heard.append, pre_s=5, post_s=5)
    scheduler.add(alarm)
    async with running(scheduler):
        await heard.reach(1)
    found = heard[0].alarm
    assert not heard[0].new
    assert found.clip_state is ClipState.READY, found.clip_note
    assert found.clip == evidence_path(alarm, ".mp4") == "evidence/2026-09-21/e1.mp4"
    assert 5 <= alarm.event.wall - found.clip_start <= 6.1
    assert 10 <= found.clip_duration <= 12
    with av.open(str(tmp_path / "media" / found.clip)) as container:
        assert len(list(container.decode(video=0))) == pytest.approx(found.clip_duration * 25, abs=2)
    async with database.read() as session:
        assert await get_alarm(session, "e1") == replace(found, event=alarm.event)


async def test_footage_that_is_not_there_yet_is_waited_for(
    database: Database, heard: Heard, make_event: MakeEvent, record: Record, tmp_path: Path
) -> None:
    now = time.time()
    alarm = raise_alarm(make_event("e1", wall=now - 6, arrival=now - 6), "Gate", now)
    async with database.write() as session:
        await add_alarm(session, alarm)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def cut(media: Path, camera: str, start: float, end: float, target: Path, /) -> ClipResult:
        try:
            return cut_clip(media, camera, start, end, target)
        finally:
            loop.call_soon_threadsafe(asked.set)

    scheduler = ClipScheduler(database, tmp_path / "media", cut, heard.append, pre_s=5, post_s=5, pauses_s=(0.05,))
    scheduler.add(alarm)
    async with running(scheduler):
        async with asyncio.timeout(20):
            await asked.wait()
        assert list(heard) == []
        record("gate", now - 13)
        await heard.reach(1)
    assert heard[0].alarm.clip_state is ClipState.READY


async def test_without_footage_the_alarm_says_why_it_has_no_clip(
    database: Database, heard: Heard, make_event: MakeEvent, tmp_path: Path
) -> None:
    alarm = long_ago(make_event)
    async with database.write() as session:
        await add_alarm(session, alarm)
    scheduler = ClipScheduler(database, tmp_path / "media", cut_clip, heard.append, pre_s=5, post_s=5, pauses_s=(0.01,))
    scheduler.add(alarm)
    async with running(scheduler):
        await heard.reach(1)
    found = heard[0].alarm
    assert found.clip_state is ClipState.UNAVAILABLE
    assert "no footage" in found.clip_note
    assert [(one.code, one.params) for one in found.clip_remarks] == [("missing", {"camera": "gate"})]
    assert found.clip == ""
    async with database.read() as session:
        assert await get_alarm(session, "e1") == replace(found, event=alarm.event)


async def test_a_full_disk_is_tried_again_then_told(
    database: Database, heard: Heard, make_event: MakeEvent, tmp_path: Path
) -> None:
    alarm = long_ago(make_event)
    async with database.write() as session:
        await add_alarm(session, alarm)
    tries: list[Path] = []

    def cut(media: Path, camera: str, start: float, end: float, target: Path, /) -> ClipResult:
        tries.append(target)
        raise StorageError("camera 'gate': the disk is full; free some space", code="disk_full")

    scheduler = ClipScheduler(database, tmp_path, cut, heard.append, pre_s=5, post_s=5, pauses_s=(0.01,))
    scheduler.add(alarm)
    async with running(scheduler):
        await heard.reach(1)
    assert len(tries) == 3
    assert "disk is full" in heard[0].alarm.clip_note


async def test_clips_left_pending_are_cut_after_a_restart(
    database: Database, heard: Heard, make_event: MakeEvent, record: Record, tmp_path: Path
) -> None:
    alarms = [long_ago(make_event, f"e{number}") for number in range(3)]
    record("gate", alarms[0].event.wall - 7)
    async with database.write() as session:
        for alarm in alarms:
            await add_alarm(session, alarm)
    async with running(ClipScheduler(database, tmp_path / "media", cut_clip, heard.append, pre_s=5, post_s=5)):
        await heard.reach(3)
    assert {each.alarm.id for each in heard} == {"e0", "e1", "e2"}
    assert all(each.alarm.clip_state is ClipState.READY for each in heard)


async def test_an_alarm_is_cut_once_however_often_it_is_added(
    database: Database, heard: Heard, make_event: MakeEvent, record: Record, tmp_path: Path
) -> None:
    alarm, last = long_ago(make_event), long_ago(make_event, "e2")
    record("gate", alarm.event.wall - 7)
    async with database.write() as session:
        await add_alarm(session, alarm)
        await add_alarm(session, last)
    scheduler = ClipScheduler(database, tmp_path / "media", cut_clip, heard.append, pre_s=5, post_s=5)
    for _ in range(3):
        scheduler.add(alarm)
    scheduler.add(last)
    async with running(scheduler):
        await heard.reach(2)
    assert [each.alarm.id for each in heard] == ["e1", "e2"]


@pytest.mark.parametrize("wall", [1e300, -1e300])
def test_a_wall_clock_that_no_calendar_has_still_gives_a_folder(make_event: MakeEvent, wall: float) -> None:
    alarm = raise_alarm(make_event("e1", wall=wall), "Gate", 1_790_000_001.0)
    assert evidence_path(alarm, ".mp4") == "evidence/2026-09-21/e1.mp4"

"""Alarms are stored once, listed newest first, and outlive their cameras."""

from __future__ import annotations

from dataclasses import replace

from perishield.model.alarms import Alarm, AlarmState, ClipState, Event, EventKind
from perishield.model.site import Camera
from perishield.store.alarm_list import list_alarms
from perishield.store.alarms import AlarmFilter, add_alarm, get_alarm, pending_clips, save_clip
from perishield.store.cameras import add_camera, delete_camera
from perishield.store.database import Database


def make_alarm(name: str, *, camera: str = "gate", wall: float = 1000.0, level: int = 2) -> Alarm:
    event = Event(
        id=name,
        camera=camera,
        epoch=3,
        kind=EventKind.FENCE,
        rule={"id": "fence", "name": "围栏", "kind": "fence", "outer": [[0, 0], [1, 1]]},
        level=level,
        label="person",
        score=0.75,
        track=7,
        stream_time=2**40,
        wall=wall,
        arrival=wall + 0.2,
        point=(0.5, 0.25),
        direction="left_to_right",
        box=(0.1, 0.2, 0.3, 0.4),
        path=((2**40 - 90_000, 0.4, 0.2), (2**40, 0.5, 0.25)),
        detector="yolox_nano",
    )
    return Alarm(
        id=name,
        event=event,
        state=AlarmState.NEW,
        level=level,
        raised=wall + 0.4,
        camera_name="Gate",
        clip_state=ClipState.PENDING,
        group=name,
        group_began=wall,
    )


async def test_an_alarm_comes_back_whole(database: Database) -> None:
    alarm = make_alarm("a")
    async with database.write() as session:
        assert await add_alarm(session, alarm)
    async with database.read() as session:
        stored = await get_alarm(session, "a")
    assert stored is not None
    assert replace(stored, event=alarm.event) == alarm
    assert stored.event.path == alarm.event.path
    assert stored.event.stream_time == 2**40


async def test_the_same_alarm_is_stored_once(database: Database) -> None:
    async with database.write() as session:
        assert await add_alarm(session, make_alarm("a"))
        assert not await add_alarm(session, make_alarm("a", level=1))
    async with database.write() as session:
        assert not await add_alarm(session, make_alarm("a"))
        page = await list_alarms(session, AlarmFilter(), limit=10)
    assert page.total == 1
    assert page.items[0].level == 2


async def test_pages_follow_one_another_without_gap_or_overlap(database: Database) -> None:
    async with database.write() as session:
        for number in range(25):
            await add_alarm(session, make_alarm(f"a{number}", wall=1000.0 + number % 7))
    seen: list[str] = []
    before = None
    async with database.read() as session:
        while True:
            page = await list_alarms(session, AlarmFilter(), limit=10, before=before)
            seen += [alarm.id for alarm in page.items]
            assert (page.total, page.exact) == (25, True)
            before = page.next
            if before is None:
                break
        assert (await list_alarms(session, AlarmFilter(), limit=10, before="unknown")).items == []
    assert seen == [f"a{number}" for number in reversed(range(25))]


async def test_filters_narrow_the_list(database: Database) -> None:
    async with database.write() as session:
        await add_alarm(session, make_alarm("a", camera="gate", wall=1000, level=1))
        await add_alarm(session, make_alarm("b", camera="yard", wall=2000, level=2))
        await add_alarm(session, make_alarm("c", camera="gate", wall=3000, level=2))

        async def found(wanted: AlarmFilter) -> list[str]:
            return [alarm.id for alarm in (await list_alarms(session, wanted, limit=10)).items]

        assert await found(AlarmFilter(camera="gate")) == ["c", "a"]
        assert await found(AlarmFilter(level=2, camera="gate")) == ["c"]
        assert await found(AlarmFilter(start=2000, end=3000)) == ["b"]
        assert await found(AlarmFilter(rule="fence", kind="fence")) == ["c", "b", "a"]
        assert await found(AlarmFilter(kind="tripwire")) == []


async def test_a_clip_is_written_down_and_no_longer_pending(database: Database) -> None:
    alarm = make_alarm("a")
    async with database.write() as session:
        await add_alarm(session, alarm)
        await add_alarm(session, make_alarm("b"))
        assert [found.id for found in await pending_clips(session)] == ["a", "b"]
        await save_clip(
            session,
            replace(alarm, clip_state=ClipState.READY, clip="evidence/a.mp4", clip_start=995.5, clip_duration=10.2),
        )
    async with database.read() as session:
        assert [found.id for found in await pending_clips(session)] == ["b"]
        stored = await get_alarm(session, "a")
    assert stored is not None
    assert (stored.clip, stored.clip_start, stored.clip_duration) == ("evidence/a.mp4", 995.5, 10.2)


async def test_alarms_outlive_their_camera(database: Database) -> None:
    async with database.write() as session:
        await add_camera(session, Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/"))
        await add_alarm(session, make_alarm("a"))
    async with database.write() as session:
        assert await delete_camera(session, "gate")
    async with database.read() as session:
        assert await get_alarm(session, "a") is not None

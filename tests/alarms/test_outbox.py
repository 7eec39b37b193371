"""Deliveries: booked with the alarm, sent in order, once, whatever fails. The same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receivers import DingTalkRobot, Receiver, Reply
from sqlalchemy import text

from perishield.alarms.channels.sender import Links
from perishield.alarms.intake import Intake, raise_alarm
from perishield.alarms.outbox import Outbox
from perishield.alarms.routing import book, quiet_until
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Alarm, ClipState, Event
from perishield.model.channels import (
    Channel,
    DeliveryState,
    DingTalk,
    Pace,
    Quiet,
    Route,
    Target,
    Topic,
    Webhook,
)
from perishield.model.schedule import Hours, NamedSchedule, Schedule
from perishield.store.alarms import add_alarm
from perishield.store.channels import add_channel, change_channel, get_channel
from perishield.store.database import Database
from perishield.store.delivery_log import DeliveryFilter, count_deliveries, list_deliveries
from perishield.store.outbox import Delivery, release_held, revive
from perishield.store.schedules import add_schedule, update_schedule
from perishield.store.sealing import KEY_FILE, Keyring

MakeEvent = Callable[..., Event]
QUICK = Pace(first_retry_s=0.05, most_retry_s=0.2)
ALWAYS = Schedule(windows=(Hours(days=tuple(range(7))),))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[Path], str]
) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        opened = await Database.open(new_database(tmp_path / "perishield.db"))
        yield opened
        await opened.close()
        return
    opened = await Database.open(request.getfixturevalue("cluster"), Keyring(tmp_path / KEY_FILE))
    yield opened
    async with opened.write() as session:
        await session.execute(text("TRUNCATE schedules, channels, deliveries, delivery_counts, alarms CASCADE"))
    await opened.close()


def link(alarm: Alarm) -> Links:
    clip = f"https://node.example/{alarm.clip}" if alarm.clip else ""
    return Links(console=f"https://node.example/alarms/{alarm.id}", clip=clip)


@asynccontextmanager
async def running(database: Database, tmp_path: Path, owner: str = "node") -> AsyncIterator[Outbox]:
    outbox = Outbox(database, tmp_path / "media", link, owner)
    task = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def add(database: Database, target: Target, secrets: dict[str, str] | None = None, **more: Any) -> Channel:
    values: dict[str, Any] = {"id": "hook", "name": "Hook", "pace": QUICK, **more}
    async with database.write() as session:
        return (await add_channel(session, Channel(target=target, **values), secrets or {})).channel


async def tell(database: Database, make_event: MakeEvent, name: str, camera: str = "gate", level: int = 2) -> Alarm:
    """Store an alarm as the intake does."""
    alarm = raise_alarm(replace(make_event(name, camera=camera), level=level), camera.title(), time.time())
    async with database.write() as session:
        assert await add_alarm(session, alarm)
        await book(session, alarm, Topic.RAISED, time.time())
    return alarm


async def found(database: Database, **wanted: Any) -> list[Delivery]:
    async with database.read() as session:
        return (await list_deliveries(session, DeliveryFilter(**wanted), limit=500))[0][::-1]


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await true():
                return
            await asyncio.sleep(0.02)


async def settled(database: Database, count: int, state: DeliveryState = DeliveryState.DELIVERED) -> None:
    async def enough() -> bool:
        return len(await found(database, state=state)) >= count

    await until(enough)


async def test_alarm_and_delivery_stand_or_fall_together(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    await add(database, Webhook(url="http://127.0.0.1:9/", reach="host"))
    spool = Spool(tmp_path / "spool.db")
    outbox = Outbox(database, tmp_path, link, "node")

    async def fail(_session: object, _alarm: Alarm) -> None:
        raise RuntimeError("power cut")

    spool.put("e1", encode(make_event("e1")))
    with pytest.raises(RuntimeError):
        await Intake(spool, database, lambda _: None, [outbox.raised, fail]).drain()
    assert await found(database) == []
    for _ in range(2):
        spool.put("e1", encode(make_event("e1")))
        assert await Intake(spool, database, lambda _: None, [outbox.raised]).drain() == 1
    (only,) = await found(database)
    assert (only.key, only.sequence, only.state) == ("hook.e1.raised", 1, DeliveryState.WAITING)
    spool.close()


async def test_order_is_kept_for_a_camera_and_no_camera_waits_for_another(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    refused = 0

    def moody(request: Any) -> Reply:
        nonlocal refused
        if request.json["data"]["camera"]["id"] == "gate" and refused < 3:
            refused += 1
            return Reply(500)
        return Reply()

    async with Receiver(moody).running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        for number in range(6):
            await tell(database, make_event, f"g{number}")
            await tell(database, make_event, f"y{number}", camera="yard")
        async with running(database, tmp_path):
            await settled(database, 12)
    told = [(one.json["data"]["camera"]["id"], one.json["data"]["id"], one.json["data"]["sequence"]) for one in
            receiver.requests]  # fmt: skip
    gate = [name for camera, name, _ in told if camera == "gate"]
    assert gate == ["g0"] * 4 + ["g1", "g2", "g3", "g4", "g5"]
    assert [count for camera, _, count in told if camera == "yard"] == [1, 2, 3, 4, 5, 6]
    assert told.index(("yard", "y1", 2)) < told.index(("gate", "g1", 2)), "yard did not wait for gate"
    keys = {one.headers["idempotency-key"] for one in receiver.requests if one.json["data"]["id"] == "g0"}
    assert keys == {"hook.g0.raised"}, "every try has the same key"
    assert (await found(database, alarm="g0"))[0].attempts == 4


async def test_what_is_refused_dies_with_its_reason_and_can_be_revived(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    bad = {"e1"}
    async with Receiver(lambda one: Reply(422 if one.json["data"]["id"] in bad else 200, b"no")).running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        for name in ("e0", "e1", "e2"):
            await tell(database, make_event, name)
        async with running(database, tmp_path) as outbox:
            await settled(database, 2)
            (dead,) = await found(database, state=DeliveryState.DEAD)
            assert (dead.alarm, dead.status, dead.answer) == ("e1", 422, "no")
            assert "422" in dead.reason
            bad.clear()
            async with database.write() as session:
                assert await revive(session, time.time(), number=dead.number) == 1
            outbox.look_again()
            await settled(database, 3)
    assert [one.json["data"]["sequence"] for one in receiver.requests] == [1, 2, 3, 4]


async def test_a_stale_alarm_is_given_up_with_what_was_last_answered(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    async with Receiver(lambda _: Reply(503)).running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"), pace=Pace(first_retry_s=0.05, give_up_s=10.0))
        await tell(database, make_event, "e0")
        async with running(database, tmp_path):
            await receiver.reach(2)
            async with database.write() as session:
                await session.execute(text("UPDATE deliveries SET created = created - 3600"))
            await settled(database, 1, DeliveryState.DEAD)
    (dead,) = await found(database)
    assert "not delivered within" in dead.reason
    assert "503" in dead.reason


async def test_a_receiver_that_refuses_us_is_left_alone_until_somebody_sees_to_it(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    async with Receiver(lambda one: Reply(200 if "authorization" in one.headers else 401)).running() as receiver:
        channel = await add(database, Webhook(url=receiver.url, reach="host"))
        for number in range(3):
            await tell(database, make_event, f"e{number}", camera=f"cam-{number}")
        async with running(database, tmp_path) as outbox:

            async def troubled() -> bool:
                async with database.read() as session:
                    stored = await get_channel(session, "hook")
                return stored is not None and "401" in stored.trouble and stored.paused_until > time.time()

            await until(troubled)
            asked = len(receiver.requests)
            assert asked <= 3
            async with database.write() as session:
                await change_channel(session, channel, {"authorization": "Bearer x"}, None)
            outbox.look_again()
            await settled(database, 3)
            async with database.read() as session:
                stored = await get_channel(session, "hook")
    assert stored is not None
    assert (stored.trouble, stored.paused_until) == ("", 0.0)


async def test_a_dead_channel_delays_no_other(database: Database, tmp_path: Path, make_event: MakeEvent) -> None:
    async with Receiver(lambda _: Reply(after_s=60)).running() as silent, Receiver().running() as good:
        await add(database, Webhook(url=silent.url, reach="host", timeout_s=30), id="silent")
        await add(database, Webhook(url=good.url, reach="host"), id="good")
        for number in range(5):
            await tell(database, make_event, f"e{number}")
        async with running(database, tmp_path):
            await good.reach(5)
        assert len(silent.requests) == 1


async def test_a_clip_is_told_after_its_alarm(database: Database, tmp_path: Path, make_event: MakeEvent) -> None:
    async with Receiver().running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        alarm = await tell(database, make_event, "e1")
        ready = replace(alarm, clip_state=ClipState.READY, clip="evidence/e1.mp4")
        async with database.write() as session:
            await session.execute(text("UPDATE alarms SET clip_state='ready', clip='evidence/e1.mp4'"))
            assert await book(session, ready, Topic.CLIP, time.time()) == 1
            assert await book(session, ready, Topic.CLIP, time.time()) == 0
            detail: dict[str, Any] = {"state": "confirmed"}
            assert await book(session, ready, Topic.UPDATE, time.time(), change="2", detail=detail) == 0
        async with running(database, tmp_path):
            await settled(database, 2)
    first, second = receiver.requests
    assert (first.json["type"], second.json["type"]) == ("alarm.raised", "alarm.clip")
    assert second.json["data"]["clip"]["url"] == "https://node.example/evidence/e1.mp4"
    assert second.headers["idempotency-key"] == "hook.e1.clip"


async def test_routes_pick_by_level_place_kind_and_hour(database: Database, make_event: MakeEvent) -> None:
    never = Schedule(windows=(Hours(days=((time.gmtime().tm_wday + 3) % 7,)),))
    for name, route in {
        "urgent": Route(levels=(1,)),
        "yard": Route(cameras=("yard",)),
        "fences": Route(kinds=("fence",)),
        "lines": Route(rules=("line",), kinds=("tripwire",)),
        "never": Route(schedule=never),
        "always": Route(schedule=ALWAYS),
    }.items():
        await add(database, Webhook(url="http://127.0.0.1:9"), id=name, route=route)
    await add(database, Webhook(url="http://127.0.0.1:9"), id="off", enabled=False)
    await tell(database, make_event, "e1")
    assert {one.channel for one in await found(database)} == {"lines", "always"}
    await tell(database, make_event, "e2", camera="yard", level=1)
    assert {one.channel for one in await found(database, alarm="e2")} == {"lines", "always", "urgent", "yard"}


async def test_a_changed_schedule_counts_for_the_next_alarm_of_those_that_name_it(
    database: Database, make_event: MakeEvent
) -> None:
    never = Schedule(windows=(Hours(days=((time.gmtime().tm_wday + 3) % 7,)),))
    shift = NamedSchedule(id="shift", name="Shift", schedule=never)
    async with database.write() as session:
        await add_schedule(session, shift)
    for name, route in {
        "told": Route(schedule_id="shift"),
        "held": Route(quiet=Quiet(schedule_id="shift")),
        "left": Route(quiet=Quiet(schedule_id="shift", then="drop")),
    }.items():
        await add(database, Webhook(url="http://127.0.0.1:9"), id=name, route=route)
    waiting, held, left = DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.SKIPPED
    for alarm, hours, booked in (
        ("before", never, [("held", waiting), ("left", waiting)]),
        ("within", ALWAYS, [("told", waiting), ("held", held), ("left", left)]),
        ("after", never, [("held", waiting), ("left", waiting)]),
    ):
        async with database.write() as session:
            await update_schedule(session, replace(shift, schedule=hours), None)
        await tell(database, make_event, alarm)
        assert [(one.channel, one.state) for one in await found(database, alarm=alarm)] == booked
    async with database.read() as session:
        stored = await get_channel(session, "told")
    assert stored is not None
    assert stored.channel.revision == 1


async def test_a_route_may_name_groups_of_cameras(database: Database, tmp_path: Path, make_event: MakeEvent) -> None:
    async def members(_session: object) -> dict[str, frozenset[str]]:
        return {"north": frozenset({"gate", "fence"})}

    await add(database, Webhook(url="http://127.0.0.1:9"), id="north", route=Route(groups=("north",)))
    both = Route(groups=("north", "gone"), cameras=("yard",))
    await add(database, Webhook(url="http://127.0.0.1:9"), id="both", route=both)
    outbox = Outbox(database, tmp_path, link, "node", groups=members)
    for camera in ("gate", "yard", "roof"):
        alarm = raise_alarm(make_event(f"{camera}-1", camera=camera), camera, time.time())
        async with database.write() as session:
            await outbox.raised(session, alarm)
    assert [(one.channel, one.camera) for one in await found(database)] == [
        ("north", "gate"),
        ("both", "gate"),
        ("both", "yard"),
    ]


async def test_quiet_hours_hold_drop_or_sum_up(database: Database, tmp_path: Path, make_event: MakeEvent) -> None:
    def quiet(then: Any) -> Route:
        return Route(topics=(Topic.RAISED, Topic.CLIP), quiet=Quiet(schedule=ALWAYS, then=then, urgent=1))

    async with Receiver().running() as hold, Receiver(DingTalkRobot(token="t")).running() as robot:
        await add(database, Webhook(url=hold.url, reach="host"), id="hold", route=quiet("hold"))
        await add(database, Webhook(url=hold.url, reach="host"), id="drop", route=quiet("drop"))
        ding = DingTalk(url=robot.url, reach="host")
        await add(database, ding, {"token": "t"}, id="ding", route=quiet("digest"))
        alarms = [await tell(database, make_event, f"e{number}") for number in range(3)]
        await tell(database, make_event, "urgent", level=1)
        async with database.write() as session:
            for alarm in alarms:
                await book(session, replace(alarm, clip_state=ClipState.UNAVAILABLE), Topic.CLIP, time.time())
        states = {(one.channel, one.alarm, one.topic): one.state for one in await found(database)}
        assert states["hold", "e0", Topic.RAISED] is DeliveryState.HELD
        assert states["hold", "e0", Topic.CLIP] is DeliveryState.HELD
        assert states["drop", "e0", Topic.RAISED] is DeliveryState.SKIPPED
        assert ("drop", "e0", Topic.CLIP) not in states
        assert ("ding", "e0", Topic.CLIP) not in states
        async with running(database, tmp_path) as outbox:
            await settled(database, 3)
            assert {one.alarm for one in await found(database, state=DeliveryState.DELIVERED)} == {"urgent"}
            async with database.write() as session:
                await session.execute(text("UPDATE deliveries SET due = 0 WHERE state = 'held'"))
            outbox.look_again()
            await settled(database, 3 + 6 + 3)
    shown = [one.json["data"] for one in hold.requests if one.headers["idempotency-key"].startswith("hold.")]
    assert [one["sequence"] for one in shown] == list(range(1, 8))
    assert [one["id"] for one in shown] == ["urgent", "e0", "e1", "e2", "e0", "e1", "e2"]
    assert len(robot.requests) == 2
    assert "3 alarms" in robot.requests[1].json["actionCard"]["title"]


async def test_a_burst_for_a_robot_is_told_in_few_messages_and_never_too_fast(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    group = DingTalkRobot(token="t")
    async with Receiver(group).running() as receiver:
        await add(database, DingTalk(url=receiver.url, reach="host"), {"token": "t"}, pace=Pace())
        for number in range(100):
            await tell(database, make_event, f"e{number}", camera=f"cam-{number % 7}")
        async with running(database, tmp_path):
            await settled(database, 100)
    assert len(group.shown) <= 18
    assert {one.attempts for one in await found(database)} == {1}


async def test_the_limit_a_minute_outlives_the_process(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    async with Receiver().running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"), pace=Pace(per_minute=5, parallel=1))
        for number in range(20):
            await tell(database, make_event, f"e{number}")
        async with running(database, tmp_path):
            await settled(database, 5)
        async with running(database, tmp_path):
            done, _ = await asyncio.wait({asyncio.create_task(receiver.reach(6))}, timeout=1.0)
            assert not done
            async with database.write() as session:
                await session.execute(text("UPDATE deliveries SET tried = tried - 60"))
            await settled(database, 10)


async def test_two_servers_share_the_work_without_doing_it_twice(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    """As several servers on one PostgreSQL do; on SQLite there is one, and it holds there as well."""
    async with Receiver().running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        for number in range(60):
            await tell(database, make_event, f"e{number}", camera=f"cam-{number % 6}")
        async with running(database, tmp_path, "one"), running(database, tmp_path, "two"):
            await settled(database, 60)
    told = [one.json["data"] for one in receiver.requests]
    assert len(told) == 60, "nothing was told twice"
    for camera in range(6):
        assert [one["sequence"] for one in told if one["camera"]["id"] == f"cam-{camera}"] == list(range(1, 11))


KILLED_WHILE_SENDING = """
import asyncio, sys
from pathlib import Path
from perishield.alarms.channels.sender import Links
from perishield.alarms.outbox import Outbox
from perishield.store.database import Database

async def main(url):
    database = await Database.open(url)
    await Outbox(database, Path("."), lambda alarm: Links(console=""), "node").run()

asyncio.run(main(sys.argv[1]))
"""


async def test_killed_while_it_sends_it_sends_again_under_the_same_key(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    async with Receiver(lambda _: Reply(after_s=60)).running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host", timeout_s=30))
        await tell(database, make_event, "e1")
        await tell(database, make_event, "e2")
        url = database.engine.url.render_as_string(hide_password=False)
        process = subprocess.Popen([sys.executable, "-c", KILLED_WHILE_SENDING, url])
        await receiver.reach(1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        (leased, waiting) = await found(database)
        assert (leased.state, waiting.state) == (DeliveryState.LEASED, DeliveryState.WAITING)
        receiver.answer = lambda _: Reply()
        async with running(database, tmp_path):
            await settled(database, 2)
    assert [one.headers["idempotency-key"] for one in receiver.requests] == [
        "hook.e1.raised",
        "hook.e1.raised",
        "hook.e2.raised",
    ]


async def test_what_another_node_sends_is_taken_over_when_its_lease_ends(
    database: Database, tmp_path: Path, make_event: MakeEvent
) -> None:
    async with Receiver().running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        await tell(database, make_event, "e1")
        async with database.write() as session:
            await session.execute(
                text("UPDATE deliveries SET state='leased', lease='other/1', due=:due"), {"due": time.time() + 1.0}
            )
        async with running(database, tmp_path):
            await settled(database, 1)
        assert len(receiver.requests) == 1


async def test_test_messages_tell_the_truth(database: Database, tmp_path: Path) -> None:
    outbox = Outbox(database, tmp_path, link, "node")
    async with Receiver(DingTalkRobot(token="t")).running() as receiver:
        channel = Channel(id="d", name="D", target=DingTalk(url=receiver.url, reach="host"))
        answer, took_ms = await outbox.try_out(channel, {"token": "t"})
        assert (answer.outcome, answer.text) == ("accepted", '{"errcode": 0, "errmsg": "ok"}')
        assert took_ms >= 0
        answer, _ = await outbox.try_out(channel, {"token": "wrong"})
        assert "token is not exist" in answer.text
        assert "[Test]" in receiver.requests[0].json["actionCard"]["title"]


async def test_counts_tell_what_became_of_it(database: Database, tmp_path: Path, make_event: MakeEvent) -> None:
    async with Receiver().running() as receiver:
        await add(database, Webhook(url=receiver.url, reach="host"))
        await tell(database, make_event, "e1")
        async with running(database, tmp_path) as outbox:
            await settled(database, 1)
            assert outbox.tries["hook", "accepted"] == 1
        async with database.read() as session:
            assert await count_deliveries(session) == [("hook", DeliveryState.DELIVERED, 1)]


async def test_what_was_held_gets_its_place_when_it_is_released(database: Database, make_event: MakeEvent) -> None:
    await add(
        database,
        Webhook(url="http://127.0.0.1:9"),
        route=Route(quiet=Quiet(schedule=ALWAYS, then="hold", urgent=0)),
    )
    for number in range(3):
        await tell(database, make_event, f"e{number}")
    assert [one.sequence for one in await found(database)] == [0, 0, 0]
    async with database.write() as session:
        assert await release_held(session, time.time()) == 0
        assert await release_held(session, time.time() + 30 * 86_400) == 3
    assert [one.sequence for one in await found(database)] == [1, 2, 3]


def test_quiet_hours_end_when_the_schedule_says() -> None:
    night = Schedule(windows=(Hours(days=tuple(range(7)), start=22 * 60, end=6 * 60),), timezone="Asia/Shanghai")
    eleven = 1_790_000_000.0 // 86_400 * 86_400 + 15 * 3600
    assert quiet_until(night, eleven) == eleven + 7 * 3600
    noon = eleven - 11 * 3600
    assert quiet_until(night, noon) == noon

"""Named schedules in the store; `test_schedules_postgresql.py` runs the same on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from perishield.model.channels import Channel, DeliveryState, Quiet, Route, Topic, Webhook
from perishield.model.rules import Tripwire
from perishield.model.schedule import Hours, NamedSchedule, Schedule, SpecialDay
from perishield.model.site import Camera
from perishield.model.tasks import Task
from perishield.store.cameras import add_camera, delete_camera
from perishield.store.channels import add_channel, change_channel, channels_to_book, delete_channel, get_channel
from perishield.store.database import Database, migrate
from perishield.store.delivery_log import DeliveryFilter, list_deliveries
from perishield.store.outbox import Booking, add_delivery
from perishield.store.rules import add_rule, list_rules, update_rule
from perishield.store.schedules import (
    Use,
    add_schedule,
    count_schedules,
    delete_schedule,
    get_schedule,
    hold_schedule,
    list_schedules,
    update_schedule,
    uses_of,
    with_hours,
)
from perishield.store.schema import MIGRATIONS
from perishield.store.tasks import add_task, list_tasks

HOURS = Schedule(
    windows=(Hours(days=(0, 4), start=1320, end=360),),
    timezone="Europe/Berlin",
    special=(SpecialDay(date="2026-12-25"),),
)
NIGHT = NamedSchedule(id="night", name="Nachtwächter", schedule=HOURS)
DAY = NamedSchedule(id="day", name="50% day", schedule=Schedule(windows=(Hours(days=(1,)),)))
LINE = Tripwire(id="line", camera="gate", name="Line", line=((0.1, 0.5), (0.9, 0.5)), schedule_id="night")
LOOK = Task(id="look", name="Look", camera="gate", schedule_id="night")

HOOK = Channel(
    id="hook",
    name="Wächter",
    target=Webhook(url="https://platform.example/hook"),
    route=Route(schedule_id="day", quiet=Quiet(schedule_id="night", then="drop")),
)
BOOKED = Booking(
    channel="hook", alarm="e1", camera="gate", topic=Topic.RAISED, key="hook.e1", state=DeliveryState.HELD, due=9.0
)


def told(hours: Route) -> Channel:
    return msgspec.structs.replace(HOOK, route=hours, revision=1)


@pytest.fixture
async def stored(database: Database) -> Database:
    async with database.write() as session:
        await add_camera(session, Camera(id="gate", name="Gate", url="rtsp://10.0.0.4/1"))
        await add_schedule(session, NIGHT)
        await add_schedule(session, DAY)
    return database


async def test_a_schedule_comes_back_as_it_was_given_and_is_found_by_its_name(stored: Database) -> None:
    night, day = replace(NIGHT, revision=1), replace(DAY, revision=1)
    async with stored.read() as session:
        assert await list_schedules(session) == ([night, day], 2)
        assert await list_schedules(session, limit=1, offset=1) == ([day], 2)
        assert await list_schedules(session, search="WÄCHTER") == ([night], 1)
        assert await list_schedules(session, search="nig") == ([night], 1)
        assert await list_schedules(session, search="%") == ([day], 1), "no wildcard"
        assert await get_schedule(session, "night") == night
        assert await get_schedule(session, "noon") is None
        assert await count_schedules(session) == 2
        assert [await hold_schedule(session, name) for name in ("day", "noon")] == [True, False]


async def test_who_changes_an_older_revision_changes_nothing(stored: Database) -> None:
    async with stored.write() as session:
        found = await update_schedule(session, replace(NIGHT, name="Late"), 1)
        assert found == replace(NIGHT, name="Late", revision=2)
        assert await update_schedule(session, replace(NIGHT, name="Later"), 1) is None
        assert await update_schedule(session, replace(NIGHT, id="noon"), None) is None
    async with stored.read() as session:
        assert await list_schedules(session, search="late") == ([found], 1)


async def test_workers_get_the_hours_of_what_is_named(stored: Database) -> None:
    own = replace(LINE, id="own", schedule=DAY.schedule, schedule_id=None)
    async with stored.write() as session:
        for rule in (LINE, own, replace(LINE, id="always", schedule_id=None)):
            await add_rule(session, rule)
        await add_task(session, LOOK)
        assert [rule.schedule_id for rule in await list_rules(session)] == ["night", None, None]
        rules = await with_hours(session, await list_rules(session))
        assert [rule.schedule for rule in rules] == [HOURS, DAY.schedule, None]
        assert {rule.schedule_id for rule in rules} == {None}
        assert await with_hours(session, await list_tasks(session)) == [
            replace(LOOK, schedule=HOURS, schedule_id=None, revision=1)
        ]
        await update_schedule(session, replace(NIGHT, schedule=DAY.schedule), None)
        (look,) = await with_hours(session, [LOOK])
        assert look.schedule == DAY.schedule


async def test_alarms_are_booked_by_the_hours_of_what_a_channel_names(stored: Database) -> None:
    own = Route(schedule=DAY.schedule, quiet=Quiet(schedule=HOURS, then="drop"))
    both = Route(schedule_id="night", quiet=Quiet(schedule_id="night"))
    async with stored.write() as session:
        kept = await add_channel(session, HOOK, {})
        assert kept.channel.route == HOOK.route
        assert await channels_to_book(session) == [told(own)]
        await update_schedule(session, replace(NIGHT, schedule=DAY.schedule), None)
        assert await channels_to_book(session) == [
            told(Route(schedule=DAY.schedule, quiet=Quiet(schedule=DAY.schedule, then="drop")))
        ]
        found = await get_channel(session, "hook")
        assert found is not None
        assert (found.channel.route, found.channel.revision) == (HOOK.route, 1)
        for route, hours in ((both, Route(schedule=DAY.schedule, quiet=Quiet(schedule=DAY.schedule))), (own, own)):
            await change_channel(session, told(route), {}, None)
            (channel,) = await channels_to_book(session)
            assert channel.route == hours


async def test_a_channel_keeps_what_it_tells_by_and_what_it_is_quiet_by(stored: Database) -> None:
    use = Use(schedule="day", kind="channel", id="hook", camera="", name="Wächter", parts=("route",))
    quiet = replace(use, schedule="night", parts=("quiet",))
    async with stored.write() as session:
        await add_channel(session, HOOK, {})
    async with stored.read() as session:
        assert await uses_of(session, ("night", "day")) == [use, quiet]
        assert await uses_of(session, ("day",)) == [use]
    for schedule in ("day", "night"):
        with pytest.raises(IntegrityError):
            async with stored.write() as session:
                await delete_schedule(session, schedule)
    async with stored.write() as session:
        await change_channel(session, told(Route(schedule_id="day", quiet=Quiet(schedule_id="day"))), {}, None)
        assert await uses_of(session, ("day",)) == [replace(use, parts=("route", "quiet"))]
        await change_channel(session, told(Route(schedule_id="day")), {}, None)
        assert await uses_of(session, ("day",)) == [use]
        await delete_channel(session, "hook")
        assert await uses_of(session, ("day",)) == []
        assert await delete_schedule(session, "day")


async def test_what_is_in_use_stays_and_says_by_whom(stored: Database) -> None:
    async with stored.write() as session:
        await add_rule(session, LINE)
        await add_task(session, LOOK)
    rule = Use(schedule="night", kind="rule", id="line", camera="gate", name="Line")
    task = Use(schedule="night", kind="task", id="look", camera="gate", name="Look")
    async with stored.read() as session:
        assert await uses_of(session, ("night", "day")) == await uses_of(session, ("night",)) == [rule, task]
        assert await uses_of(session, ("day",)) == []
    with pytest.raises(IntegrityError):
        async with stored.write() as session:
            await delete_schedule(session, "night")
    async with stored.write() as session:
        await update_rule(session, replace(LINE, schedule_id="day"), None)
        assert await uses_of(session, ("day",)) == [replace(rule, schedule="day")]
        await delete_camera(session, "gate")
        assert await uses_of(session, ("night", "day")) == []
        assert await delete_schedule(session, "night")
        assert not await delete_schedule(session, "night")


async def test_nothing_names_a_schedule_that_is_not_there(stored: Database) -> None:
    with pytest.raises(IntegrityError):
        async with stored.write() as session:
            await add_rule(session, replace(LINE, schedule_id="noon"))
    with pytest.raises(IntegrityError):
        async with stored.write() as session:
            await add_task(session, replace(LOOK, schedule_id="noon"))
    for route in (Route(schedule_id="noon"), Route(quiet=Quiet(schedule_id="noon"))):
        with pytest.raises(IntegrityError):
            async with stored.write() as session:
                await add_channel(session, told(route), {})


async def test_the_way_back_gives_what_named_a_schedule_its_hours(stored: Database) -> None:
    async with stored.write() as session:
        await add_rule(session, LINE)
        await add_rule(session, replace(LINE, id="always", name="线", schedule_id=None))
        await add_task(session, LOOK)
        await add_channel(session, HOOK, {})
        await add_channel(session, msgspec.structs.replace(HOOK, id="any", name="线", route=Route()), {})
        await add_delivery(session, BOOKED, 3.0)
    async with stored.engine.execution_options(write=True).begin() as connection:
        await connection.run_sync(_back)
        bodies = (
            await connection.execute(text("SELECT body FROM rules UNION ALL SELECT body FROM channels"))
        ).scalars()
        assert [b"schedule_id" in body for body in bodies] == [False] * 4, "the version before would refuse it"
        await connection.run_sync(migrate)
    async with stored.read() as session:
        assert await list_rules(session) == [
            replace(LINE, schedule=HOURS, schedule_id=None, revision=1),
            replace(LINE, id="always", name="线", schedule_id=None, revision=1),
        ]
        assert await list_tasks(session) == [replace(LOOK, schedule=HOURS, schedule_id=None, revision=1)]
        assert await list_schedules(session) == ([], 0)
        own = Route(schedule=DAY.schedule, quiet=Quiet(schedule=HOURS, then="drop"))
        assert [(one.name, one.route) for one in await channels_to_book(session)] == [("Wächter", own), ("线", Route())]
        deliveries, _ = await list_deliveries(session, DeliveryFilter(), limit=9)
        assert [one.channel for one in deliveries] == ["hook"], "the table's new columns must not cost what waits"


def _back(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, "0015")

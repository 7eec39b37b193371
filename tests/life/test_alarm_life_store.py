"""Each change is written with its record and its audit entry, or not at all; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from perishield.alarms.intake import raise_alarm
from perishield.model.alarm_life import LifeError, Reason, StaleError, Step, Wish
from perishield.model.alarms import AlarmState, Event, Verdict
from perishield.model.audit import AuditEntry
from perishield.model.chain import GENESIS, first_break
from perishield.store.alarm_life import assign, check_revision, comment, held_alarms, history, take_step
from perishield.store.alarms import add_alarm, get_alarm, save_clip
from perishield.store.chain import alarm_chain
from perishield.store.database import Database
from perishield.store.tables import AlarmRecordTable, AuditTable

MakeEvent = Callable[..., Event]
Entry = Callable[..., AuditEntry]


async def test_a_whole_life_is_told_in_order(database: Database, make_event: MakeEvent, entry: Entry) -> None:
    async with database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e"), "Gate", 100.0))
    async with database.write() as session:
        alarm = (await held_alarms(session, ["e"]))["e"]
        alarm = await take_step(session, alarm, Wish(step=Step.ACKNOWLEDGE), entry("alarm.acknowledge", 110.0))
        alarm = await assign(session, alarm, "a2", "guard", entry("alarm.assign", 111.0))
        alarm = await comment(session, alarm, "going there", entry("alarm.comment", 112.0))
        wish = Wish(step=Step.DISMISS, reason=Reason.OTHER, comment="a balloon")
        alarm = await take_step(session, alarm, wish, entry("alarm.dismiss", 120.0))
        alarm = await take_step(session, alarm, Wish(step=Step.CLOSE), entry("alarm.close", 130.0))
    async with database.read() as session:
        stored = await get_alarm(session, "e")
        told = await history(session, "e")
        links = await alarm_chain(session, 1, 100)
        audit = [
            msgspec.json.decode(content)["action"]
            for content in await session.scalars(select(AuditTable.content).order_by(AuditTable.number))
        ]
    assert stored == alarm
    assert (alarm.state, alarm.verdict, alarm.reason, alarm.revision) == (
        AlarmState.CLOSED,
        Verdict.DISMISSED,
        "other",
        5,
    )
    assert (alarm.answered, alarm.decided, alarm.closed, alarm.comments) == (110.0, 120.0, 130.0, 2)
    assert [(one.kind, one.at) for one in told] == [
        ("raised", 100.0),
        ("transition", 110.0),
        ("assigned", 111.0),
        ("comment", 112.0),
        ("transition", 120.0),
        ("transition", 130.0),
    ]
    assert told[4].body == {
        "step": "dismiss",
        "from": "acknowledged",
        "to": "dismissed",
        "reason": "other",
        "comment": "a balloon",
        "revision": 4,
        "by": "a1",
        "by_name": "admin",
    }
    assert first_break(links, GENESIS) == ""
    assert audit == ["alarm.acknowledge", "alarm.assign", "alarm.comment", "alarm.dismiss", "alarm.close"]


async def test_the_record_of_the_beginning_covers_the_event(database: Database, make_event: MakeEvent) -> None:
    import hashlib

    event = make_event("e", label="人")
    async with database.write() as session:
        await add_alarm(session, raise_alarm(event, "大门", 100.0))
        await add_alarm(session, raise_alarm(event, "大门", 200.0))
    async with database.read() as session:
        (told,) = await history(session, "e")
    assert told.body["event_sha256"] == hashlib.sha256(msgspec.json.encode(event)).hexdigest()
    assert told.at == 100.0


async def test_a_refused_step_leaves_no_trace(database: Database, make_event: MakeEvent, entry: Entry) -> None:
    async with database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e"), "Gate", 100.0))

    async def records() -> tuple[Any, Any]:
        async with database.read() as session:
            return (
                await session.scalar(select(func.count()).select_from(AlarmRecordTable)),
                await session.scalar(select(func.count()).select_from(AuditTable)),
            )

    before = await records()
    async with database.write() as session:
        alarm = (await held_alarms(session, ["e"]))["e"]
        with pytest.raises(LifeError):
            await take_step(session, alarm, Wish(step=Step.CLOSE), entry("alarm.close"))
    assert await records() == before

    async def half_way() -> None:
        async with database.write() as session:
            alarm = (await held_alarms(session, ["e"]))["e"]
            await take_step(session, alarm, Wish(step=Step.CONFIRM), entry("alarm.confirm"))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await half_way()
    assert await records() == before
    async with database.read() as session:
        stored = await get_alarm(session, "e")
    assert stored is not None
    assert stored.state is AlarmState.NEW


async def test_of_two_at_once_one_is_told_that_it_came_late(
    database: Database, make_event: MakeEvent, entry: Entry
) -> None:
    async with database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e"), "Gate", 100.0))

    async def act(step: Step, reason: Reason | None) -> str:
        async with database.write() as session:
            alarm = (await held_alarms(session, ["e"]))["e"]
            try:
                check_revision(alarm, 1)
                await take_step(session, alarm, Wish(step=step, reason=reason), entry(f"alarm.{step}"))
            except StaleError as error:
                return error.code
            return "done"

    outcomes = await asyncio.gather(act(Step.CONFIRM, None), act(Step.DISMISS, Reason.ANIMAL), act(Step.CONFIRM, None))
    assert sorted(outcomes) == ["done", "stale", "stale"]
    async with database.read() as session:
        assert len(await history(session, "e")) == 2


async def test_only_what_is_within_reach_is_held(database: Database, make_event: MakeEvent) -> None:
    async with database.write() as session:
        await add_alarm(session, raise_alarm(make_event("a", camera="gate"), "Gate", 100.0))
        await add_alarm(session, raise_alarm(make_event("b", camera="yard"), "Yard", 100.0))
    async with database.write() as session:
        assert set(await held_alarms(session, ["a", "b", "c"])) == {"a", "b"}
        assert set(await held_alarms(session, ["a", "b", "c"], {"yard"})) == {"b"}


async def test_a_clip_that_comes_late_undoes_nothing(database: Database, make_event: MakeEvent, entry: Entry) -> None:
    old = raise_alarm(make_event("e"), "Gate", 100.0)
    async with database.write() as session:
        await add_alarm(session, old)
        await take_step(session, old, Wish(step=Step.CONFIRM), entry("alarm.confirm"))
    async with database.write() as session:
        told = await save_clip(session, old)
    assert told.state is AlarmState.CONFIRMED

"""What nobody takes up goes up, once, whatever dies in between; on both databases, by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from perishield.alarms.escalation import Escalation
from perishield.alarms.intake import Announcement, raise_alarm
from perishield.model.alarm_life import Step, Wish
from perishield.model.alarms import AlarmState, Event
from perishield.model.audit import AuditEntry
from perishield.model.escalation import EscalationStep
from perishield.store.alarm_life import held_alarms, history, take_step
from perishield.store.alarms import add_alarm, get_alarm
from perishield.store.database import Database
from perishield.store.escalation import add_step, delete_step, due_alarms, list_steps, update_step

MakeEvent = Callable[..., Event]
Raised = Callable[..., Awaitable[None]]
SUPERVISOR = EscalationStep(
    id="", name="Supervisor", levels=(1, 2), after_s=60.0, to_level=1, to_role="supervisor", channel="phone"
)


class Watch:
    """A clock that is set by hand, and what was announced."""

    def __init__(self, database: Database, **options: int) -> None:
        self.now = 1000.0
        self.heard: list[Announcement] = []
        self._database = database
        self._options = options
        self.restart()

    def restart(self) -> None:
        self.job = Escalation(self._database, self.heard.append, clock=lambda: self.now, **self._options)

    async def at(self, now: float) -> list[str]:
        """Ids of the alarms that went up by then."""
        self.now = now
        before = len(self.heard)
        while await self.job.step():
            pass
        return [told.alarm.id for told in self.heard[before:]]


@pytest.fixture
def raised(database: Database, make_event: MakeEvent) -> Raised:
    async def run(name: str, at: float, level: int = 2, state: AlarmState = AlarmState.NEW) -> None:
        async with database.write() as session:
            alarm = raise_alarm(make_event(name, level=level), "Gate", at)
            await add_alarm(session, replace(alarm, state=state))

    return run


async def test_an_alarm_goes_up_when_its_time_is_over(database: Database, raised: Raised) -> None:
    watch = Watch(database)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
    await raised("a", 1010.0)
    await raised("seen", 1011.0, state=AlarmState.ACKNOWLEDGED)
    await raised("mild", 1012.0, level=3)
    assert await watch.at(1069.9) == []
    assert await watch.at(1070.0) == ["a"]
    assert await watch.at(1071.0) == []
    async with database.read() as session:
        alarm = await get_alarm(session, "a")
        told = await history(session, "a")
    assert alarm is not None
    assert (alarm.level, alarm.escalations, alarm.revision, alarm.state) == (1, 1, 2, AlarmState.NEW)
    assert (told[-1].kind, told[-1].at) == ("escalated", 1070.0)
    assert told[-1].body == {
        "step": told[-1].body["step"],
        "name": "Supervisor",
        "from_level": 2,
        "to_level": 1,
        "to_role": "supervisor",
        "channel": "phone",
        "again": False,
        "revision": 2,
    }
    (announced,) = watch.heard
    assert announced.escalated is not None
    assert (announced.new, announced.escalated.channel) == (False, "phone")


async def test_a_restart_forgets_nobody_and_tells_nobody_twice(database: Database, raised: Raised) -> None:
    watch = Watch(database, at_once=2)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
    for number in range(5):
        await raised(f"e{number}", 1010.0 + number // 2)
    watch.now = 1080.0
    assert await watch.job.step(), "two at once, more to come"
    watch.restart()
    assert await watch.at(1080.0) == ["e2", "e3", "e4"]
    watch.restart()
    assert await watch.at(5000.0) == []
    assert sorted(told.alarm.id for told in watch.heard) == ["e0", "e1", "e2", "e3", "e4"]


async def test_more_of_one_instant_than_fit_a_batch_go_up_together(database: Database, raised: Raised) -> None:
    watch = Watch(database, at_once=2)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
    for number in range(5):
        await raised(f"e{number}", 1010.0)
    assert sorted(await watch.at(1080.0)) == ["e0", "e1", "e2", "e3", "e4"]
    assert await watch.at(1081.0) == []


async def test_what_was_taken_up_in_time_stays(
    database: Database, raised: Raised, entry: Callable[..., AuditEntry]
) -> None:
    watch = Watch(database)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
    await raised("a", 1010.0)
    async with database.write() as session:
        alarm = (await held_alarms(session, ["a"]))["a"]
        await take_step(session, alarm, Wish(step=Step.ACKNOWLEDGE), entry("alarm.acknowledge"))
    assert await watch.at(2000.0) == []


async def test_steps_follow_one_another_and_never_make_it_milder(database: Database, raised: Raised) -> None:
    watch = Watch(database)
    async with database.write() as session:
        await add_step(session, replace(SUPERVISOR, levels=(3,), to_level=2), now=1000.0)
        await add_step(session, replace(SUPERVISOR, levels=(2,), after_s=120.0, to_level=4, name="Late"), now=1000.0)
    await raised("a", 1010.0, level=3)
    assert await watch.at(1075.0) == ["a"]
    assert await watch.at(1130.0) == ["a"]
    assert [told.alarm.level for told in watch.heard] == [2, 2]
    assert watch.heard[-1].alarm.escalations == 2


async def test_an_intrusion_goes_up_whole_and_is_told_of_once(database: Database, make_event: MakeEvent) -> None:
    watch = Watch(database)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
        await add_step(session, replace(SUPERVISOR, after_s=120.0, name="Chief"), now=1000.0)
        for name, at, group in (("a", 1010.0, "a"), ("b", 1010.0, "a"), ("c", 1040.0, "a"), ("d", 1010.0, "d")):
            await add_alarm(session, replace(raise_alarm(make_event(name), "Gate", at), group=group))
    assert sorted(await watch.at(1070.0)) == ["a", "b", "d"]
    assert await watch.at(1100.0) == ["c"]
    assert sorted(await watch.at(1200.0)) == ["a", "b", "c", "d"]
    rang = [(told.alarm.id, told.escalated.name) for told in watch.heard if told.escalated is not None]
    assert rang == [("a", "Supervisor"), ("d", "Supervisor"), ("a", "Chief"), ("d", "Chief")]
    assert {told.alarm.escalations for told in watch.heard[-4:]} == {2}


async def test_a_new_step_does_not_wake_the_past(database: Database, raised: Raised) -> None:
    await raised("old", 900.0)
    await raised("recent", 980.0)
    async with database.write() as session:
        step = await add_step(session, SUPERVISOR, now=1000.0)
    watch = Watch(database)
    assert await watch.at(1001.0) == []
    assert await watch.at(1040.0) == ["recent"]
    async with database.write() as session:
        off = await update_step(session, replace(step, enabled=False), step.revision, now=1050.0)
        assert off is not None
        assert await update_step(session, step, step.revision, now=1050.0) is None, "somebody else was faster"
    await raised("missed", 1060.0)
    assert await watch.at(1500.0) == []
    async with database.write() as session:
        await update_step(session, replace(off, enabled=True), None, now=1500.0)
    assert await watch.at(1501.0) == []
    async with database.write() as session:
        assert await delete_step(session, step.id)
        assert await list_steps(session) == []


async def test_a_clock_set_back_tells_nothing_twice(database: Database, raised: Raised) -> None:
    watch = Watch(database)
    async with database.write() as session:
        await add_step(session, SUPERVISOR, now=1000.0)
    await raised("a", 1010.0)
    assert await watch.at(1100.0) == ["a"]
    assert await watch.at(500.0) == []
    assert await watch.at(1100.0) == []


async def test_the_way_that_is_looked_along_stays_short(database: Database) -> None:
    watch = Watch(database)
    async with database.write() as session:
        step = await add_step(session, SUPERVISOR, now=1000.0)
    await watch.at(1000.0 + 7200.0)
    async with database.read() as session:
        due = await due_alarms(session, step, 8201.0, 10)
    assert due.since == 8200.0 - 60.0

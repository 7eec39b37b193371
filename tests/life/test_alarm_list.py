"""Lists say what a plain search through everything says, by whatever way they find it; on both databases."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import Alarm, AlarmState, Event, EventKind, Verdict
from perishield.store import alarm_list
from perishield.store.alarm_list import groups_of, list_alarms
from perishield.store.alarms import AlarmFilter, add_alarm
from perishield.store.database import Database
from perishield.store.tables import AlarmTable

MakeEvent = Callable[..., Event]
CAMERAS = ("gate", "yard", "north", "south", "roof")
COUNT = 240


def fits(alarm: Alarm, wanted: AlarmFilter) -> bool:
    event = alarm.event
    told = {
        "camera": event.camera, "rule": event.rule["id"], "level": alarm.level, "kind": event.kind.value,
        "state": alarm.state, "verdict": alarm.verdict, "reason": alarm.reason, "assignee": alarm.assignee,
        "group": alarm.group,
    }  # fmt: skip
    return (
        all(getattr(wanted, name) in (None, value) for name, value in told.items())
        and (wanted.cameras is None or event.camera in wanted.cameras)
        and (wanted.start is None or event.wall >= wanted.start)
        and (wanted.end is None or event.wall < wanted.end)
    )


def made(rng: random.Random, make_event: MakeEvent, number: int) -> Alarm:
    camera = rng.choice(CAMERAS)
    # Crossings come nearly in order; now and then one was stored days late.
    wall = number * 10.0 + rng.uniform(-30, 30) - (2000 if rng.random() < 0.05 else 0) + 100_000
    event = make_event(
        f"e{number}", camera=camera, rule={"id": f"{camera}-{rng.randrange(2)}"}, wall=wall, level=rng.randint(1, 4),
        kind=rng.choice(list(EventKind)[:3]),
    )  # fmt: skip
    state = rng.choice(list(AlarmState))
    verdict = Verdict(state.value) if state.value in ("confirmed", "dismissed") else Verdict.NONE
    return replace(
        raise_alarm(event, camera, 100_000 + number * 10.0),
        state=state, verdict=verdict, reason=rng.choice(["animal", "light"]) if verdict is Verdict.DISMISSED else "",
        assignee=rng.choice(["", "", "a1"]), group=f"e{number - number % rng.choice([1, 3, 7])}",
    )  # fmt: skip


def question(rng: random.Random, alarms: list[Alarm]) -> AlarmFilter:
    like = rng.choice(alarms)
    start = rng.choice([None, None, 100_000 + rng.uniform(0, COUNT * 10)])
    length = rng.choice([50.0, 400.0, 3000.0])
    return AlarmFilter(
        camera=rng.choice([None, None, like.event.camera]),
        rule=rng.choice([None, None, None, str(like.event.rule["id"])]),
        level=rng.choice([None, None, like.level]),
        kind=rng.choice([None, None, like.event.kind.value]),
        state=rng.choice([None, None, like.state]),
        verdict=rng.choice([None, None, like.verdict]),
        reason=rng.choice([None, None, None, like.reason]),
        assignee=rng.choice([None, None, "", "a1"]),
        group=rng.choice([None] * 6 + [like.group]),
        start=start,
        end=rng.choice([None, start + length if start is not None else 100_000 + rng.uniform(0, COUNT * 10)]),
        cameras=rng.choice([None, frozenset(rng.sample(CAMERAS, rng.randrange(len(CAMERAS) + 1)))]),
    )


@pytest.mark.parametrize("most", [(5000, 32), (40, 2)])
async def test_every_way_finds_the_same(
    database: Database, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, most: tuple[int, int]
) -> None:
    """The small bounds lead along the ways that are otherwise taken with many alarms only."""
    monkeypatch.setattr(alarm_list, "MOST_COUNTED", most[0])
    monkeypatch.setattr(alarm_list, "_MOST_MERGED", most[1])
    rng = random.Random(11)
    alarms = [made(rng, make_event, number) for number in range(COUNT)]
    async with database.write() as session:
        for alarm in alarms:
            await add_alarm(session, alarm)
    async with database.read() as session:
        for round_ in range(80):
            wanted, grouped, limit = question(rng, alarms), round_ % 2 == 1, rng.choice([3, 10, 500])
            expected = [alarm for alarm in reversed(alarms) if fits(alarm, wanted)]
            if grouped:
                newest: dict[str, Alarm] = {}
                for alarm in expected:
                    newest.setdefault(alarm.group, alarm)
                expected = list(newest.values())
            found: list[str] = []
            before = None
            while True:
                page = await list_alarms(session, wanted, limit=limit, before=before, grouped=grouped)
                found += [alarm.id for alarm in page.items]
                if page.exact:
                    assert page.total == len(expected), wanted
                else:
                    assert page.total <= len(expected), wanted
                before = page.next
                if before is None:
                    break
            assert found == [alarm.id for alarm in expected], (wanted, grouped)


async def test_a_group_is_summed_up_within_reach(database: Database, make_event: MakeEvent) -> None:
    async with database.write() as session:
        for number, (camera, state, level) in enumerate(
            [("gate", AlarmState.NEW, 3), ("yard", AlarmState.CLOSED, 1), ("gate", AlarmState.ACKNOWLEDGED, 2)]
        ):
            event = make_event(f"e{number}", camera=camera, wall=1000.0 + number, level=level)
            await add_alarm(session, replace(raise_alarm(event, camera, 1000.0), state=state, group="e0"))
    async with database.read() as session:
        whole = (await groups_of(session, {"e0", "none"}, None))["e0"]
        part = (await groups_of(session, {"e0"}, frozenset({"yard"})))["e0"]
    assert (whole.count, whole.open, whole.first, whole.last, whole.level) == (3, 2, 1000.0, 1002.0, 1)
    assert set(whole.cameras) == {"gate", "yard"}
    assert (part.count, part.open, part.cameras) == (1, 0, ("yard",))


async def test_a_total_beyond_the_bound_is_a_least_one(
    database: Database, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_list, "MOST_COUNTED", 5)
    async with database.write() as session:
        for number in range(9):
            await add_alarm(session, raise_alarm(make_event(f"e{number}"), "Gate", 1.0))
    async with database.read() as session:
        page = await list_alarms(session, AlarmFilter(camera="gate"), limit=2)
        assert (page.total, page.exact) == (5, False)
        page = await list_alarms(session, AlarmFilter(camera="yard"), limit=2)
        assert (page.total, page.exact) == (0, True)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_no_list_reads_the_whole_table(database: Database, make_event: MakeEvent) -> None:
    """What SQLite says that it will do: each way in goes along an index or the order of the table."""
    asked: list[tuple[str, Any]] = []
    listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
    async with database.write() as session:
        for number in range(30):
            await add_alarm(session, raise_alarm(make_event(f"e{number}"), "Gate", 1.0))
    ways = {
        "ix_alarms_camera_number": AlarmFilter(camera="gate", level=2, kind="fence"),
        "ix_alarms_rule_number": AlarmFilter(rule="line", camera="gate", verdict=Verdict.CONFIRMED),
        "ix_alarms_state_number": AlarmFilter(state=AlarmState.NEW, kind="fence", level=1),
        "ix_alarms_verdict_number": AlarmFilter(verdict=Verdict.DISMISSED, reason="animal", level=3),
        "ix_alarms_assignee_number": AlarmFilter(assignee="a1", camera="gate", state=AlarmState.NEW),
        "ix_alarms_kind_number": AlarmFilter(kind="fence", level=1),
        "ix_alarms_sheet": AlarmFilter(start=1.0, end=5.0, camera="gate"),
        "ix_alarms_raised": AlarmFilter(),
    }
    async with database.read() as session:
        for index, wanted in ways.items():
            for grouped in (False, True):
                asked.clear()
                await list_alarms(session, wanted, limit=10, grouped=grouped)
                plans = []
                questions = [one for one in asked if one[0].startswith("SELECT")]
                assert questions
                for statement, parameters in questions:
                    connection = await session.connection()
                    told = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                    plans += [row[3] for row in told]
                if index != "ix_alarms_raised" or not grouped:
                    assert any(index in line for line in plans), (index, plans)
                if index not in ("ix_alarms_raised", "ix_alarms_sheet"):
                    assert not any("TEMP B-TREE FOR ORDER BY" in line for line in plans), (index, plans)


async def fill(database: Database, like: Alarm, count: int) -> None:
    """`count` alarms like that one, spread over cameras and the rest as over months of work; PostgreSQL only."""
    spread = {
        "id": "'a' || n", "group_id": "'a' || (n - n % 3)", "camera": "'c' || n % 20", "rule": "'r' || n % 40",
        "kind": "CASE WHEN n % 25 = 0 THEN 'fence' ELSE 'tripwire' END", "level": "1 + n % 4",
        "state": "CASE WHEN n % 200 = 0 THEN 'new' ELSE 'closed' END",
        "verdict": "CASE WHEN n % 10 = 0 THEN 'dismissed' ELSE 'confirmed' END",
        "reason": "CASE WHEN n % 20 = 0 THEN 'animal' ELSE '' END",
        "assignee": "CASE WHEN n % 50 = 0 THEN 'a1' ELSE '' END", "wall": "100000.0 + n", "raised": "100000.5 + n",
    }  # fmt: skip
    names = [column.name for column in AlarmTable.__table__.columns if column.name != "number"]
    values = ", ".join(spread.get(name, name) for name in names)
    async with database.write() as session:
        await add_alarm(session, like)
        copied = (
            f"INSERT INTO alarms ({', '.join(names)}) SELECT {values} FROM alarms, generate_series(1, {count}) AS n"  # noqa: S608
        )
        await session.execute(text(copied))
        await session.execute(text("ANALYZE alarms"))


def rows_read(plan: dict[str, Any]) -> float:
    """Rows that the scans of an executed plan looked at, those included that fitted nowhere."""
    here = 0.0
    if "Relation Name" in plan:
        here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return here + sum(rows_read(part) for part in plan.get("Plans", ()))


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.real("postgresql"))], indirect=True)
async def test_no_list_has_postgresql_read_the_whole_table(
    database: Database, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL decides by what it knows of its data: what it read is counted, whichever way it took."""
    monkeypatch.setattr(alarm_list, "MOST_COUNTED", 200)
    count = 20_000
    await fill(database, raise_alarm(make_event("e0"), "Gate", 1.0), count)
    asked: list[tuple[str, Any]] = []
    listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
    ways = [
        AlarmFilter(camera="c0", level=1, kind="fence"),
        AlarmFilter(rule="r7", camera="c7", verdict=Verdict.CONFIRMED),
        AlarmFilter(state=AlarmState.NEW, kind="fence", level=1),
        AlarmFilter(verdict=Verdict.DISMISSED, reason="animal", level=1),
        AlarmFilter(assignee="a1", camera="c10", state=AlarmState.CLOSED),
        AlarmFilter(kind="fence", level=1),
        AlarmFilter(start=110_000.0, end=110_100.0, camera="c4"),
        AlarmFilter(start=101_000.0, end=102_000.0),
        AlarmFilter(cameras=frozenset({"c1", "c2", "c3"})),
        AlarmFilter(),
    ]
    async with database.read() as session:
        for wanted in ways:
            for grouped in (False, True):
                asked.clear()
                page = await list_alarms(session, wanted, limit=10, grouped=grouped)
                assert page.items, wanted
                questions = [one for one in asked if one[0].startswith("SELECT")]
                assert questions
                connection = await session.connection()
                for statement, parameters in questions:
                    told = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                    plan = told.scalar_one()
                    found = rows_read((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"])
                    assert found < count / 4, (wanted, grouped, found, statement)

"""Sums that are kept are those of a plain count, whatever was written in between; on both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import Alarm, AlarmState, Event, EventKind, Verdict
from perishield.model.statistics import ANSWER_STEPS_S, BUCKET_S
from perishield.store.alarm_retention import delete_alarms
from perishield.store.alarm_sums import SPANS, blocks_of, recount, wrong_sums
from perishield.store.alarms import add_alarm, life_columns
from perishield.store.database import Database
from perishield.store.statistics import alarm_sums
from perishield.store.tables import AlarmTable

MakeEvent = Callable[..., Event]
DAY = 86_400.0
# A day at which a large piece of days begins, so that little ones lie on both sides.
MIDST = DAY * 64 * 320
CAMERAS = ("gate", "yard", "roof")

moments = st.one_of(
    st.integers(-80, 80).map(lambda day: MIDST + day * DAY),
    st.floats(-80, 80).map(lambda day: MIDST + day * DAY),
    st.integers(-80, 80).map(lambda day: MIDST + day * DAY - 2.5e-7),
)
lives = st.tuples(
    st.sampled_from(list(AlarmState)),
    st.sampled_from(list(Verdict)),
    st.sampled_from(["", "animal", "weather"]),
    st.integers(1, 4),
    st.one_of(st.none(), st.floats(0, 100_000), st.sampled_from([15.0, 60.0, 86_400.0])),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30), moments, st.sampled_from(CAMERAS), lives),
        st.tuples(st.just("change"), st.integers(0, 30), lives),
        st.tuples(st.just("remove"), st.integers(0, 30)),
        st.tuples(st.just("undo"), st.integers(31, 40), moments, lives),
    ),
    min_size=1,
    max_size=40,
)
spans = st.lists(st.tuples(moments, moments, st.sets(st.sampled_from(CAMERAS))), min_size=1, max_size=4)


def living(alarm: Alarm, life: tuple[Any, ...]) -> Alarm:
    state, verdict, reason, level, took = life
    answered = None if took is None else alarm.raised + took
    return replace(alarm, state=state, verdict=verdict, reason=reason, level=level, answered=answered)


async def do(session: AsyncSession, step: tuple[Any, ...], make_event: MakeEvent) -> None:
    name = f"e{step[1]}"
    if step[0] == "remove":
        await delete_alarms(session, [name])
        return
    if step[0] == "change":
        values = life_columns(living(raise_alarm(make_event(name), "", 0.0), step[2]))
        raised = await session.scalar(select(AlarmTable.raised).where(AlarmTable.id == name))
        if raised is not None and values["answered"] is not None:
            values["answered"] += raised
        await session.execute(update(AlarmTable).where(AlarmTable.id == name).values(**values))
        return
    camera = step[3] if step[0] == "add" else "gate"
    kind = list(EventKind)[step[1] % 3]
    event = make_event(name, camera=camera, rule={"id": f"{camera}-{step[1] % 2}"}, kind=kind, wall=step[2])
    await add_alarm(session, living(raise_alarm(event, camera, step[2] + 0.5), step[-1]))


async def undone(database: Database, step: tuple[Any, ...], make_event: MakeEvent) -> None:
    async with database.write() as session:
        await do(session, step, make_event)
        await session.execute(text("INSERT INTO meta (key, value) VALUES ('a', NULL)"))


async def counted(database: Database, start: float, end: float, cameras: set[str] | None) -> tuple[Any, Any]:
    """What Python counts from the rows."""
    counts: Counter[tuple[Any, ...]] = Counter()
    buckets: Counter[int] = Counter()
    figures: dict[tuple[Any, ...], list[int]] = {}
    async with database.read() as session:
        for row in await session.scalars(select(AlarmTable).where(AlarmTable.wall >= start, AlarmTable.wall < end)):
            if cameras is not None and row.camera not in cameras:
                continue
            key = (row.camera, row.rule, row.kind, row.level, row.state, row.verdict, row.reason)
            counts[key] += 1
            buckets[int(row.wall) // BUCKET_S] += 1
            took = None if row.answered is None else row.answered - row.raised
            mine = figures.setdefault(key, [0] * (1 + len(ANSWER_STEPS_S)))
            mine[0] += took is not None
            for index, step in enumerate(ANSWER_STEPS_S, 1):
                mine[index] += took is not None and took <= step
    return {key: (count, *figures[key]) for key, count in counts.items()}, sorted(buckets.items())


async def agree(database: Database, start: float, end: float, cameras: set[str] | None) -> None:
    async with database.read() as session:
        sums = await alarm_sums(session, start, end, None if cameras is None else frozenset(cameras))
    told = {
        (one.camera, one.rule, one.kind, one.level, one.state, one.verdict, one.reason): (
            one.count,
            one.answered,
            *one.within,
        )
        for one in sums.counts
    }
    assert (told, list(sums.buckets)) == await counted(database, start, end, cameras)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=steps, asked=spans)
async def test_kept_sums_are_those_of_a_plain_count(
    database: Database, make_event: MakeEvent, done: list[tuple[Any, ...]], asked: list[Any]
) -> None:
    async with database.write() as session:
        await session.execute(text("DELETE FROM alarms"))
    for step in done:
        if step[0] == "undo":
            with pytest.raises(IntegrityError):
                await undone(database, step, make_event)
            continue
        async with database.write() as session:
            await do(session, step, make_event)
    async with database.read() as session:
        assert await wrong_sums(session) == 0
    for one, other, cameras in asked:
        await agree(database, min(one, other), max(one, other), cameras or None)
    await agree(database, 0.0, MIDST * 2, None)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_pieces_of_days_cover_them_once(first: int, last: int) -> None:
    pieces = blocks_of(first, last)
    days = [day for span, low, high in pieces for day in range(low * span, high * span)]
    assert days == list(range(first, last))
    small = sum(high - low for span, low, high in pieces if span < SPANS[0])
    assert small <= 2 * (SPANS[0] // SPANS[1] - 1) + 2 * (SPANS[1] - 1) + SPANS[0] // SPANS[1]


async def test_what_is_wrong_is_found_and_counted_anew(database: Database, make_event: MakeEvent) -> None:
    async with database.write() as session:
        for number in range(20):
            event = make_event(f"e{number}", wall=MIDST + number * 40_000)
            await add_alarm(session, raise_alarm(event, "Gate", MIDST))
        assert await wrong_sums(session) == 0
        await session.execute(text("UPDATE alarm_sums SET count = count + 1 WHERE span = 8"))
        await session.execute(text("DELETE FROM alarm_hours WHERE camera = ''"))
        assert await wrong_sums(session) > 2
    async with database.write() as session:
        assert await recount(session) > 20
    async with database.read() as session:
        assert await wrong_sums(session) == 0
    await agree(database, MIDST, MIDST + 20 * DAY, None)


async def test_writers_of_the_same_sums_do_not_wait_for_each_other(database: Database, make_event: MakeEvent) -> None:
    """Each changes what the other has changed, in the other order; PostgreSQL ends such as wait in a ring."""
    cameras = ("gate", "yard")

    async def write(number: int) -> None:
        async with database.write() as session:
            for camera in cameras if number % 2 else reversed(cameras):
                event = make_event(f"e{number}-{camera}", camera=camera, wall=MIDST)
                assert await add_alarm(session, raise_alarm(event, camera, MIDST))
                await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(12)))
    async with database.read() as session:
        assert await wrong_sums(session) == 0
        sums = await alarm_sums(session, MIDST, MIDST + DAY)
    assert sum(one.count for one in sums.counts) == 24

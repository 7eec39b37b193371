"""Lists, sums and intake of alarms over a full table, beside the same over an empty one, turn by turn."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.intake import Intake
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.evaluation.alarm_archive import ACCOUNTS, CAMERAS, DAYS, RULES, camera_name, event_at, fill, rule_name
from perishield.evaluation.private_postgresql import PrivatePostgreSQL
from perishield.model.alarms import AlarmState, Verdict
from perishield.store.alarm_list import list_alarms
from perishield.store.alarms import AlarmFilter, get_alarm
from perishield.store.database import Database, sqlite_url
from perishield.store.statistics import alarm_sums
from perishield.store.verdicts import verdicts_by_rule

DATABASES = ("sqlite", "postgresql")
_PAGE = 50
_INTAKE = 1000

Advance = Callable[[float], None]
Question = Callable[[AsyncSession, random.Random, float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The same database twice."""

    empty: Database
    full: Database


def run(alarms: int, database: str, rounds: int, *, progress: Advance = lambda _: None) -> dict[str, Any]:
    """`database`: sqlite, postgresql or both. Milliseconds; `ratio` is the p95 over the empty table's."""
    wanted = DATABASES if database == "both" else (database,)
    figures = {name: asyncio.run(_measure(name, alarms, rounds, progress)) for name in wanted}
    return {"alarms": alarms, "rounds": rounds, "cores": os.cpu_count(), **figures}


async def _measure(name: str, alarms: int, rounds: int, progress: Advance) -> dict[str, Any]:
    with TemporaryDirectory(prefix="bench-alarms-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        if name == "postgresql":
            server = stack.enter_context(PrivatePostgreSQL())
            await _second_database(server.url)
            pair = _Pair(
                await Database.open(server.url.replace("/postgres?", "/empty?")), await Database.open(server.url)
            )
        else:
            pair = _Pair(
                await Database.open(sqlite_url(folder / "empty.db")),
                await Database.open(sqlite_url(folder / "full.db")),
            )
        try:
            end = time.time()
            begin = time.perf_counter()
            await fill(pair.full, alarms, end, lambda share: progress(share * 0.8))
            filled_s = time.perf_counter() - begin
            questions = await _ask(pair, rounds, end, lambda share: progress(0.8 + share * 0.15))
            intake = {
                "empty_per_s": round(await _intake(pair.empty, folder / "empty-spool.db", end), 1),
                "per_s": round(await _intake(pair.full, folder / "full-spool.db", end), 1),
            }
            return {
                "filled_s": round(filled_s, 1),
                "questions": questions,
                "intake": {**intake, "ratio": round(intake["per_s"] / intake["empty_per_s"], 3)},
            }
        finally:
            await pair.empty.close()
            await pair.full.close()


async def _ask(pair: _Pair, rounds: int, end: float, progress: Advance) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    questions = _questions()
    for number, (name, question) in enumerate(questions.items()):
        took: dict[str, list[float]] = {"empty": [], "full": []}
        for round_ in range(-2, rounds):
            for which, database in (("empty", pair.empty), ("full", pair.full)):
                # The same question to both, another one each round.
                rng = random.Random(f"{name} {round_}")
                begin = time.perf_counter()
                async with database.read() as session:
                    await question(session, rng, end)
                if round_ >= 0:
                    took[which].append((time.perf_counter() - begin) * 1000)
        p95, empty = _share(took["full"], 0.95), _share(took["empty"], 0.95)
        found[name] = {
            "p50_ms": round(_share(took["full"], 0.5), 3),
            "p95_ms": round(p95, 3),
            "empty_p95_ms": round(empty, 3),
            "ratio": round(p95 / empty, 2),
        }
        progress((number + 1) / len(questions))
    return found


def _questions() -> dict[str, Question]:
    def lists(make: Callable[[random.Random, float], AlarmFilter], *, grouped: bool = False) -> Question:
        async def ask(session: AsyncSession, rng: random.Random, end: float) -> object:
            return await list_alarms(session, make(rng, end), limit=_PAGE, grouped=grouped)

        return ask

    async def deep(session: AsyncSession, rng: random.Random, _end: float) -> object:
        # Of an empty table the page behind an alarm that is not there.
        return await list_alarms(session, AlarmFilter(), limit=_PAGE, before=f"e{rng.randrange(20_000):08d}")

    async def one(session: AsyncSession, rng: random.Random, _end: float) -> object:
        return await get_alarm(session, f"e{rng.randrange(20_000):08d}")

    def sums(days: float, some: int = 0) -> Question:
        async def ask(session: AsyncSession, rng: random.Random, end: float) -> object:
            cameras = frozenset(map(camera_name, rng.sample(range(CAMERAS), some))) if some else None
            return await alarm_sums(session, end - days * 86_400, end, cameras)

        return ask

    async def verdicts(session: AsyncSession, rng: random.Random, end: float) -> object:
        rule = rule_name(rng.randrange(CAMERAS), rng.randrange(RULES))
        return await verdicts_by_rule(session, end - DAYS * 86_400, None, rule)

    return {
        "newest": lists(lambda _rng, _end: AlarmFilter()),
        "newest_groups": lists(lambda _rng, _end: AlarmFilter(), grouped=True),
        "page_far_back": deep,
        "one_alarm": one,
        "of_a_camera": lists(lambda rng, _end: AlarmFilter(camera=_camera(rng))),
        "of_a_rule": lists(lambda rng, _end: AlarmFilter(rule=rule_name(rng.randrange(CAMERAS), rng.randrange(RULES)))),
        "new": lists(lambda _rng, _end: AlarmFilter(state=AlarmState.NEW)),
        "new_of_a_camera": lists(lambda rng, _end: AlarmFilter(state=AlarmState.NEW, camera=_camera(rng))),
        "mine": lists(lambda rng, _end: AlarmFilter(assignee=rng.choice(ACCOUNTS))),
        "confirmed_level_1": lists(lambda _rng, _end: AlarmFilter(verdict=Verdict.CONFIRMED, level=1)),
        "rare_kind": lists(lambda _rng, _end: AlarmFilter(kind="left_object", level=2)),
        "reason_of_a_camera": lists(
            lambda rng, _end: AlarmFilter(verdict=Verdict.DISMISSED, reason="animal", camera=_camera(rng))
        ),
        "an_old_day": lists(lambda rng, end: _days(rng, end, 1)),
        "an_old_month": lists(lambda rng, end: _days(rng, end, 30)),
        "groups_of_an_old_day": lists(lambda rng, end: _days(rng, end, 1), grouped=True),
        "of_twenty_cameras": lists(
            lambda rng, _end: AlarmFilter(cameras=frozenset(map(camera_name, rng.sample(range(CAMERAS), 20))))
        ),
        "groups_of_three_cameras": lists(
            lambda rng, _end: AlarmFilter(cameras=frozenset(map(camera_name, rng.sample(range(CAMERAS), 3)))),
            grouped=True,
        ),
        "sums_of_a_day": sums(1),
        "sums_of_30_days": sums(30),
        "sums_of_30_days_of_ten_cameras": sums(30, 10),
        "sums_of_everything": sums(DAYS),
        "verdicts_of_a_rule": verdicts,
    }


async def _intake(database: Database, path: Path, wall: float) -> float:
    """Alarms a second from the spool into the store, grouped and chained, as the server takes them in."""
    rng = random.Random(9)
    spool = await asyncio.to_thread(Spool, path)
    for number in range(_INTAKE):
        event = event_at(rng, f"new{number:06d}", rng.randrange(CAMERAS), wall + number)
        await asyncio.to_thread(spool.put, event.id, encode(event))
    intake = Intake(spool, database, lambda _: None)
    begin, taken = time.perf_counter(), 0
    while some := await intake.drain():
        taken += some
    took = time.perf_counter() - begin
    await asyncio.to_thread(spool.close)
    return taken / took


async def _second_database(url: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE empty"))
    await engine.dispose()


def _camera(rng: random.Random) -> str:
    return camera_name(rng.randrange(CAMERAS))


def _days(rng: random.Random, end: float, days: float) -> AlarmFilter:
    start = end - rng.uniform(days, DAYS) * 86_400
    return AlarmFilter(start=start, end=start + days * 86_400)


def _share(took: list[float], share: float) -> float:
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

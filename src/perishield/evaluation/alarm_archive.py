"""Half a year of alarms that never happened, for measuring: as many as are asked for, put straight into the table.

They lie as real ones do: more by night, most of them decided long ago, some rules that cry wolf, an intrusion now and
then that several cameras see. Their chained records are left out, which no list and no sum reads.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import insert, text

from perishield.model.alarm_life import Reason
from perishield.model.alarms import AlarmState, ClipState, Event, EventKind, Verdict
from perishield.store.database import Database
from perishield.store.tables import AlarmTable

DAYS = 180
CAMERAS = 100
RULES = 3
ACCOUNTS = ("a" * 32, "b" * 32, "c" * 32)
_AT_ONCE = 2000
_REASONS = tuple(reason.value for reason in Reason)
_KINDS = (EventKind.TRIPWIRE, EventKind.ZONE_ENTER, EventKind.FENCE, EventKind.LOITER)


def camera_name(number: int) -> str:
    return f"cam-{number:03d}"


def rule_name(camera: int, rule: int) -> str:
    return f"r{camera:03d}-{rule}"


def event_at(rng: random.Random, name: str, camera: int, wall: float) -> Event:
    """A person who crosses a line, with a way of sixty points: about two kilobytes."""
    rule = rng.randrange(RULES)
    kind = _KINDS[(camera + rule) % len(_KINDS)] if rng.random() > 0.002 else EventKind.LEFT_OBJECT
    ticks = rng.randrange(1 << 40)
    x, y = rng.random(), rng.random()
    return Event(
        id=name,
        camera=camera_name(camera),
        epoch=3,
        kind=kind,
        rule={
            "id": rule_name(camera, rule),
            "camera": camera_name(camera),
            "name": f"Fence {rule}",
            "kind": kind.value,
            "line": [[0.1, 0.5], [0.9, 0.5]],
            "labels": ["person"],
            "level": 1 + (camera + rule) % 4,
        },
        level=1 + (camera + rule) % 4,
        label="person",
        score=round(rng.betavariate(5, 3), 4),
        track=rng.randrange(1 << 30),
        stream_time=ticks,
        wall=wall,
        arrival=wall + 0.3,
        point=(round(x, 4), round(y, 4)),
        direction="left_to_right",
        box=(round(x, 4), round(y, 4), round(min(1, x + 0.1), 4), round(min(1, y + 0.3), 4)),
        path=tuple(
            (ticks - 15_000 * (60 - step), round(x + math.sin(step) / 50, 4), round(y - step / 400, 4))
            for step in range(60)
        ),
        detector="yolox_nano",
        snapshot=f"evidence/2026-09-21/{name}.jpg",
        scores=(0.31, 0.62, 0.81),
        evidence=(5, 6),
        weighed=("score", "hits", "height"),
    )


def rows(count: int, end: float, seed: int = 3) -> Iterator[dict[str, Any]]:
    """Rows of alarms that crossed in the `DAYS` before `end` (Unix seconds), oldest first."""
    rng = random.Random(seed)
    begin, step = end - DAYS * 86_400.0, DAYS * 86_400.0 / count
    group, group_began, left = "", 0.0, 0
    for number in range(count):
        wall = begin + (number + rng.random()) * step
        name = f"e{number:08d}"
        if left <= 0:
            group, group_began, left = name, wall, rng.choice((1, 1, 1, 2, 3, 6))
        left -= 1
        event = event_at(rng, name, min(CAMERAS - 1, int(rng.expovariate(3 / CAMERAS))), wall)
        yield {
            "id": name,
            "camera": event.camera,
            "camera_name": f"Camera {event.camera}",
            "rule": event.rule["id"],
            "kind": event.kind.value,
            "label": event.label,
            "score": event.score,
            "epoch": event.epoch,
            "track": event.track,
            "wall": wall,
            "raised": wall + 0.5,
            "level": event.level,
            "event": msgspec.json.encode(event),
            "group_id": group,
            "group_began": group_began,
            "clip_state": ClipState.READY.value,
            "clip": f"evidence/2026-09-21/{name}.mp4",
            "clip_start": wall - 5,
            "clip_duration": 10.0,
            "clip_note": "",
            **_life(rng, wall, recent=number > count * 0.99),
        }


async def fill(database: Database, count: int, end: float, progress: Callable[[float], None]) -> None:
    """Store that many, and let the database look at what it has."""
    waiting: list[dict[str, Any]] = []
    done = 0
    for row in rows(count, end):
        waiting.append(row)
        if len(waiting) == _AT_ONCE:
            done += await _store(database, waiting)
            progress(done / count)
    await _store(database, waiting)
    if database.engine.dialect.name == "postgresql":
        # Its own housekeeping would do so within minutes.
        async with database.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("VACUUM ANALYZE alarms"))


async def _store(database: Database, waiting: list[dict[str, Any]]) -> int:
    stored = len(waiting)
    if waiting:
        async with database.write() as session:
            await session.execute(insert(AlarmTable), waiting)
        waiting.clear()
    return stored


def _life(rng: random.Random, wall: float, *, recent: bool) -> dict[str, Any]:
    state = rng.choices(list(AlarmState), (40, 20, 5, 20, 15) if recent else (0.2, 0.1, 1, 3, 95.7))[0]
    verdict, reason = Verdict.NONE, ""
    if state not in (AlarmState.NEW, AlarmState.ACKNOWLEDGED):
        verdict = Verdict.CONFIRMED if rng.random() < 0.08 else Verdict.DISMISSED
        if state.value in (Verdict.CONFIRMED.value, Verdict.DISMISSED.value):
            verdict = Verdict(state.value)
        reason = rng.choice(_REASONS) if verdict is Verdict.DISMISSED else ""
    answered = wall + rng.expovariate(1 / 90) if state is not AlarmState.NEW else None
    who = rng.choice(ACCOUNTS) if rng.random() < 0.3 else ""
    return {
        "state": state.value,
        "revision": 1,
        "verdict": verdict.value,
        "reason": reason,
        "assignee": who,
        "assignee_name": "guard" if who else "",
        "comments": 0,
        "escalations": 0,
        "answered": answered,
        "decided": answered if verdict is not Verdict.NONE else None,
        "closed": answered if state is AlarmState.CLOSED else None,
    }

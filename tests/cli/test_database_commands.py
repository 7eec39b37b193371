"""`perishield database` as somebody runs it, on a database of their own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.cli.command import perishield

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import Event
from perishield.store.alarms import add_alarm
from perishield.store.database import Database, sqlite_url


async def test_wrong_sums_are_told_and_made_anew(tmp_path: Path, make_event: Callable[..., Event]) -> None:
    database = await Database.open(sqlite_url(tmp_path / "perishield.db"))
    async with database.write() as session:
        for number in range(3):
            event = make_event(f"e{number}", wall=1_790_000_000.0, arrival=1_790_000_000.5)
            await add_alarm(session, raise_alarm(event, "Gate", 1_790_000_001.0))
    await database.close()
    line = ("database", "recount", "--data", tmp_path, "--json")
    code, out, err = perishield(*line, "--check")
    assert (code, json.loads(out)) == (0, {"wrong": 0, "made": None}), err
    with sqlite3.connect(tmp_path / "perishield.db") as raw:
        raw.execute("UPDATE alarm_sums SET count = 7 WHERE span = 1")
    code, out, _ = perishield(*line, "--check")
    assert (code, json.loads(out)["wrong"]) == (1, 2), "what is kept, and what should be"
    code, out, _ = perishield(*line)
    # Three spans of days; the hour for the camera and for all.
    assert (code, json.loads(out)) == (0, {"wrong": 2, "made": 5})
    assert perishield(*line, "--check")[0] == 0


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    code, _, err = perishield("database", "recount", "--data", tmp_path)
    assert code == 2
    assert "no such database" in err
    assert not list(tmp_path.iterdir())

"""Alarms of old get what they held only inside their events, and the way back keeps them; on both databases."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from perishield.alarms.intake import raise_alarm
from perishield.model.alarms import Event
from perishield.store.alarm_list import list_alarms
from perishield.store.alarm_sums import wrong_sums
from perishield.store.alarms import AlarmFilter, add_alarm
from perishield.store.database import Database, migrate
from perishield.store.schema import MIGRATIONS
from perishield.store.statistics import alarm_sums


def back(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, "0007")


async def test_alarms_go_back_and_forth(database: Database, make_event: Callable[..., Event]) -> None:
    alarms = [
        raise_alarm(make_event(f"e{number}", score=0.5 + number / 10_000, track=number, label="人"), "Gate", 100.0)
        for number in range(3)
    ]
    async with database.write() as session:
        for alarm in alarms:
            await add_alarm(session, alarm)
    async with database.engine.execution_options(write=True).begin() as connection:
        await connection.run_sync(back)
        columns = (await connection.execute(text("SELECT * FROM alarms"))).keys()
        assert "verdict" not in columns
        assert await connection.scalar(text("SELECT count(*) FROM alarms")) == 3
        # More than one batch of the way forward.
        names = ", ".join(name for name in columns if name not in ("number", "id"))
        for copy in range(600):
            more = f"INSERT INTO alarms (id, {names}) SELECT id || '-{copy}', {names} FROM alarms WHERE id = 'e2'"  # noqa: S608
            await connection.execute(text(more))
    async with database.engine.execution_options(write=True).begin() as connection:
        await connection.run_sync(migrate)
        rows = (
            await connection.execute(
                text("SELECT id, score, track, label, group_id, revision, state FROM alarms ORDER BY number")
            )
        ).all()
    assert len(rows) == 603
    assert [tuple(row) for row in rows[:3]] == [
        (f"e{number}", 0.5 + number / 10_000, number, "人", f"e{number}", 1, "new") for number in range(3)
    ]
    assert tuple(rows[-1])[1:5] == (0.5002, 2, "人", "e2-599")
    async with database.read() as session:
        page = await list_alarms(session, AlarmFilter(rule="line"), limit=700)
        assert await wrong_sums(session) == 0
        sums = await alarm_sums(session, 0.0, 2**31)
    assert [one.count for one in sums.counts] == [603], "added up on the way forward"
    assert [alarm.id for alarm in page.items[-3:]] == ["e2", "e1", "e0"]
    assert page.items[-1].event == alarms[0].event

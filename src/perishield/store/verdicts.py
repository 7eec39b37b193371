"""What people decided, by rule, with the scores that their alarms had."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.alarm_life import WRONGLY_SEEN
from perishield.model.alarms import Verdict
from perishield.model.statistics import Verdicts
from perishield.store.planner_hints import hidden, is_sqlite
from perishield.store.tables import AlarmTable

MOST_READ = 50_000
"""The newest decided alarms, confirmed and dismissed each."""


async def verdicts_by_rule(
    session: AsyncSession, since: float, cameras: frozenset[str] | None = None, rule: str | None = None
) -> list[Verdicts]:
    """Decided alarms that crossed at or after `since` (Unix seconds), by rule, of these cameras (None: all)."""
    table = AlarmTable
    confirmed: dict[str, list[float]] = {}
    dismissed: dict[str, list[float]] = {}
    others: dict[str, int] = {}
    places: dict[str, tuple[str, str]] = {}
    sqlite = is_sqlite(session)
    wrongly = {reason.value for reason in WRONGLY_SEEN}
    for verdict in (Verdict.CONFIRMED, Verdict.DISMISSED):
        # Along the rule's own index where one is named, else along the verdict's.
        by_rule = sqlite and rule is not None
        query = (
            select(table.rule, table.camera, table.camera_name, table.score, table.reason)
            .where(hidden(table.verdict, by_rule) == verdict.value, hidden(table.wall, sqlite) >= since)
            .where(hidden(table.rule, sqlite) != "" if rule is None else table.rule == rule)
            .order_by(table.number.desc())
            .limit(MOST_READ)
        )
        if cameras is not None:
            query = query.where(hidden(table.camera, sqlite).in_(sorted(cameras)))
        for row in await session.execute(query):
            places.setdefault(row.rule, (row.camera, row.camera_name))
            if verdict is Verdict.CONFIRMED:
                confirmed.setdefault(row.rule, []).append(row.score)
            elif row.reason in wrongly:
                dismissed.setdefault(row.rule, []).append(row.score)
            else:
                others[row.rule] = others.get(row.rule, 0) + 1
    return [
        Verdicts(
            camera=camera,
            camera_name=camera_name,
            rule=one,
            confirmed=tuple(confirmed.get(one, ())),
            dismissed=tuple(dismissed.get(one, ())),
            others=others.get(one, 0),
        )
        for one, (camera, camera_name) in sorted(places.items())
    ]

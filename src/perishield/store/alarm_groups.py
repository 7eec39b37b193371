"""Which intrusion a finding belongs to: what lies near it in time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.store.planner_hints import hidden, is_sqlite
from perishield.store.tables import AlarmTable

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An alarm near another in time. `wall`, `began` (of its group): Unix seconds."""

    group: str
    began: float
    wall: float
    camera: str
    rule: str
    kind: str
    label: str
    epoch: int
    track: int


async def alarms_near(session: AsyncSession, cameras: Collection[str], start: float, end: float) -> list[Near]:
    """Alarms of these cameras that crossed in [start, end], the latest first, 200 at most.

    By the time, which is short: SQLite would read all that its cameras ever raised, at each new alarm.
    """
    table = AlarmTable
    camera = hidden(table.camera, is_sqlite(session))
    rows = await session.execute(
        select(
            table.group_id,
            table.group_began,
            table.wall,
            table.camera,
            table.rule,
            table.kind,
            table.label,
            table.epoch,
            table.track,
        )
        .where(table.wall >= start, table.wall <= end, camera.in_(sorted(cameras)))
        .order_by(table.wall.desc())
        .limit(_MOST)
    )
    return [
        Near(
            group=row.group_id,
            began=row.group_began,
            wall=row.wall,
            camera=row.camera,
            rule=row.rule,
            kind=row.kind,
            label=row.label,
            epoch=row.epoch,
            track=row.track,
        )
        for row in rows
    ]


async def most_escalated(session: AsyncSession, group: str) -> int:
    """How often that one of a group's alarms went up which went up most often."""
    return await session.scalar(select(func.max(AlarmTable.escalations)).where(AlarmTable.group_id == group)) or 0


async def group_members(session: AsyncSession, group: str, cameras: Collection[str] | None, limit: int) -> list[str]:
    """Ids of a group's alarms of these cameras (None: all), the first to be stored first."""
    query = select(AlarmTable.id).where(AlarmTable.group_id == group).order_by(AlarmTable.number).limit(limit)
    if cameras is not None:
        query = query.where(AlarmTable.camera.in_(sorted(cameras)))
    return list(await session.scalars(query))

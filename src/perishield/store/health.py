"""Spells in which something was wrong with a camera."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.health import Ailment, Spell
from perishield.store.tables import SpellTable


async def keep_spells(session: AsyncSession, camera: str, lasting: Iterable[Spell], now: float) -> None:
    """Store what is new of a camera's lasting spells, and end those which last no more. The same told twice is once."""
    told = {spell.id: spell for spell in lasting}
    open_rows = await session.scalars(select(SpellTable).where(SpellTable.camera == camera, SpellTable.ended.is_(None)))
    for row in open_rows:
        if row.id not in told:
            row.ended = max(now, row.began)
    for spell in told.values():
        if await session.get(SpellTable, spell.id) is None:
            session.add(
                SpellTable(
                    id=spell.id, camera=camera, ailment=spell.ailment.value, began=spell.began, ended=spell.ended
                )
            )
    await session.flush()


async def list_spells(session: AsyncSession, camera: str, limit: int = 100) -> list[Spell]:
    """Of one camera, the newest first."""
    rows = await session.scalars(
        select(SpellTable).where(SpellTable.camera == camera).order_by(SpellTable.began.desc()).limit(limit)
    )
    return [
        Spell(id=row.id, camera=row.camera, ailment=Ailment(row.ailment), began=row.began, ended=row.ended)
        for row in rows
    ]


async def spells_between(
    session: AsyncSession, start: float, end: float, cameras: frozenset[str] | None = None
) -> list[Spell]:
    """Spells that touch [start, end) (Unix seconds), of these cameras (None: all), the oldest first."""
    query = (
        select(SpellTable)
        .where(SpellTable.began < end, or_(SpellTable.ended.is_(None), SpellTable.ended > start))
        .order_by(SpellTable.began)
    )
    if cameras is not None:
        query = query.where(SpellTable.camera.in_(sorted(cameras)))
    return [
        Spell(id=row.id, camera=row.camera, ailment=Ailment(row.ailment), began=row.began, ended=row.ended)
        for row in await session.scalars(query)
    ]

"""Holds: footage that nothing may delete until somebody lifts them."""

from __future__ import annotations

import time
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.footage import Hold
from perishield.store.tables import HoldTable


async def list_holds(
    session: AsyncSession, camera: str | None = None, start: float | None = None, end: float | None = None
) -> list[Hold]:
    """All holds, or those of a camera, or those that touch [start, end); oldest footage first."""
    query = select(HoldTable).order_by(HoldTable.start, HoldTable.id)
    if camera is not None:
        query = query.where(HoldTable.camera == camera)
    if start is not None:
        query = query.where(HoldTable.until > start)
    if end is not None:
        query = query.where(HoldTable.start < end)
    return [_hold(row) for row in await session.scalars(query)]


async def get_hold(session: AsyncSession, hold: str) -> Hold | None:
    row = await session.get(HoldTable, hold)
    return _hold(row) if row else None


async def add_hold(session: AsyncSession, camera: str, start: float, until: float, reason: str, who: str) -> Hold:
    row = HoldTable(
        id=uuid4().hex, camera=camera, start=start, until=until, reason=reason, who=who, created=time.time()
    )
    session.add(row)
    await session.flush()
    return _hold(row)


async def change_hold(session: AsyncSession, hold: str, start: float, until: float, reason: str) -> Hold | None:
    """None where there is none."""
    row = await session.get(HoldTable, hold)
    if row is None:
        return None
    row.start, row.until, row.reason = start, until, reason
    await session.flush()
    return _hold(row)


async def lift_hold(session: AsyncSession, hold: str) -> bool:
    """False where there was none."""
    gone = await session.scalars(delete(HoldTable).where(HoldTable.id == hold).returning(HoldTable.id))
    return gone.first() is not None


def _hold(row: HoldTable) -> Hold:
    return Hold(
        id=row.id,
        camera=row.camera,
        start=row.start,
        until=row.until,
        reason=row.reason,
        who=row.who,
        created=row.created,
    )

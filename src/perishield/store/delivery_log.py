"""Looking into the outbox: pages, counts, ages; and forgetting what is long settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.channels import DeliveryState
from perishield.store.outbox import Delivery, delivery_of
from perishield.store.tables_outbox import DeliveryTable

_OPEN = (DeliveryState.WAITING.value, DeliveryState.LEASED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """What to list. `cameras`: only of these; None: of all."""

    channel: str | None = None
    state: DeliveryState | None = None
    alarm: str | None = None
    camera: str | None = None
    cameras: frozenset[str] | None = None


async def list_deliveries(
    session: AsyncSession, wanted: DeliveryFilter, *, limit: int, before: int | None = None
) -> tuple[list[Delivery], int | None]:
    """A page, newest first, and the `before` of the next one."""
    query = select(DeliveryTable).order_by(DeliveryTable.number.desc()).limit(limit + 1)
    for column, value in (
        (DeliveryTable.channel, wanted.channel),
        (DeliveryTable.state, wanted.state.value if wanted.state else None),
        (DeliveryTable.alarm, wanted.alarm),
        (DeliveryTable.camera, wanted.camera),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.cameras is not None:
        query = query.where(DeliveryTable.camera.in_(list(wanted.cameras)))
    if before is not None:
        query = query.where(DeliveryTable.number < before)
    rows = list(await session.scalars(query))
    page = [delivery_of(row) for row in rows[:limit]]
    return page, page[-1].number if len(rows) > limit and page else None


async def get_delivery(session: AsyncSession, number: int) -> Delivery | None:
    row = await session.get(DeliveryTable, number, populate_existing=True)
    return delivery_of(row) if row else None


async def count_deliveries(session: AsyncSession) -> Sequence[tuple[str, DeliveryState, int]]:
    """(channel, state, how many)."""
    rows = await session.execute(
        select(DeliveryTable.channel, DeliveryTable.state, func.count())
        .group_by(DeliveryTable.channel, DeliveryTable.state)
        .order_by(DeliveryTable.channel)
    )
    return [(channel, DeliveryState(state), int(count)) for channel, state, count in rows]


async def oldest_waiting(session: AsyncSession) -> dict[str, float]:
    """Since when (Unix seconds) each channel owes what it owes the longest."""
    rows = await session.execute(
        select(DeliveryTable.channel, func.min(DeliveryTable.created))
        .where(DeliveryTable.state.in_(_OPEN))
        .group_by(DeliveryTable.channel)
    )
    return {channel: float(since) for channel, since in rows}


async def forget_deliveries(session: AsyncSession, before: float, limit: int = 1000) -> int:
    """Delete what was settled before that moment (Unix seconds). Returns how many."""
    settled = (DeliveryState.DELIVERED.value, DeliveryState.SKIPPED.value, DeliveryState.DEAD.value)
    old = (
        select(DeliveryTable.number)
        .where(DeliveryTable.state.in_(settled), DeliveryTable.changed < before)
        .limit(limit)
    )
    gone = await session.scalars(
        delete(DeliveryTable).where(DeliveryTable.number.in_(old)).returning(DeliveryTable.number)
    )
    return len(gone.all())

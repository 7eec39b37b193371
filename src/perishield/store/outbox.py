"""What is to be delivered: booked with the alarm, leased by who sends it, settled by what was answered.

Per channel and camera there is an order, `sequence`. Its head is what is open with the least sequence; only heads may
be sent, so nothing overtakes. A row that is leased comes up again when its lease has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.channels import DeliveryState, Topic
from perishield.store.tables_outbox import DeliveryCountTable, DeliveryTable
from perishield.store.upsert import insert_into

_SENDABLE = (DeliveryState.WAITING.value, DeliveryState.LEASED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """To tell a channel something of an alarm. `due`: Unix seconds; `reason`: why it is held or skipped."""

    channel: str
    alarm: str
    camera: str
    topic: Topic
    key: str
    state: DeliveryState
    due: float
    digest: bool = False
    reason: str = ""
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A row of the outbox. `created`: since when it may be sent (Unix seconds); `due`: not before, or the lease's end;
    `tried`: the last try, 0 for none; `status` and `answer`: what was answered last; `took_ms`: how long that took."""

    number: int
    channel: str
    alarm: str
    camera: str
    topic: Topic
    key: str
    detail: Mapping[str, Any]
    sequence: int
    state: DeliveryState
    digest: bool
    created: float
    changed: float
    due: float
    attempts: int
    tried: float
    status: int
    answer: str
    reason: str
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a try."""

    state: DeliveryState
    due: float
    status: int = 0
    answer: str = ""
    reason: str = ""
    took_ms: int = 0


async def add_delivery(session: AsyncSession, booking: Booking, now: float) -> bool:
    """Book it in the caller's transaction. False where its key is there already."""
    known = await session.scalar(select(DeliveryTable.number).where(DeliveryTable.key == booking.key))
    if known is not None:
        return False
    sequence = None
    if booking.state is DeliveryState.WAITING:
        sequence = await _next_sequence(session, booking.channel, booking.camera)
    statement = (
        insert_into(session, DeliveryTable)
        .values(
            channel=booking.channel,
            alarm=booking.alarm,
            camera=booking.camera,
            topic=booking.topic.value,
            key=booking.key,
            detail=msgspec.json.encode(booking.detail or {}),
            sequence=sequence,
            state=booking.state.value,
            digest=booking.digest,
            created=now,
            changed=now,
            due=booking.due,
            attempts=0,
            tried=0.0,
            lease="",
            status=0,
            answer="",
            reason=booking.reason[:500],
            took_ms=0,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(DeliveryTable.number)
    )
    return (await session.scalars(statement)).first() is not None


async def booked(session: AsyncSession, channel: str, alarm: str, topic: Topic) -> Delivery | None:
    """What was booked first of that topic."""
    row = await session.scalar(
        select(DeliveryTable)
        .where(DeliveryTable.alarm == alarm, DeliveryTable.channel == channel, DeliveryTable.topic == topic.value)
        .order_by(DeliveryTable.number)
        .limit(1)
    )
    return delivery_of(row) if row else None


async def heads(session: AsyncSession, channel: str) -> Sequence[Delivery]:
    """Of each camera what is to be sent next, due or not, oldest first."""
    first = (
        select(DeliveryTable.camera, func.min(DeliveryTable.sequence).label("first"))
        .where(DeliveryTable.channel == channel, DeliveryTable.state.in_(_SENDABLE))
        .group_by(DeliveryTable.camera)
        .subquery()
    )
    query = (
        select(DeliveryTable)
        .join(first, (DeliveryTable.camera == first.c.camera) & (DeliveryTable.sequence == first.c.first))
        .where(DeliveryTable.channel == channel, DeliveryTable.state.in_(_SENDABLE))
        .order_by(DeliveryTable.number)
    )
    return [delivery_of(row) for row in await session.scalars(query)]


async def waiting_of(session: AsyncSession, channel: str, cameras: Collection[str], limit: int) -> Sequence[Delivery]:
    """What waits for a channel of those cameras; of each camera in its order, without a gap."""
    query = (
        select(DeliveryTable)
        .where(
            DeliveryTable.channel == channel,
            DeliveryTable.state == DeliveryState.WAITING.value,
            DeliveryTable.camera.in_(list(cameras)),
        )
        .order_by(DeliveryTable.sequence, DeliveryTable.number)
        .limit(limit)
    )
    return [delivery_of(row) for row in await session.scalars(query)]


async def tries_since(session: AsyncSession, channel: str, moment: float) -> tuple[int, float]:
    """How many messages were begun after that moment (Unix seconds), and when the first of them was."""
    count, first = (
        await session.execute(
            select(func.count(), func.min(DeliveryTable.tried)).where(
                DeliveryTable.channel == channel, DeliveryTable.tried > moment
            )
        )
    ).one()
    return int(count), float(first or 0.0)


async def lease(
    session: AsyncSession, numbers: Sequence[int], name: str, now: float, until: float
) -> Sequence[Delivery]:
    """Take rows that are still due, in a write transaction; those that others hold or took meanwhile are left out.

    The first counts as tried, the others go along with it; leasing one row at a time counts each.
    """
    query = (
        select(DeliveryTable)
        .where(DeliveryTable.number.in_(list(numbers)), DeliveryTable.state.in_(_SENDABLE), DeliveryTable.due <= now)
        .order_by(DeliveryTable.number)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = list(await session.scalars(query))
    for place, row in enumerate(rows):
        row.state, row.lease, row.due, row.changed = DeliveryState.LEASED.value, name, until, now
        row.attempts += 1
        if place == 0:
            row.tried = now
    await session.flush()
    return [delivery_of(row) for row in rows]


async def settle(session: AsyncSession, numbers: Sequence[int], name: str, now: float, end: Settlement) -> int:
    """Write down what became of rows leased under `name`; returns of how many: whose lease ended, another has."""
    done = await session.scalars(
        update(DeliveryTable)
        .where(
            DeliveryTable.number.in_(list(numbers)),
            DeliveryTable.lease == name,
            DeliveryTable.state == DeliveryState.LEASED.value,
        )
        .values(
            state=end.state.value,
            lease="",
            due=end.due,
            changed=now,
            status=end.status,
            answer=end.answer[:1024],
            reason=end.reason[:500],
            took_ms=end.took_ms,
        )
        .returning(DeliveryTable.number)
    )
    return len(done.all())


async def give_back(session: AsyncSession, owner: str, now: float) -> int:
    """Rows that were leased under names below `owner` are due again at once. Returns how many."""
    done = await session.scalars(
        update(DeliveryTable)
        .where(
            DeliveryTable.state == DeliveryState.LEASED.value,
            DeliveryTable.lease.startswith(f"{owner}/", autoescape=True),
        )
        .values(state=DeliveryState.WAITING.value, lease="", due=now, changed=now)
        .returning(DeliveryTable.number)
    )
    return len(done.all())


def _held_until(now: float) -> tuple[ColumnElement[bool], ...]:
    return DeliveryTable.state == DeliveryState.HELD.value, DeliveryTable.due <= now


async def any_to_release(session: AsyncSession, now: float) -> bool:
    """Whether `release_held` would find something."""
    return await session.scalar(select(DeliveryTable.number).where(*_held_until(now)).limit(1)) is not None


async def release_held(session: AsyncSession, now: float, limit: int = 200) -> int:
    """What was held and may be sent by now gets its place in the order. Returns how many."""
    query = (
        select(DeliveryTable)
        .where(*_held_until(now))
        .order_by(DeliveryTable.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await session.scalars(query))
    for row in rows:
        row.sequence = await _next_sequence(session, row.channel, row.camera)
        row.state, row.created, row.changed, row.reason = DeliveryState.WAITING.value, now, now, ""
    await session.flush()
    return len(rows)


async def give_up(session: AsyncSession, channel: str, before: float, now: float, reason: str) -> int:
    """What waits since before that moment is undeliverable. Returns how many."""
    done = await session.scalars(
        update(DeliveryTable)
        .where(
            DeliveryTable.channel == channel,
            DeliveryTable.state == DeliveryState.WAITING.value,
            DeliveryTable.created < before,
        )
        .values(
            state=DeliveryState.DEAD.value,
            changed=now,
            reason=func.substr(
                literal(reason, Text).concat(func.coalesce(func.nullif(DeliveryTable.reason, ""), "none")), 1, 500
            ),
        )
        .returning(DeliveryTable.number)
    )
    return len(done.all())


async def revive(
    session: AsyncSession, now: float, *, number: int | None = None, channel: str | None = None, limit: int = 1000
) -> int:
    """Undeliverable ones, one or a channel's, wait again behind what waits already, with the key they had."""
    query = select(DeliveryTable).where(DeliveryTable.state == DeliveryState.DEAD.value)
    if number is not None:
        query = query.where(DeliveryTable.number == number)
    if channel is not None:
        query = query.where(DeliveryTable.channel == channel)
    rows = list(
        await session.scalars(query.order_by(DeliveryTable.number).limit(limit).with_for_update(skip_locked=True))
    )
    for row in rows:
        row.sequence = await _next_sequence(session, row.channel, row.camera)
        row.state, row.created, row.changed, row.due = DeliveryState.WAITING.value, now, now, now
    await session.flush()
    return len(rows)


async def _next_sequence(session: AsyncSession, channel: str, camera: str) -> int:
    statement = insert_into(session, DeliveryCountTable).values(channel=channel, camera=camera, last=1)
    found = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["channel", "camera"], set_={"last": DeliveryCountTable.last + 1}
        ).returning(DeliveryCountTable.last)
    )
    if found is None:
        raise RuntimeError(f"the count of channel {channel!r} cannot be read back")
    return int(found)


def delivery_of(row: DeliveryTable) -> Delivery:
    return Delivery(
        number=row.number,
        channel=row.channel,
        alarm=row.alarm,
        camera=row.camera,
        topic=Topic(row.topic),
        key=row.key,
        detail=msgspec.json.decode(row.detail, type=dict[str, Any]),
        sequence=row.sequence or 0,
        state=DeliveryState(row.state),
        digest=row.digest,
        created=row.created,
        changed=row.changed,
        due=row.due,
        attempts=row.attempts,
        tried=row.tried,
        status=row.status,
        answer=row.answer,
        reason=row.reason,
        took_ms=row.took_ms,
    )

"""Channels and their secrets."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from perishield.log import Log
from perishield.model.channels import Channel
from perishield.model.schedule import Schedule
from perishield.store.sealed_columns import place_of
from perishield.store.sealing import keyring_of
from perishield.store.tables_outbox import ChannelTable
from perishield.store.tables_schedules import ScheduleTable

log = Log("outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChannel:
    """`trouble`: why it does not deliver, or empty; `paused_until`: Unix seconds before which it is not tried."""

    channel: Channel
    secrets: Mapping[str, str] = field(repr=False)
    trouble: str = ""
    paused_until: float = 0.0


async def list_channels(session: AsyncSession) -> Sequence[StoredChannel]:
    """All channels, in the order in which they were made."""
    rows = await session.scalars(select(ChannelTable).order_by(ChannelTable.created, ChannelTable.id))
    return [_stored(session, row) for row in rows if _legible(row.id, row.body, row.revision)]


async def channels_to_book(session: AsyncSession) -> Sequence[Channel]:
    """The channels that are on, without secrets; those that name schedules with these hours as their own."""
    hours, quiet = aliased(ScheduleTable), aliased(ScheduleTable)
    rows = await session.execute(
        select(ChannelTable.id, ChannelTable.body, ChannelTable.revision, hours.schedule, quiet.schedule)
        .outerjoin(hours, hours.id == ChannelTable.schedule_id)
        .outerjoin(quiet, quiet.id == ChannelTable.quiet_schedule_id)
        .order_by(ChannelTable.created, ChannelTable.id)
    )
    return [
        _with_hours(found, of_route, of_quiet)
        for name, body, revision, of_route, of_quiet in rows
        if _legible(name, body, revision) and (found := _read(body, revision)).enabled
    ]


async def get_channel(session: AsyncSession, channel: str) -> StoredChannel | None:
    row = await session.get(ChannelTable, channel, populate_existing=True)
    return _stored(session, row) if row else None


async def add_channel(session: AsyncSession, channel: Channel, secrets: Mapping[str, str]) -> StoredChannel:
    """Keep a new channel at revision 1. The caller has made sure that its id is free."""
    row = ChannelTable(
        id=channel.id,
        sealed_secrets=_sealed(session, channel.id, secrets),
        revision=1,
        created=time.time(),
        trouble="",
        paused_until=0.0,
    )
    _fill(row, channel)
    session.add(row)
    await session.flush()
    return _stored(session, row)


async def change_channel(
    session: AsyncSession, channel: Channel, secrets: Mapping[str, str], expected: int | None
) -> StoredChannel | None:
    """Change a channel and count its revision up; its trouble is forgotten, so that it is tried at once.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(ChannelTable, channel.id, with_for_update=True, populate_existing=True)
    if row is None or (expected is not None and row.revision != expected):
        return None
    _fill(row, channel)
    row.sealed_secrets = _sealed(session, channel.id, secrets)
    row.revision += 1
    row.trouble, row.paused_until = "", 0.0
    await session.flush()
    return _stored(session, row)


async def delete_channel(session: AsyncSession, channel: str) -> bool:
    """With everything that waits for it."""
    gone = await session.scalars(delete(ChannelTable).where(ChannelTable.id == channel).returning(ChannelTable.id))
    return gone.first() is not None


async def set_trouble(session: AsyncSession, channel: Channel, trouble: str, paused_until: float = 0.0) -> None:
    """Write down why a channel does not deliver, and until when it is left alone; empty: it does again.

    What was found out under settings that have changed since is not held against the new ones.
    """
    await session.execute(
        update(ChannelTable)
        .where(ChannelTable.id == channel.id, ChannelTable.revision == channel.revision)
        .values(trouble=trouble[:1000], paused_until=paused_until)
    )


async def lock_channel(session: AsyncSession, channel: str) -> None:
    """Keep other servers from beginning anything for this channel until the transaction ends."""
    await session.execute(select(ChannelTable.id).where(ChannelTable.id == channel).with_for_update())


def _fill(row: ChannelTable, channel: Channel) -> None:
    quiet = channel.route.quiet
    row.body = msgspec.json.encode(channel)
    row.schedule_id = channel.route.schedule_id
    row.quiet_schedule_id = quiet.schedule_id if quiet is not None else None


def _with_hours(channel: Channel, of_route: str | None, of_quiet: str | None) -> Channel:
    """The same with the hours of the schedules that it names (JSON), where it does."""
    route = channel.route
    if of_route is not None:
        route = msgspec.structs.replace(route, schedule=_hours(of_route), schedule_id=None)
    if of_quiet is not None and route.quiet is not None:
        quiet = msgspec.structs.replace(route.quiet, schedule=_hours(of_quiet), schedule_id=None)
        route = msgspec.structs.replace(route, quiet=quiet)
    return channel if route is channel.route else msgspec.structs.replace(channel, route=route)


@lru_cache(maxsize=256)
def _hours(text: str) -> Schedule:
    return msgspec.json.decode(text, type=Schedule)


def _legible(name: str, body: bytes, revision: int) -> bool:
    """A channel that another version wrote must not keep alarms from being stored."""
    try:
        _read(body, revision)
    except msgspec.MsgspecError as error:
        log.error("channel.illegible", channel=name, message=f"save it anew: {error}")
        return False
    return True


@lru_cache(maxsize=1024)
def _read(body: bytes, revision: int) -> Channel:
    return msgspec.structs.replace(msgspec.json.decode(body, type=Channel), revision=revision)


def _place(channel: str) -> str:
    return place_of(ChannelTable.sealed_secrets, channel)


def _sealed(session: AsyncSession, channel: str, secrets: Mapping[str, str]) -> str:
    encoded = msgspec.json.encode(dict(secrets)).decode() if secrets else ""
    return keyring_of(session).seal(encoded, _place(channel))


def _stored(session: AsyncSession, row: ChannelTable) -> StoredChannel:
    secrets = keyring_of(session).unseal(row.sealed_secrets, _place(row.id))
    return StoredChannel(
        channel=_read(row.body, row.revision),
        secrets=msgspec.json.decode(secrets or "{}", type=dict[str, str]),
        trouble=row.trouble,
        paused_until=row.paused_until,
    )

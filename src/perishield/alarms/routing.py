"""Which channels are told of an alarm, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.log import Log
from perishield.model.alarms import Alarm
from perishield.model.channels import Channel, DeliveryState, Topic
from perishield.model.schedule import Schedule
from perishield.rules.timetable import Timetable
from perishield.store.channels import channels_to_book
from perishield.store.outbox import Booking, add_delivery, booked

log = Log("outbox")

GroupsOf = Callable[[AsyncSession], Awaitable[Mapping[str, frozenset[str]]]]
"""The cameras of each group, by its id."""

_MINUTE_S = 60
_FARTHEST_S = 8 * 86_400
"""Quiet hours that last longer than a week are looked at again."""


async def book(
    session: AsyncSession,
    alarm: Alarm,
    topic: Topic,
    now: float,
    *,
    change: str = "",
    detail: dict[str, Any] | None = None,
    groups: GroupsOf | None = None,
) -> int:
    """Book what there is to tell of an alarm, in the caller's transaction; returns for how many channels.

    `change` tells one update of an alarm from another: with the same one nothing is booked twice.
    """
    count = 0
    channels = await channels_to_book(session)
    grouped = groups is not None and any(channel.route.groups for channel in channels)
    members = await groups(session) if groups is not None and grouped else {}
    for channel in channels:
        if topic not in channel.topics or not wants(channel, alarm, members):
            continue
        booking = _booking(channel, alarm, topic, now, change, detail)
        if topic is not Topic.RAISED and Topic.RAISED in channel.topics:
            first = await booked(session, channel.id, alarm.id, Topic.RAISED)
            if first is None or first.state is DeliveryState.SKIPPED:
                continue
            if first.state is DeliveryState.HELD:
                # It must not come before the alarm that it belongs to; in a summary it has no place.
                if first.digest:
                    continue
                booking = _held(booking, first.due, digest=False)
            elif booking.state is not DeliveryState.WAITING:
                # Who was told of the alarm is told of its clip.
                booking = _booking(channel, alarm, topic, now, change, detail, quiet=False)
        count += await add_delivery(session, booking, now)
    return count


def wants(channel: Channel, alarm: Alarm, members: Mapping[str, frozenset[str]]) -> bool:
    """Whether a channel's route leads there, quiet hours aside. `members`: the cameras of each group."""
    route, event = channel.route, alarm.event
    if route.levels and alarm.level not in route.levels:
        return False
    grouped = any(event.camera in members.get(group, ()) for group in route.groups)
    if (route.cameras or route.groups) and event.camera not in route.cameras and not grouped:
        return False
    if route.kinds and event.kind.value not in route.kinds:
        return False
    if route.rules and str(event.rule.get("id", "")) not in route.rules:
        return False
    return route.schedule is None or _open(route.schedule, alarm.raised)


def quiet_until(quiet: Schedule, now: float) -> float:
    """When these quiet hours end (Unix seconds), to the minute; `now` where they are not on."""
    table = _table(quiet)
    moment = now
    while moment < now + _FARTHEST_S:
        try:
            if not table.watches(moment):
                return moment
        except (ValueError, OverflowError, OSError):
            return now
        moment = (moment // _MINUTE_S + 1) * _MINUTE_S
    return moment


def _booking(
    channel: Channel,
    alarm: Alarm,
    topic: Topic,
    now: float,
    change: str,
    detail: dict[str, Any] | None,
    *,
    quiet: bool = True,
) -> Booking:
    key = f"{channel.id}.{alarm.id}.{topic.value}" + (f".{change}" if change else "")
    made = Booking(
        channel=channel.id,
        alarm=alarm.id,
        camera=alarm.event.camera,
        topic=topic,
        key=key[:200],
        state=DeliveryState.WAITING,
        due=now,
        detail=detail,
    )
    hours = channel.route.quiet
    if not quiet or hours is None or hours.schedule is None or alarm.level <= hours.urgent:
        return made
    until = quiet_until(hours.schedule, now)
    if until <= now:
        return made
    if hours.then == "drop":
        return replace(made, state=DeliveryState.SKIPPED, reason="quiet hours")
    return _held(made, until, digest=hours.then == "digest")


def _held(made: Booking, until: float, *, digest: bool) -> Booking:
    return replace(made, state=DeliveryState.HELD, due=until, digest=digest, reason="quiet hours")


def _open(schedule: Schedule, wall: float) -> bool:
    try:
        return _table(schedule).watches(wall)
    except (ValueError, OverflowError, OSError) as error:
        # A time that no calendar has: rather one message too many.
        log.warning("route.schedule", message=str(error))
        return True


@lru_cache(maxsize=256)
def _table(schedule: Schedule) -> Timetable:
    return Timetable(schedule)

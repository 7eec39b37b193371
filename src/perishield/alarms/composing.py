"""From a row of the outbox to the message that is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from perishield.alarms.channels.payload import names
from perishield.alarms.channels.sender import Links, Message
from perishield.model.alarms import Alarm, AlarmState, ClipState, Event, EventKind
from perishield.model.channels import Channel, Topic
from perishield.store.alarms import get_alarm
from perishield.store.database import Database
from perishield.store.outbox import Delivery

_MOST_PICTURE = 5 << 20

LinkTo = Callable[[Alarm], Links]
"""Addresses of an alarm's page, picture and clip, signed now."""


class Composer:
    """Makes messages of what the store says at the moment of sending, so that links are fresh."""

    def __init__(self, database: Database, media_root: Path, link: LinkTo) -> None:
        self._database = database
        self._media_root = media_root
        self._link = link

    async def message(self, deliveries: Sequence[Delivery], channel: Channel, *, picture: bool) -> Message | None:
        """One message for these, the first of which gives it its key. None: the alarms are gone."""
        alarms: list[tuple[Delivery, Alarm]] = []
        async with self._database.read() as session:
            for delivery in deliveries:
                alarm = await get_alarm(session, delivery.alarm)
                if alarm is not None:
                    alarms.append((delivery, alarm))
        if not alarms:
            return None
        (first, alarm), *others = alarms
        shown = b""
        if picture and not others and alarm.event.snapshot:
            shown = await asyncio.to_thread(self._picture, alarm.event.snapshot)
        return Message(
            key=first.key,
            topic=first.topic,
            sequence=first.sequence,
            alarm=alarm,
            links=self._link(alarm),
            detail=first.detail,
            # An alarm and its clip count once.
            others=tuple({one.id: one for _, one in others if one.id != alarm.id}.values()),
            timezone=channel.timezone,
            picture=shown,
        )

    def trial(self, channel: Channel) -> Message:
        """A message that says that it is a test."""
        alarm = sample_alarm(time.time())
        return Message(
            key=f"{channel.id}.{alarm.id}.raised",
            topic=Topic.RAISED,
            sequence=0,
            alarm=alarm,
            links=self._link(alarm),
            timezone=channel.timezone,
            test=True,
        )

    def _picture(self, path: str) -> bytes:
        file = (self._media_root / path).resolve()
        if not file.is_relative_to(self._media_root.resolve()):
            return b""
        try:
            with file.open("rb") as stream:
                found = stream.read(_MOST_PICTURE + 1)
        except OSError:
            return b""
        return found if len(found) <= _MOST_PICTURE else b""


def sample_alarm(now: float) -> Alarm:
    """An alarm that never was, for tests of channels."""
    event = Event(
        id=f"test-{uuid4().hex[:12]}",
        camera="test",
        epoch=0,
        kind=EventKind.TRIPWIRE,
        rule={"id": "test", "name": "Test"},
        level=4,
        label="person",
        score=0.9,
        track=1,
        stream_time=0,
        wall=now,
        arrival=now,
        point=(0.5, 0.5),
        direction="left_to_right",
        box=(0.4, 0.3, 0.6, 0.7),
        path=(),
        detector="test",
    )
    return Alarm(
        id=event.id,
        event=event,
        state=AlarmState.NEW,
        level=event.level,
        raised=now,
        camera_name="Test",
        clip_state=ClipState.PENDING,
    )


def template_names() -> dict[str, object]:
    """The names that templates may use, with examples."""
    alarm = sample_alarm(1_790_000_000.0)
    return names(
        Message(key="key", topic=Topic.RAISED, sequence=1, alarm=alarm, links=Links(console="https://node.example/"))
    )

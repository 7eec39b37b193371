"""Events out of the spool, alarms into the store: acknowledged after the commit, stored once however often told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.grouping import Grouping, group_for
from perishield.alarms.neighbours import with_neighbours
from perishield.bus import LocalBus, topics
from perishield.bus.codec import decode
from perishield.bus.spool import Spool
from perishield.log import Log
from perishield.model.alarms import Alarm, AlarmState, ClipState, Event
from perishield.model.errors import BusError
from perishield.model.escalation import Escalated
from perishield.store.alarms import add_alarm
from perishield.store.cameras import camera_names
from perishield.store.database import Database

log = Log("alarms")

_POLL_S = 1.0
_AT_ONCE = 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""An event's id becomes a file's name."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What listeners hear: an alarm that is new, or one that changed. `escalated`: somebody shall be told, once."""

    alarm: Alarm
    new: bool
    escalated: Escalated | None = None


Announce = Callable[[Announcement], None]
Along = Callable[[AsyncSession, Alarm], Awaitable[None]]
"""Writes what belongs to an alarm in the transaction that stores it, or its clip."""


class Intake:
    """Moves events from the spool to the store and tells each new alarm once it is committed."""

    def __init__(
        self,
        spool: Spool,
        database: Database,
        announce: Announce,
        on_stored: Sequence[Along] = (),
        *,
        grouping: Grouping | None = None,
    ) -> None:
        self._spool = spool
        self._database = database
        self._announce = announce
        self._on_stored = on_stored
        self._grouping = grouping or Grouping()
        self._troubled = False

    async def run(self, bus: LocalBus) -> None:
        """Until cancelled: at every wake-up, and every second in case one was lost."""
        async with bus.subscribe(topics.EVENTS, size=1) as wakes:
            while True:
                if await self._try_drain() < _AT_ONCE:
                    try:
                        await asyncio.wait_for(wakes.get(), _POLL_S)
                    except TimeoutError:
                        continue
                    except BusError:
                        return

    async def drain(self) -> int:
        """Store what waits, at most a batch, and return how much was taken from the spool.

        Raises BusError or SQLAlchemyError; then nothing is acknowledged and all of it comes again.
        """
        waiting = await asyncio.to_thread(self._spool.take, _AT_ONCE)
        if not waiting:
            return 0
        events: list[Event] = []
        for entry, payload in waiting:
            try:
                events.append(read_event(payload))
            except BusError as error:
                log.error("event.unreadable", id=entry, size=len(payload), message=str(error))
        stored: list[Alarm] = []
        if events:
            async with self._database.write() as session:
                names = await camera_names(session)
                grouping = await with_neighbours(session, self._grouping)
                for event in events:
                    group, began = await group_for(session, event, grouping)
                    alarm = replace(
                        raise_alarm(event, names.get(event.camera, event.camera), time.time()),
                        group=group,
                        group_began=began,
                    )
                    if await add_alarm(session, alarm):
                        stored.append(alarm)
                        for along in self._on_stored:
                            await along(session, alarm)
        await asyncio.to_thread(self._spool.ack, [entry for entry, _ in waiting])
        for alarm in stored:
            log.info(
                "alarm.raised",
                id=alarm.id,
                camera=alarm.event.camera,
                rule=alarm.event.rule.get("name", ""),
                level=alarm.level,
                ms=int((alarm.raised - alarm.event.arrival) * 1000),
            )
            self._announce(Announcement(alarm, new=True))
        return len(waiting)

    async def _try_drain(self) -> int:
        try:
            taken = await self.drain()
        except (SQLAlchemyError, BusError) as error:
            if not self._troubled:
                log.error("alarms.waiting", message=f"alarms wait in the spool, the store cannot take them: {error}")
            self._troubled = True
            await asyncio.sleep(_POLL_S)
            return 0
        if self._troubled:
            log.info("alarms.flowing", message="the store takes alarms again")
            self._troubled = False
        return taken


def read_event(payload: bytes) -> Event:
    """The event in a spool entry. Raises BusError (`bus_garbled`) for what could not be stored and shown again."""
    event = decode(payload, Event)
    if not _ID.fullmatch(event.id):
        raise BusError(f"event {event.id[:80]!r}: its id cannot be a file's name", code="bus_garbled")
    try:
        # JSON has no infinities: what does not survive the round trip would poison the store.
        msgspec.json.decode(msgspec.json.encode(event), type=Event)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BusError(f"event {event.id}: {error}", code="bus_garbled") from error
    return event


def raise_alarm(event: Event, camera_name: str, now: float) -> Alarm:
    """A new alarm whose clip is still to be cut."""
    return Alarm(
        id=event.id,
        event=event,
        state=AlarmState.NEW,
        level=event.level,
        raised=now,
        camera_name=camera_name,
        clip_state=ClipState.PENDING,
        group=event.id,
        group_began=event.wall,
    )

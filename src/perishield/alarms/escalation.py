"""Alarms that nobody takes up go up: to another level, to other people.

Nothing is timed in memory: what is due follows from when alarms were raised and from how far each step has come, both
in the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.intake import Announce, Announcement
from perishield.log import Log
from perishield.model.alarms import Alarm, AlarmState
from perishield.model.escalation import Escalated, EscalationStep
from perishield.store.alarm_groups import most_escalated
from perishield.store.alarm_life import escalate, held_alarms
from perishield.store.database import Database
from perishield.store.escalation import consider, due_alarms, list_steps

log = Log("escalation")

OnChange = Callable[[AsyncSession, Alarm, str, Mapping[str, object]], Awaitable[None]]

_ROUND_S = 2.0
_AT_ONCE = 100
_STRIDE_S = 600.0


class Escalation:
    """Weighs every step's alarms each round. `clock`: Unix seconds. `on_change` is called in the transaction of each
    change, with its name and what it says.
    """

    def __init__(
        self,
        database: Database,
        announce: Announce,
        *,
        clock: Callable[[], float] = time.time,
        round_s: float = _ROUND_S,
        at_once: int = _AT_ONCE,
        on_change: OnChange | None = None,
    ) -> None:
        self._database = database
        self._announce = announce
        self._clock = clock
        self._round_s = round_s
        self._at_once = at_once
        self._on_change = on_change
        self._troubled = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while await self.step():
                    pass
                self._troubled = False
            except SQLAlchemyError as error:
                if not self._troubled:
                    log.error("escalation.waiting", message=f"the store cannot be read: {error}")
                self._troubled = True
            await asyncio.sleep(self._round_s)

    async def step(self) -> bool:
        """Take up what is due now, at most a batch of each step; returns whether there is more."""
        async with self._database.read() as session:
            steps = [step for step in await list_steps(session) if step.enabled]
        more = False
        for step in steps:
            taken = await self._take(step)
            for announcement in taken:
                told = announcement.escalated
                log.info(
                    "alarm.escalated",
                    id=announcement.alarm.id,
                    step=step.name,
                    level=announcement.alarm.level,
                    role=told.to_role if told else "",
                    channel=told.channel if told else "",
                )
                self._announce(announcement)
            more = more or len(taken) >= self._at_once
        return more

    async def _take(self, step: EscalationStep) -> list[Announcement]:
        now = self._clock()
        async with self._database.read() as session:
            due = await due_alarms(session, step, now, self._at_once)
        if not due.ids and due.until - due.since < _STRIDE_S:
            # A look along an index is cheaper than a write, as long as the way is short.
            return []
        announcements = []
        async with self._database.write() as session:
            due = await due_alarms(session, step, now, self._at_once)
            for alarm in (await held_alarms(session, due.ids)).values():
                if alarm.state is not AlarmState.NEW:
                    continue
                told = taken_up(alarm, step, now)
                # Nine alarms of one intruder all go up, and the telephone rings once.
                again = await most_escalated(session, alarm.group) > alarm.escalations
                after = await escalate(session, alarm, told, again=again)
                if self._on_change is not None:
                    detail = {"change": "escalate", "step": told.name, "to_role": told.to_role, "channel": told.channel}
                    await self._on_change(session, after, f"escalate-{after.revision}", detail)
                announcements.append(Announcement(after, new=False, escalated=None if again else told))
            await consider(session, step.id, due.until)
        return announcements


def taken_up(alarm: Alarm, step: EscalationStep, now: float) -> Escalated:
    """What a step makes of an alarm: only ever more urgent (1 is the most)."""
    level = min(alarm.level, step.to_level) if step.to_level else alarm.level
    return Escalated(
        step=step.id,
        name=step.name,
        at=now,
        level_before=alarm.level,
        level=level,
        to_role=step.to_role,
        channel=step.channel,
    )

"""One channel's queue: takes what is due, sends it, writes down what was answered.

Nothing of a camera is sent before what is ahead of it was delivered or given up; cameras do not wait for each other,
nor channels. Killed at any point, it sends again what it had not settled, under the same key.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.channels.sender import Answer, Message, Outcome, Sender, unanswered
from perishield.alarms.composing import Composer
from perishield.log import Log
from perishield.model.channels import DeliveryState, DingTalk, Feishu, WeCom
from perishield.store.channels import StoredChannel, lock_channel, set_trouble
from perishield.store.database import Database
from perishield.store.outbox import (
    Delivery,
    Settlement,
    give_back,
    give_up,
    heads,
    lease,
    settle,
    tries_since,
    waiting_of,
)

log = Log("outbox")

_MINUTE_S = 60.0
_MOST_TOGETHER = 50
_SETUP_PAUSE_S = 600.0
_RATE_PAUSE_S = 60.0
_POLL_S = 2.0
_TROUBLE_S = 1.0
_GRACE_S = 0.5


class ChannelQueue:
    """`run` until cancelled. `tries` counts outcomes by channel."""

    def __init__(
        self,
        database: Database,
        stored: StoredChannel,
        sender: Sender,
        composer: Composer,
        owner: str,
        tries: Counter[tuple[str, str]],
        changed: Callable[[], None],
    ) -> None:
        self.stored = stored
        self._database = database
        self._sender = sender
        self._composer = composer
        self._lease_owner = f"{owner}/{uuid4().hex[:16]}"
        self._tries = tries
        self._changed = changed
        self._tempo = stored.channel.tempo
        self._robot = isinstance(stored.channel.target, DingTalk | WeCom | Feishu)
        self._news = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._troubled = False
        # The answer must be settled within the lease, a second try in plain text included.
        self._lease_s = 2 * sender.timeout_s + 15.0

    def wake(self) -> None:
        self._news.set()

    def told(self, stored: StoredChannel) -> None:
        """The same channel with what other processes found out about it."""
        self.stored = stored

    async def run(self) -> None:
        try:
            while True:
                self._news.clear()
                try:
                    pause = await self._turn()
                    self._troubled = False
                except SQLAlchemyError as error:
                    if not self._troubled:
                        log.error("outbox.waiting", channel=self._id, message=f"the store does not answer: {error}")
                    self._troubled, pause = True, _TROUBLE_S
                # Python 3.11's `wait_for` forgets that it was cancelled where the news come at the same moment.
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(pause, 0.0)):
                        await self._news.wait()
        finally:
            await self._wind_up()

    async def _wind_up(self) -> None:
        """Let end what is nearly done; the rest is due again at once, for whoever comes next."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=_GRACE_S)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._sender.close()
        # A lease that cannot be given back ends by itself.
        with suppress(SQLAlchemyError):
            async with self._database.write() as session:
                await give_back(session, self._lease_owner, time.time())

    @property
    def _id(self) -> str:
        return self.stored.channel.id

    async def _turn(self) -> float:
        """Begin what may begin; returns the seconds until it is worth looking again."""
        now = time.time()
        free = self._tempo.parallel - len(self._sending)
        if free <= 0:
            return _POLL_S
        async with self._database.read() as session:
            ahead = await heads(session, self._id)
            tried, first = await tries_since(session, self._id, now - _MINUTE_S)
        if any(one.state is DeliveryState.WAITING and one.created < now - self._tempo.give_up_s for one in ahead):
            await self._bury(now)
            return 0.0
        if self.stored.paused_until > now:
            return min(self.stored.paused_until - now, _POLL_S)
        due = [one for one in ahead if one.due <= now]
        if not due:
            return min([_POLL_S, *(one.due - now for one in ahead)])
        room = self._tempo.per_minute // self._sender.cost - tried
        if room <= 0:
            return min(max(first + _MINUTE_S - now, 0.05), _POLL_S)
        together = await self._together(due, now)
        if together:
            await self._begin([together], now)
        else:
            await self._begin([[one] for one in due[: min(free, room)]], now)
        return 0.0 if len(due) > 1 and len(self._sending) < self._tempo.parallel else _POLL_S

    async def _together(self, due: Sequence[Delivery], now: float) -> list[Delivery]:
        """What is told in one message: what was held for a summary, and what piles up; else nothing."""
        summary = any(one.digest for one in due)
        if self._sending or not (summary or self._tempo.digest_after):
            return []
        async with self._database.read() as session:
            waiting = await waiting_of(session, self._id, {one.camera for one in due}, _MOST_TOGETHER)
        if summary and len(waiting) < (self._tempo.digest_after or _MOST_TOGETHER + 1):
            kept: list[Delivery] = []
            closed: set[str] = set()
            for one in waiting:
                if one.digest and one.camera not in closed:
                    kept.append(one)
                else:
                    closed.add(one.camera)
            waiting = kept
        elif len(waiting) < self._tempo.digest_after:
            return []
        return [one for one in waiting if one.due <= now] if len(waiting) > 1 else []

    async def _begin(self, batches: Sequence[Sequence[Delivery]], now: float) -> None:
        name = f"{self._lease_owner}/{uuid4().hex[:16]}"
        async with self._database.write() as session:
            # Several servers count the same minute: what another began since we looked is told from in here.
            await lock_channel(session, self._id)
            tried, _ = await tries_since(session, self._id, now - _MINUTE_S)
            batches = batches[: max(self._tempo.per_minute // self._sender.cost - tried, 0)]
            taken = [
                await lease(session, [one.number for one in batch], name, now, now + self._lease_s) for batch in batches
            ]
        for batch in taken:
            if batch:
                task = asyncio.create_task(self._deliver(batch, name))
                self._sending.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._news.set()

    async def _deliver(self, batch: Sequence[Delivery], name: str) -> None:
        began = time.monotonic()
        message = None
        try:
            message = await self._composer.message(batch, self.stored.channel, picture=self._sender.wants_picture)
            answer = await self._answer(message) if message else None
        except SQLAlchemyError as error:
            answer = unanswered(error, "the store")
        took_ms = int((time.monotonic() - began) * 1000)
        if answer is None:
            end = Settlement(state=DeliveryState.DEAD, due=0.0, reason="the alarm is gone")
        else:
            self._tries[self._id, answer.outcome.value] += 1
            end = self._settlement(answer, max(one.attempts for one in batch), took_ms)
        await self._settle(batch, name, end, answer)

    async def _answer(self, message: Message) -> Answer:
        answer = await self._try(message)
        if answer.outcome is Outcome.CONTENT and self._robot:
            again = await self._try(replace(message, plain=True))
            if again.outcome is Outcome.ACCEPTED:
                return replace(again, reason=f"taken as plain text; refused before: {answer.reason}")
        return answer

    async def _try(self, message: Message) -> Answer:
        try:
            async with asyncio.timeout(self._sender.timeout_s):
                return await self._sender.send(message)
        except TimeoutError:
            return Answer(outcome=Outcome.TRANSIENT, reason=f"no answer within {self._sender.timeout_s:g} s")
        except Exception as error:  # noqa: BLE001
            # A fault of ours in one channel must stop neither the others nor this one's next alarm.
            log.error("outbox.fault", channel=self._id, alarm=message.alarm.id, message=repr(error))
            return Answer(outcome=Outcome.TRANSIENT, reason=f"fault: {type(error).__name__}")

    def _settlement(self, answer: Answer, attempts: int, took_ms: int) -> Settlement:
        now = time.time()
        state, due = DeliveryState.WAITING, now
        if answer.outcome is Outcome.ACCEPTED:
            state = DeliveryState.DELIVERED
        elif answer.outcome is Outcome.CONTENT:
            state = DeliveryState.DEAD
        elif answer.outcome is Outcome.TRANSIENT:
            due = now + max(self._pause(attempts), answer.wait_s)
        elif answer.outcome is Outcome.RATE:
            due = now + max(answer.wait_s, _RATE_PAUSE_S) * random.uniform(1.0, 1.2)  # noqa: S311
        return Settlement(
            state=state, due=due, status=answer.status, answer=answer.text, reason=answer.reason, took_ms=took_ms
        )

    def _pause(self, attempts: int) -> float:
        pause = min(self._tempo.first_retry_s * 2 ** min(attempts - 1, 30), self._tempo.most_retry_s)
        return float(pause * random.uniform(0.6, 1.2))  # noqa: S311

    async def _settle(self, batch: Sequence[Delivery], name: str, end: Settlement, answer: Answer | None) -> None:
        """Write it down, as often as it takes until the lease ends; then it is sent again, under the same key."""
        deadline = time.monotonic() + self._lease_s / 2
        while True:
            try:
                async with self._database.write() as session:
                    await settle(session, [one.number for one in batch], name, time.time(), end)
                    await self._note(session, end, answer)
                break
            except SQLAlchemyError as error:
                if time.monotonic() > deadline:
                    log.error("outbox.unsettled", channel=self._id, key=batch[0].key, message=str(error))
                    return
                await asyncio.sleep(_TROUBLE_S)
        fields = {"channel": self._id, "key": batch[0].key, "count": len(batch), "ms": end.took_ms}
        if end.state is DeliveryState.DELIVERED:
            log.info("alarm.delivered", **fields, status=end.status)
        elif end.state is DeliveryState.DEAD:
            log.error("alarm.undeliverable", **fields, reason=end.reason)
        else:
            log.warning("alarm.delayed", **fields, reason=end.reason, attempts=batch[0].attempts)
        self._changed()

    async def _note(self, session: AsyncSession, end: Settlement, answer: Answer | None) -> None:
        """What the answer says about the channel itself."""
        if answer is None:
            return
        trouble, until = self.stored.trouble, self.stored.paused_until
        if answer.outcome is Outcome.ACCEPTED:
            trouble, until = "", 0.0
        elif answer.outcome is Outcome.SETUP:
            trouble, until = answer.reason, time.time() + _SETUP_PAUSE_S
        elif answer.outcome is Outcome.RATE:
            trouble, until = answer.reason, end.due
        if (trouble, until) != (self.stored.trouble, self.stored.paused_until):
            await set_trouble(session, self.stored.channel, trouble, until)
            self.stored = replace(self.stored, trouble=trouble, paused_until=until)
            if answer.outcome is Outcome.SETUP:
                log.error("channel.refused", channel=self._id, reason=answer.reason)

    async def _bury(self, now: float) -> None:
        minutes = self._tempo.give_up_s / 60
        reason = f"not delivered within {minutes:g} min; last: "
        async with self._database.write() as session:
            count = await give_up(session, self._id, now - self._tempo.give_up_s, now, reason)
        log.error("alarm.undeliverable", channel=self._id, count=count, reason=f"not within {minutes:g} min")
        self._tries[self._id, "given_up"] += count
        self._changed()

"""The outbox: books what is to be told in the transaction that makes it true, and runs a queue for each channel."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.channel_queue import ChannelQueue
from perishield.alarms.channels.opening import open_sender
from perishield.alarms.channels.sender import Answer, Outcome
from perishield.alarms.composing import Composer, LinkTo
from perishield.alarms.routing import GroupsOf, book
from perishield.log import Log
from perishield.model.alarms import Alarm
from perishield.model.channels import Channel, Topic
from perishield.model.errors import ChannelError
from perishield.store.channels import StoredChannel, list_channels
from perishield.store.database import Database
from perishield.store.delivery_log import forget_deliveries
from perishield.store.outbox import any_to_release, give_back, release_held

log = Log("outbox")

_POLL_S = 5.0
_HOUR_S = 3600.0
_KEEP_S = 90 * 86_400.0
_AT_ONCE = 200


def owner_of(folder: Path) -> str:
    """A name that this node's server has in every life, and no other has."""
    return hashlib.sha256(f"{socket.gethostname()}:{folder.absolute()}".encode()).hexdigest()[:16]


class Outbox:
    """`raised`, `clip` and `updated` are called inside the transaction that stores the alarm, `wake` after it."""

    def __init__(
        self,
        database: Database,
        media_root: Path,
        link: LinkTo,
        owner: str,
        *,
        groups: GroupsOf | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.tries: Counter[tuple[str, str]] = Counter()
        """(channel, outcome): how often, since this process began."""
        self._database = database
        self._composer = Composer(database, media_root, link)
        self._owner = owner
        self._groups = groups
        self._changed = changed
        self._queues: dict[str, tuple[int, ChannelQueue, asyncio.Task[None]]] = {}
        self._look = asyncio.Event()
        self._forget_at = 0.0
        self._troubled = False

    async def raised(self, session: AsyncSession, alarm: Alarm) -> None:
        """Book a new alarm for whoever wants it."""
        await book(session, alarm, Topic.RAISED, time.time(), groups=self._groups)

    async def clip(self, session: AsyncSession, alarm: Alarm) -> None:
        """Book that an alarm's clip is ready, or that there will be none."""
        await book(session, alarm, Topic.CLIP, time.time(), groups=self._groups)

    async def updated(self, session: AsyncSession, alarm: Alarm, change: str, detail: Mapping[str, object]) -> None:
        """Book a change of an alarm. `change` names it: with the same one nothing is booked twice."""
        await book(session, alarm, Topic.UPDATE, time.time(), change=change, detail=dict(detail), groups=self._groups)

    def wake(self) -> None:
        """Something was booked."""
        for _, queue, _ in self._queues.values():
            queue.wake()

    def look_again(self) -> None:
        """Channels were changed, or what was given up is to be tried once more."""
        self._look.set()
        self.wake()

    async def try_out(self, channel: Channel, secrets: Mapping[str, str]) -> tuple[Answer, int]:
        """Send a test message now, whatever waits; returns the true answer and how many milliseconds it took."""
        sender = open_sender(channel, secrets)
        began = time.monotonic()
        try:
            async with asyncio.timeout(sender.timeout_s):
                answer = await sender.send(self._composer.trial(channel))
        except TimeoutError:
            answer = Answer(outcome=Outcome.TRANSIENT, reason=f"no answer within {sender.timeout_s:g} s")
        finally:
            await sender.close()
        return answer, int((time.monotonic() - began) * 1000)

    async def run(self) -> None:
        """Until cancelled."""
        fresh = True
        try:
            while True:
                self._look.clear()
                try:
                    if fresh:
                        await self._take_up()
                        fresh = False
                    await self._tend()
                    self._troubled = False
                except SQLAlchemyError as error:
                    if not self._troubled:
                        log.error("outbox.waiting", message=f"the store does not answer: {error}")
                    self._troubled = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0 if self._troubled else _POLL_S):
                        await self._look.wait()
        finally:
            for name in list(self._queues):
                await self._end(name)

    async def _take_up(self) -> None:
        """What an earlier life of this server was sending when it ended is sent again."""
        async with self._database.write() as session:
            count = await give_back(session, self._owner, time.time())
        if count:
            log.info("outbox.taken_up", count=count, message="these were being sent when the server ended")

    async def _tend(self) -> None:
        async with self._database.read() as session:
            channels = {one.channel.id: one for one in await list_channels(session) if one.channel.enabled}
        for name in [name for name in self._queues if name not in channels]:
            await self._end(name)
        for name, stored in channels.items():
            known = self._queues.get(name)
            if known is None or known[0] != stored.channel.revision or known[2].done():
                await self._end(name)
                self._start(stored)
            else:
                known[1].told(stored)
        while await self._release() == _AT_ONCE:
            pass
        if time.monotonic() >= self._forget_at:
            async with self._database.write() as session:
                full = await forget_deliveries(session, time.time() - _KEEP_S) > 0
            self._forget_at = time.monotonic() + (_POLL_S if full else _HOUR_S)

    async def _release(self) -> int:
        async with self._database.read() as session:
            if not await any_to_release(session, time.time()):
                return 0
        async with self._database.write() as session:
            count = await release_held(session, time.time(), _AT_ONCE)
        if count:
            self.wake()
        return count

    def _start(self, stored: StoredChannel) -> None:
        channel = stored.channel
        try:
            sender = open_sender(channel, stored.secrets)
        except ChannelError as error:
            log.error("channel.unusable", channel=channel.id, message=str(error))
            return
        except Exception:
            # One channel that cannot be opened must not end the server with all others.
            log.exception("channel.unusable", channel=channel.id)
            return
        queue = ChannelQueue(self._database, stored, sender, self._composer, self._owner, self.tries, self._changed)
        task = asyncio.create_task(queue.run(), name=f"channel-{channel.id}")
        self._queues[channel.id] = channel.revision, queue, task

    async def _end(self, name: str) -> None:
        known = self._queues.pop(name, None)
        if known is None:
            return
        task = known[2]
        task.cancel()
        for error in await asyncio.gather(task, return_exceptions=True):
            if isinstance(error, Exception):
                log.error("channel.ended", channel=name, message=repr(error))

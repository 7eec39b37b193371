"""Deletes alarms that are too old, in small steps: their files, their rows, what their records said.

The chain stays verifiable: records in its middle keep their digests, and where its beginning goes altogether a signed
checkpoint says with which number and hash it went.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.clips import evidence_path
from perishield.alarms.site_key import SiteKeys
from perishield.log import Log
from perishield.model.alarms import Alarm
from perishield.model.chain import canonical
from perishield.model.errors import ConfigError
from perishield.model.evidence import Checkpoint
from perishield.store.alarm_retention import delete_alarms, lock_alarms, old_alarms
from perishield.store.chain import ALARMS, append_alarm_record
from perishield.store.checkpoints import add_checkpoint, cut_links, forget_contents, last_to_cut
from perishield.store.database import Database
from perishield.store.evidence import evidence_of

log = Log("retention")

_EVERY_S = 3600.0
_PAGE = 200
_DAY_S = 86_400.0


class AlarmRetention:
    """`keep_days` after it was raised an alarm goes, unless it is held. Each step is one short transaction."""

    def __init__(
        self,
        database: Database,
        media: Path,
        keys: SiteKeys,
        *,
        keep_days: float,
        batch: int = 20,
        links: int = 1000,
        pause_s: float = 0.05,
        every_s: float = _EVERY_S,
    ) -> None:
        self._database = database
        self._media = media
        self._keys = keys
        self._keep_s = keep_days * _DAY_S
        self._keep_days = keep_days
        self._batch = batch
        self._links = links
        self._pause_s = pause_s
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.sweep()
            except SQLAlchemyError as error:
                log.error("retention.waiting", message=f"the store cannot be used: {error}")
            except ConfigError as error:
                log.error("retention.no_key", message=error.message)
            await asyncio.sleep(self._every_s)

    async def sweep(self, now: float | None = None) -> int:
        """Delete what is too old at `now` (Unix seconds); returns how many alarms went. Raises ConfigError."""
        before = (time.time() if now is None else now) - self._keep_s
        removed = 0
        after: int | None = 0
        while after is not None:
            async with self._database.read() as session:
                ids, after = await old_alarms(session, before, after, _PAGE)
            for first in range(0, len(ids), self._batch):
                removed += await self._remove(ids[first : first + self._batch])
                await asyncio.sleep(self._pause_s)
        cut = 0
        while last := await self._cut(before):
            cut = last
            await asyncio.sleep(self._pause_s)
        if removed or cut:
            log.info("alarms.expired", alarms=removed, records_until=cut)
        return removed

    async def _remove(self, ids: list[str]) -> int:
        async with self._database.write() as session:
            # Files go while the rows are locked: nobody can hold an alarm whose files are just going.
            alarms = await lock_alarms(session, ids)
            paths = {alarm.id: [one.path for one in await evidence_of(session, alarm.id)] for alarm in alarms}
            gone = await asyncio.to_thread(self._delete_files, alarms, paths)
            await delete_alarms(session, gone)
            for alarm in gone:
                await forget_contents(session, alarm)
                await append_alarm_record(
                    session, alarm, "removed", {"reason": "retention", "keep_days": self._keep_days}
                )
        return len(gone)

    def _delete_files(self, alarms: list[Alarm], paths: dict[str, list[str]]) -> list[str]:
        """Ids of those alarms of which no file is left."""
        gone = []
        folders: set[Path] = set()
        root = (self._media / "evidence").absolute()
        for alarm in alarms:
            listed = {*paths[alarm.id], alarm.event.snapshot, alarm.clip, evidence_path(alarm, ".annotated.jpg")}
            try:
                for path in filter(None, sorted(listed)):
                    file = (self._media / path).absolute()
                    if ".." in file.parts or not file.is_relative_to(root):
                        log.error("retention.foreign_file", id=alarm.id, path=path)
                        continue
                    file.unlink(missing_ok=True)
                    folders.add(file.parent)
            except OSError as error:
                log.error("retention.stuck", id=alarm.id, message=f"{error.filename}: {error.strerror}")
                continue
            gone.append(alarm.id)
        yesterday = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%d")
        for folder in folders:
            # Never a day that somebody may be writing to.
            if folder != root and folder.name < yesterday:
                with suppress(OSError):
                    folder.rmdir()
        return gone

    async def _cut(self, before: float) -> int:
        """Cut one piece off the chain's beginning; returns the last number that went, 0 where nothing may."""
        key = await asyncio.to_thread(self._keys.current)
        async with self._database.write() as session:
            last = await last_to_cut(session, before, self._links)
            if last is None:
                return 0
            number, link = last
            unsigned = Checkpoint(
                chain=ALARMS, number=number, hash=link, at=time.time(), key=key.public.id, signature=""
            )
            await add_checkpoint(session, sign_checkpoint(unsigned, key.sign(canonical(unsigned.signed()))))
            await cut_links(session, number)
        return number


def sign_checkpoint(checkpoint: Checkpoint, signature: bytes) -> Checkpoint:
    return Checkpoint(
        chain=checkpoint.chain,
        number=checkpoint.number,
        hash=checkpoint.hash,
        at=checkpoint.at,
        key=checkpoint.key,
        signature=signature.hex(),
    )

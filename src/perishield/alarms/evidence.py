"""Takes evidence in: hashes each alarm's picture and clip, draws over a copy of the picture, chains the hashes."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from perishield.alarms.clips import evidence_path
from perishield.log import Log
from perishield.model.alarms import Alarm, ClipState
from perishield.model.errors import StorageError
from perishield.model.evidence import Evidence, EvidenceKind
from perishield.model.remarks import Remark, because
from perishield.store.chain import append_alarm_record
from perishield.store.database import Database
from perishield.store.evidence import add_evidence, alarms_to_take_in, event_bytes, evidence_of

log = Log("evidence")

BLOCK = 1 << 20
_PAGE = 100
_LOOK_EVERY_S = 300.0
_MOST_WAITING = 10_000


class Digest(NamedTuple):
    size: int
    sha256: str


def digest_of(path: Path) -> Digest:
    """Size and SHA-256 of a file, read in blocks. Raises OSError."""
    found, size = sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
            size += len(block)
    return Digest(size, found.hexdigest())


class EvidenceIntake:
    """Takes in what alarms that are announced bring, and every few minutes what was missed."""

    def __init__(self, database: Database, media: Path, *, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._database = database
        self._media = media
        self._look_every_s = look_every_s
        self._waiting: OrderedDict[str, Alarm] = OrderedDict()
        self._news = asyncio.Event()

    def add(self, alarm: Alarm) -> None:
        """An alarm is new, or has changed. More than can wait are found again in the store."""
        if len(self._waiting) < _MOST_WAITING or alarm.id in self._waiting:
            self._waiting[alarm.id] = alarm
        self._news.set()

    async def run(self) -> None:
        """Until cancelled; begins with what an earlier run left."""
        due = 0.0
        troubled = False
        while True:
            try:
                if time.monotonic() >= due:
                    await self.catch_up()
                    due = time.monotonic() + self._look_every_s
                while self._waiting:
                    alarm = next(iter(self._waiting.values()))
                    await self.take_in(alarm)
                    if self._waiting.get(alarm.id) is alarm:
                        del self._waiting[alarm.id]
                troubled = False
            except SQLAlchemyError as error:
                if not troubled:
                    log.error("evidence.waiting", message=f"the store cannot be used: {error}")
                troubled = True
                await asyncio.sleep(1)
                continue
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.0, due - time.monotonic()))

    async def catch_up(self) -> int:
        """Take in whatever was not yet; returns how many alarms that were."""
        after = done = 0
        while True:
            async with self._database.read() as session:
                page = await alarms_to_take_in(session, _PAGE, after)
            for _, alarm in page:
                await self.take_in(alarm)
            done += len(page)
            if len(page) < _PAGE:
                return done
            after = page[-1][0]

    async def take_in(self, alarm: Alarm) -> list[Evidence]:
        """Hash, draw, and keep with a chained record each what this alarm has and nobody took in; returns that."""
        async with self._database.read() as session:
            known = {one.kind for one in await evidence_of(session, alarm.id)}
        found: list[Evidence] = []
        if EvidenceKind.CLEAN not in known:
            found.append(await asyncio.to_thread(self._picture, alarm))
        if EvidenceKind.ANNOTATED not in known and alarm.event.snapshot:
            found.append(await asyncio.to_thread(self._drawn, alarm))
        if EvidenceKind.CLIP not in known and alarm.clip_state is ClipState.READY:
            found.append(await asyncio.to_thread(self._file, alarm.id, EvidenceKind.CLIP, alarm.clip))
        kept: list[Evidence] = []
        if found:
            async with self._database.write() as session:
                # What the rule found is bound in as well: its stored bytes, not what this version makes of them.
                event = sha256(await event_bytes(session, alarm.id)).hexdigest()
                for one in found:
                    if await add_evidence(session, one):
                        body = record_body(one, event)
                        await append_alarm_record(session, alarm.id, "evidence", body, one.made)
                        kept.append(one)
        for one in kept:
            log.info("evidence.taken_in", id=alarm.id, kind=one.kind.value, size=one.size, note=one.note)
        return kept

    def _picture(self, alarm: Alarm) -> Evidence:
        if alarm.event.snapshot:
            return self._file(alarm.id, EvidenceKind.CLEAN, alarm.event.snapshot)
        remark = Remark("no_picture", "the alarm was raised without a picture")
        return _absent(alarm.id, EvidenceKind.CLEAN, "", remark)

    def _drawn(self, alarm: Alarm) -> Evidence:
        from perishield.vision.annotate import annotated

        path = evidence_path(alarm, ".annotated.jpg")
        try:
            drawn = annotated((self._media / alarm.event.snapshot).read_bytes(), alarm.event)
            _write_whole(self._media / path, drawn)
        except (OSError, StorageError) as error:
            return _absent(alarm.id, EvidenceKind.ANNOTATED, path, because("not_drawn", "could not be drawn", error))
        except (ArithmeticError, TypeError, ValueError) as error:
            # Drawing is an extra: whatever an event says, the rest of its evidence is taken in.
            log.error("evidence.not_drawn", id=alarm.id, message=repr(error))
            remark = Remark("shapes_senseless", "could not be drawn: the event's shapes make no sense")
            return _absent(alarm.id, EvidenceKind.ANNOTATED, path, remark)
        return self._file(alarm.id, EvidenceKind.ANNOTATED, path)

    def _file(self, alarm: str, kind: EvidenceKind, path: str) -> Evidence:
        try:
            digest = digest_of(self._media / path)
        except OSError as error:
            return _absent(alarm, kind, path, because("not_read", "could not be read", error))
        return Evidence(alarm=alarm, kind=kind, path=path, size=digest.size, sha256=digest.sha256, made=time.time())


def record_body(evidence: Evidence, event_sha256: str) -> dict[str, object]:
    """What the chained record says of a piece of evidence."""
    return {
        "evidence": evidence.kind.value,
        "file": evidence.path.rpartition("/")[2],
        "size": evidence.size,
        "sha256": evidence.sha256,
        "note": evidence.note,
        "event_sha256": event_sha256,
    }


def _absent(alarm: str, kind: EvidenceKind, path: str, remark: Remark) -> Evidence:
    return Evidence(alarm=alarm, kind=kind, path=path, size=0, sha256="", made=time.time(), remarks=(remark,))


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

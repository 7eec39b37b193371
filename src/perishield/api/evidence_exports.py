"""Export jobs whose result is an archive of evidence: bounded, kept and swept as all exports are."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import uuid4

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle import Draft, write_bundle
from perishield.alarms.bundle_draft import Order, draft_bundle
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.site_key import SiteKeys
from perishield.api.export_room import ExportRoom
from perishield.api.exports import Exports, Job, in_thread_to_its_end
from perishield.api.playback import Playback
from perishield.api.privacy import Privacy
from perishield.api.problems import ProblemError
from perishield.log import Log
from perishield.model.alarms import Alarm, ClipState
from perishield.model.errors import StorageError
from perishield.model.evidence import Evidence
from perishield.model.remarks import Remark, Value, within
from perishield.recording.export import ExportedFile, Watch
from perishield.store.alarms import get_alarm
from perishield.store.database import Database
from perishield.store.evidence import evidence_of

log = Log("exports")

_MOST_SAID = 2000
"""Characters in which the remarks on an archive say what it lacks."""


class EvidenceExports(Exports):
    """`site`: what the archive calls this site; empty: the host's name."""

    def __init__(
        self,
        playback: Playback,
        folder: Path,
        *,
        database: Database,
        media: Path,
        keys: SiteKeys,
        privacy: Privacy,
        site: str,
        keep_s: float,
        room: ExportRoom,
        min_free_bytes: int,
    ) -> None:
        super().__init__(playback, folder, keep_s=keep_s, room=room, min_free_bytes=min_free_bytes)
        self._database = database
        self._media = media
        self._keys = keys
        self._privacy = privacy
        self._site = site or platform.node() or "site"

    async def add_evidence(self, alarms: Sequence[Alarm], owner: str, owner_name: str, *, masked: bool) -> Job:
        """Raises ProblemError (503, `busy`) while too many wait; OSError where the job cannot be kept."""
        walls = [alarm.event.wall for alarm in alarms]
        return await self.enqueue(
            Job(
                id=uuid4().hex,
                camera=alarms[0].event.camera,
                start=min(walls),
                end=max(walls),
                owner=owner,
                owner_name=owner_name,
                created=time.time(),
                alarms=tuple(alarm.id for alarm in alarms),
                masked=masked,
            )
        )

    async def produce(self, job: Job, watch: Watch) -> tuple[list[ExportedFile], Sequence[Remark]]:
        name = f"evidence_{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(job.created))}_{job.id[:8]}"
        folder = self.folder_of(job)
        order = Order(
            archive=name,
            alarms=job.alarms,
            site=self._site,
            by=layout.By(id=job.owner, name=job.owner_name),
            exported_at=job.created,
        )
        chain = folder / "chain.part"
        try:
            remarks = await self._complete(job)
            mask = self._privacy.piece if job.masked else None
            draft = await draft_bundle(self._database, self._media, order, chain, watch, mask)
            write = partial(self._write, folder / f"{name}.zip", draft, watch)
            return [await in_thread_to_its_end(watch, write)], remarks
        except ProblemError as error:
            raise StorageError(error.message, code=error.code) from error
        except OSError as error:
            raise StorageError(f"the evidence cannot be exported: {error.strerror}", code="not_writable") from error
        finally:
            await asyncio.to_thread(chain.unlink, missing_ok=True)

    def _write(self, target: Path, draft: Draft, watch: Watch) -> ExportedFile:
        return write_bundle(target, draft, self._keys.current(), watch, min_free_bytes=self._min_free)

    async def _complete(self, job: Job) -> Sequence[Remark]:
        """Take in what was not yet, and say of which alarms something lacks."""
        intake = EvidenceIntake(self._database, self._media)
        lacking: list[Remark] = []
        for name in job.alarms:
            async with self._database.read() as session:
                alarm = await get_alarm(session, name)
            if alarm is None:
                continue
            await intake.take_in(alarm)
            async with self._database.read() as session:
                found = await evidence_of(session, name)
            lacking += [_absent(one) for one in found if not one.sha256]
            if alarm.clip_state is ClipState.PENDING:
                lacking.append(Remark("clip_pending", f"{name}: its clip is not ready yet", {"alarm": name}))
            elif alarm.clip_state is ClipState.UNAVAILABLE:
                text = f"{name}: there is no clip: {alarm.clip_note}"
                lacking.append(Remark("no_clip", text, {**_why(alarm.clip_remarks), "alarm": name}))
        return within(lacking, _MOST_SAID)


def _absent(evidence: Evidence) -> Remark:
    kind = evidence.kind.value
    params = {**_why(evidence.remarks), "alarm": evidence.alarm, "kind": kind}
    return Remark("no_file", f"{evidence.alarm}: {kind}: {evidence.note}", params)


def _why(remarks: Sequence[Remark]) -> dict[str, Value]:
    """As the parameters of a remark which that one explains."""
    return {**remarks[0].params, "why": remarks[0].code} if remarks else {"why": ""}

"""Evidence of alarms: what there is, whether it is still what it was, and archives of it to take along."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from perishield.alarms.stored_check import Finding, check_file
from perishield.api.evidence_out import (
    CheckOut,
    EvidenceExportOut,
    EvidenceExportsOut,
    EvidenceListOut,
    KeysOut,
    checked_out,
    evidence_out,
    export_out,
    keys_out,
)
from perishield.api.exports import Job
from perishield.api.problems import ProblemError, not_found
from perishield.api.routes.media import MediaFile
from perishield.api.security import ADMIN, Identity, Parts, User, audited, may, signed_or_may
from perishield.api.services import Services
from perishield.api.sight import sees
from perishield.model.access import Action
from perishield.model.alarms import Alarm
from perishield.model.audit import AuditEntry
from perishield.recording.export import Watch
from perishield.store.alarms import get_alarm
from perishield.store.chain import append_audit
from perishield.store.evidence import evidence_of
from perishield.streams.layout import storage_error

router = APIRouter(tags=["evidence"])
files = APIRouter(tags=["evidence"])

_MOST_ALARMS = 100

Viewer = Annotated[Identity, Depends(may(Action.ALARMS_VIEW))]
Exporter = Annotated[Identity, Depends(may(Action.EVIDENCE_EXPORT))]
Fetching = Annotated[Identity | None, Depends(signed_or_may(Action.EVIDENCE_EXPORT))]


class EvidenceExportBody(BaseModel):
    """Several alarms in one archive."""

    model_config = ConfigDict(extra="forbid")

    alarms: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=_MOST_ALARMS)]


@router.get("/evidence/key", summary="The public keys that exported evidence is verified with")
async def key(parts: Parts, _: User) -> KeysOut:
    """Compare its id with the archive's over a channel that you trust: `perishield verify FILE --key ID`."""
    return keys_out(await asyncio.to_thread(parts.site_keys.public_keys))


@router.get("/alarms/{alarm}/evidence", summary="What evidence there is of an alarm, with hashes")
async def listed(alarm: str, parts: Parts, user: Viewer) -> EvidenceListOut:
    """Hashes are those of the files as they are stored; for callers without `privacy.unmask` the links lead to masked
    copies, whose hashes differ.
    """
    await visible_alarm(parts, user, alarm)
    async with parts.database.read() as session:
        found = await evidence_of(session, alarm)
    return {"items": [evidence_out(parts, one) for one in found], "total": len(found)}


@router.get("/alarms/{alarm}/evidence/check", summary="Is stored evidence still what was taken in?")
async def checked(alarm: str, parts: Parts, user: Viewer) -> CheckOut:
    """Reads every file again."""
    await visible_alarm(parts, user, alarm)
    async with parts.database.read() as session:
        found = await evidence_of(session, alarm)
    results = [await asyncio.to_thread(check_file, parts.media, one) for one in found]
    return {
        "intact": not any(one.finding in (Finding.CHANGED, Finding.MISSING) for one in results),
        "items": [checked_out(one) for one in results],
    }


@router.post("/alarms/{alarm}/evidence", status_code=201, summary="Export an alarm's evidence as a signed archive")
async def added(alarm: str, parts: Parts, request: Request, user: Exporter) -> EvidenceExportOut:
    """Watch `state` and `progress`; `url` comes with `done`."""
    return await _add(parts, request, user, [alarm])


@router.post("/evidence/exports", status_code=201, summary="Export the evidence of several alarms as one archive")
async def added_several(body: EvidenceExportBody, parts: Parts, request: Request, user: Exporter) -> EvidenceExportOut:
    return await _add(parts, request, user, list(dict.fromkeys(body.alarms)))


@router.get("/evidence/exports", summary="One's own archives, newest first; an administrator sees all")
async def exports(parts: Parts, user: Exporter) -> EvidenceExportsOut:
    jobs = [pair for pair in parts.evidence_exports.all() if _owns(user, pair[0])]
    return {"items": [export_out(parts, job, watch) for job, watch in jobs], "total": len(jobs)}


@router.get("/evidence/exports/{export_id}", summary="One archive")
async def one(export_id: str, parts: Parts, user: Exporter) -> EvidenceExportOut:
    return export_out(parts, *_find(parts, user, export_id))


@router.delete("/evidence/exports/{export_id}", status_code=204, summary="Cancel an archive, or delete it")
async def removed(export_id: str, parts: Parts, request: Request, user: Exporter) -> Response:
    job, _ = _find(parts, user, export_id)
    await parts.evidence_exports.remove(export_id)
    async with parts.database.write() as session:
        await append_audit(
            session, audited(request, user, "evidence.export_delete", kind="evidence_export", target=job.id)
        )
    return Response(status_code=204)


@files.head("/evidence/exports/{export_id}/archive", include_in_schema=False)
@files.get("/evidence/exports/{export_id}/archive", summary="The archive, by a signed link", response_class=Response)
async def archive(export_id: str, parts: Parts, request: Request, user: Fetching) -> Response:
    """With range requests. Each download from its beginning is in the audit log."""
    job, _ = parts.evidence_exports.get(export_id) if user is None else _find(parts, user, export_id)
    if not job.files:
        raise ProblemError(404, "this archive is not there (yet)", why="archive_not_ready")
    path = parts.evidence_exports.file(export_id, job.files[0].name)
    if not path.is_file():
        raise ProblemError(404, "this archive is gone", why="archive_gone")
    if request.method == "GET" and request.headers.get("range", "bytes=0-").replace(" ", "").startswith("bytes=0-"):
        async with parts.database.write() as session:
            await append_audit(session, _downloaded(request, job, user))
    return MediaFile(path, media_type="application/zip", filename=path.name, headers={"cache-control": "no-store"})


async def visible_alarm(parts: Services, user: Identity, alarm: str) -> Alarm:
    """Raises ProblemError (404) where there is none within the caller's reach."""
    async with parts.database.read() as session:
        found = await get_alarm(session, alarm)
    if found is None or not user.reach.sees(found.event.camera):
        raise not_found("alarm", alarm[:64])
    return found


async def _add(parts: Services, request: Request, user: Identity, names: Sequence[str]) -> EvidenceExportOut:
    alarms = [await visible_alarm(parts, user, name) for name in names]
    masked = not all(sees(one.event.camera) for one in alarms)
    try:
        job = await parts.evidence_exports.add_evidence(alarms, user.id, user.username, masked=masked)
    except OSError as error:
        raise storage_error(alarms[0].event.camera, "the exports", error) from error
    camera = alarms[0].event.camera if len(alarms) == 1 else ""
    entry = audited(
        request, user, "evidence.export", kind="evidence_export", target=job.id, camera=camera, alarms=list(names)
    )
    async with parts.database.write() as session:
        await append_audit(session, entry)
    return export_out(parts, *parts.evidence_exports.get(job.id))


def _find(parts: Services, user: Identity, export_id: str) -> tuple[Job, Watch]:
    job, watch = parts.evidence_exports.get(export_id)
    if not _owns(user, job):
        raise not_found("export", export_id[:40])
    return job, watch


def _owns(user: Identity, job: Job) -> bool:
    """What of others' can be seen would tell of alarms that are out of reach."""
    return user.id == job.owner or user.role == ADMIN


def _downloaded(request: Request, job: Job, user: Identity | None) -> AuditEntry:
    """A link tells nobody's name; whoever asked for the archive had it."""
    if user is not None:
        return audited(
            request, user, "evidence.download", kind="evidence_export", target=job.id, alarms=list(job.alarms)
        )
    return AuditEntry(
        at=time.time(),
        actor=job.owner,
        actor_name=job.owner_name,
        action="evidence.download",
        kind="evidence_export",
        target=job.id,
        address=request.client.host if request.client else "",
        request=str(request.scope.get("state", {}).get("request_id", "")),
        detail={"alarms": list(job.alarms), "by": "signed link"},
    )

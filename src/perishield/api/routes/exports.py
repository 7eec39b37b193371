"""Exports: ask for one, watch it, fetch it, delete it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from perishield.api.exports import Job
from perishield.api.pages import ExportOut, ExportsOut
from perishield.api.playback import check_range
from perishield.api.playback_body import ExportIn
from perishield.api.problems import ProblemError, not_found
from perishield.api.remarks_out import remarks_out
from perishield.api.routes.media import MediaFile
from perishield.api.routes.video import check_camera
from perishield.api.security import ADMIN, Identity, Parts, audited, may, signed_or_may
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.model.access import Action, Reach
from perishield.model.errors import StorageError
from perishield.recording.export import Watch
from perishield.store.chain import append_audit
from perishield.streams.layout import storage_error

router = APIRouter(prefix="/exports", tags=["exports"])
files = APIRouter(prefix="/exports", tags=["exports"])

User = Annotated[Identity, Depends(may(Action.RECORDINGS_EXPORT))]
Fetching = Annotated[Identity | None, Depends(signed_or_may(Action.RECORDINGS_EXPORT))]


@router.get("", summary="All exports, newest first")
async def exports(parts: Parts, user: User) -> ExportsOut:
    items = [_out(parts, job, watch) for job, watch in parts.exports.all() if user.reach.sees(job.camera)]
    return {"items": items, "total": len(items)}


@router.post("", status_code=201, summary="Export a time of a camera as MP4")
async def add(body: ExportIn, parts: Parts, user: User, request: Request) -> ExportOut:
    """Exact to the frame at both ends. Watch `state` and `progress`; `files` come with `done`.

    Whoever may not see what privacy masks cover gets them burnt in, which encodes the video anew (`masked`).
    """
    check_range(body.start, body.end)
    if not user.reach.sees(body.camera):
        raise not_found("camera", body.camera)
    masks = parts.privacy.to_burn(body.camera, body.end - body.start)
    if not await parts.playback.rows(body.camera, body.start, body.end, limit=1):
        await check_camera(parts, body.camera)
        raise StorageError(
            f"camera {body.camera!r}: no footage of that time; it was not recorded or is already deleted",
            code="missing",
            camera=body.camera,
        )
    try:
        job = await parts.exports.add(body.camera, body.start, body.end, user.id, masks)
    except OSError as error:
        raise storage_error(body.camera, "the exports", error) from error
    await _booked(parts, request, user, "export.make", job)
    return _out(parts, *parts.exports.get(job.id))


@router.get("/{export_id}", summary="One export")
async def one(export_id: str, parts: Parts, user: User) -> ExportOut:
    job, watch = parts.exports.get(export_id)
    _check_reach(job, user)
    return _out(parts, job, watch)


@router.delete("/{export_id}", status_code=204, summary="Cancel an export, or delete its result")
async def remove(export_id: str, parts: Parts, user: User, request: Request) -> Response:
    """One's own; an administrator any."""
    job, _ = parts.exports.get(export_id)
    _check_reach(job, user)
    _check_owner(job, user)
    await parts.exports.remove(export_id)
    await _booked(parts, request, user, "export.remove", job)
    return Response(status_code=204)


@files.head("/{export_id}/files/{name}", include_in_schema=False)
@files.get("/{export_id}/files/{name}", summary="A finished file, with range requests", response_class=Response)
async def file(export_id: str, name: str, parts: Parts, user: Fetching, request: Request) -> Response:
    job, _ = parts.exports.get(export_id)
    if user is not None:
        _check_reach(job, user)
    path = parts.exports.file(export_id, name)
    if not job.hides(parts.privacy.hiding(job.camera)):
        parts.privacy.refuse(job.camera, "an export that was made without them")
    if not path.is_file():
        raise ProblemError(404, "this file is gone")
    # Who brings a signed link is not known by name, but the address is; ranges of one file are one download.
    who = user or Identity("", "signed link", "", 0.0, Reach(frozenset()))
    entry = audited(request, who, "export.download", kind="export", target=job.id, camera=job.camera, file=name)
    await parts.people.viewings.note(entry)
    return MediaFile(path, media_type="video/mp4", filename=name, headers={"cache-control": "private, max-age=3600"})


async def _booked(parts: Services, request: Request, user: Identity, action: str, job: Job) -> None:
    span = {"from": iso(job.start), "to": iso(job.end)}
    async with parts.database.write() as session:
        await append_audit(
            session, audited(request, user, action, kind="export", target=job.id, camera=job.camera, **span)
        )


def _check_reach(job: Job, user: Identity) -> None:
    if not user.reach.sees(job.camera):
        raise not_found("export", job.id)


def _check_owner(job: Job, user: Identity) -> None:
    if user.role != ADMIN and user.id != job.owner:
        raise ProblemError(403, "only administrators may delete the exports of others")


def _out(parts: Services, job: Job, watch: Watch) -> ExportOut:
    listed: list[dict[str, Any]] = [
        {
            "name": one.name,
            "size": one.size,
            "sha256": one.sha256,
            "start": iso(one.start),
            "duration_s": round(one.duration_s, 3),
            "timeline": [{"from": iso(first), "to": iso(last)} for first, last in one.spans],
            "url": parts.links.sign(f"/api/exports/{job.id}/files/{one.name}"),
        }
        for one in job.files
    ]
    return {
        "id": job.id,
        "camera": job.camera,
        "from": iso(job.start),
        "to": iso(job.end),
        "state": job.state.value,
        "progress": round(watch.progress, 3),
        "bytes": watch.bytes,
        "created": iso(job.created),
        "finished": iso(job.finished) if job.finished else None,
        "code": job.code,
        "message": job.message,
        "note": job.note,
        "remarks": remarks_out(job.remarks),
        "masked": bool(job.masks),
        "files": listed,
    }

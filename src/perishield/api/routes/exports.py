"""Exports: ask for one, watch it, fetch it, delete it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from perishield.api.exports import Job
from perishield.api.pages import ExportOut, ExportsOut
from perishield.api.playback import check_range
from perishield.api.playback_body import ExportIn
from perishield.api.problems import ProblemError
from perishield.api.routes.media import MediaFile
from perishield.api.routes.video import check_camera
from perishield.api.security import ADMIN, Identity, Parts, User, require_signature_or_user, require_user
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.model.errors import StorageError
from perishield.recording.export import Watch
from perishield.streams.layout import storage_error

router = APIRouter(prefix="/exports", tags=["exports"], dependencies=[Depends(require_user)])
files = APIRouter(prefix="/exports", tags=["exports"], dependencies=[Depends(require_signature_or_user)])


@router.get("", summary="All exports, newest first")
async def exports(parts: Parts) -> ExportsOut:
    items = [_out(parts, job, watch) for job, watch in parts.exports.all()]
    return {"items": items, "total": len(items)}


@router.post("", status_code=201, summary="Export a time of a camera as MP4")
async def add(body: ExportIn, parts: Parts, user: User) -> ExportOut:
    """Exact to the frame at both ends. Watch `state` and `progress`; `files` come with `done`."""
    check_range(body.start, body.end)
    if not await parts.playback.rows(body.camera, body.start, body.end, limit=1):
        await check_camera(parts, body.camera)
        raise StorageError(
            f"camera {body.camera!r}: no footage of that time; it was not recorded or is already deleted",
            code="missing",
            camera=body.camera,
        )
    try:
        job = await parts.exports.add(body.camera, body.start, body.end, user.id)
    except OSError as error:
        raise storage_error(body.camera, "the exports", error) from error
    return _out(parts, *parts.exports.get(job.id))


@router.get("/{export_id}", summary="One export")
async def one(export_id: str, parts: Parts) -> ExportOut:
    return _out(parts, *parts.exports.get(export_id))


@router.delete("/{export_id}", status_code=204, summary="Cancel an export, or delete its result")
async def remove(export_id: str, parts: Parts, user: User) -> Response:
    """One's own; an administrator any."""
    job, _ = parts.exports.get(export_id)
    _check_owner(job, user)
    await parts.exports.remove(export_id)
    return Response(status_code=204)


@files.head("/{export_id}/files/{name}", include_in_schema=False)
@files.get("/{export_id}/files/{name}", summary="A finished file, with range requests", response_class=Response)
async def file(export_id: str, name: str, parts: Parts) -> Response:
    path = parts.exports.file(export_id, name)
    if not path.is_file():
        raise ProblemError(404, "this file is gone")
    return MediaFile(path, media_type="video/mp4", filename=name, headers={"cache-control": "private, max-age=3600"})


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
        "files": listed,
    }

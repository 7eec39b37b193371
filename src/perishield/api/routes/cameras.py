"""Cameras."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends

from perishield.api.camera_body import CameraBody
from perishield.api.camera_url import clean_url, slug
from perishield.api.outputs import CameraOut, camera_out
from perishield.api.pages import CamerasOut
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Parts, require_admin
from perishield.api.services import Services
from perishield.model.errors import mask_url
from perishield.model.site import Analysis, Camera
from perishield.store.cameras import (
    add_camera,
    camera_names,
    delete_camera,
    free_id,
    get_camera,
    list_cameras,
    update_camera,
)

router = APIRouter(prefix="/cameras", tags=["cameras"])
changing = Depends(require_admin)


@router.get("", summary="All cameras with their streams' states")
async def listed(parts: Parts) -> CamerasOut:
    async with parts.database.read() as session:
        cameras = await list_cameras(session)
    return {"items": [_out(parts, camera) for camera in cameras], "total": len(cameras)}


@router.post("", status_code=201, dependencies=[changing], summary="Add a camera")
async def added(body: CameraBody, parts: Parts) -> CameraOut:
    async with parts.database.write() as session:
        taken = set(await camera_names(session))
        if body.id is not None and body.id in taken:
            raise ProblemError(409, f"camera {body.id!r}: there is one already; choose another id", field="id")
        camera = _camera(body, body.id or free_id(slug(body.name), taken), None)
        camera = await add_camera(session, camera)
    await parts.site.publish()
    return _out(parts, camera)


@router.get("/{camera}", summary="One camera")
async def shown(camera: str, parts: Parts) -> CameraOut:
    async with parts.database.read() as session:
        found = await get_camera(session, camera)
    if found is None:
        raise not_found("camera", camera)
    return _out(parts, found)


@router.put("/{camera}", dependencies=[changing], summary="Change a camera")
async def changed(camera: str, body: CameraBody, parts: Parts) -> CameraOut:
    async with parts.database.write() as session:
        before = await get_camera(session, camera)
        if before is None:
            raise not_found("camera", camera)
        found = await update_camera(session, _camera(body, camera, before), body.revision)
        if found is None:
            raise ProblemError(
                409, f"camera {camera!r}: somebody else has changed it; load it again", revision=before.revision
            )
    await parts.site.publish()
    return _out(parts, found)


@router.delete("/{camera}", status_code=204, dependencies=[changing], summary="Remove a camera and its rules")
async def removed(camera: str, parts: Parts) -> None:
    async with parts.database.write() as session:
        if not await delete_camera(session, camera):
            raise not_found("camera", camera)
    parts.live.forget(camera)
    await asyncio.to_thread(parts.live_out.book.forget_camera, camera)
    await parts.site.publish()


def _camera(body: CameraBody, name: str, before: Camera | None) -> Camera:
    """The camera that a body describes; `before` is what it changes."""
    kept = before.password if before is not None else ""
    wanted = _unmasked(body.url, before.url if before is not None else "")
    url, username, password = clean_url(wanted, body.username, body.password)
    detect_url, user, secret = "", "", None
    if body.detect_url.strip():
        wanted = _unmasked(body.detect_url, before.detect_url if before is not None else "")
        detect_url, user, secret = clean_url(wanted, "", None, "detect_url")
    if user and not username:
        username, password = user, secret
    elif user and (user != username or secret not in (None, kept if password is None else password)):
        raise ProblemError(
            422, "detect_url: its login differs from the camera's; both streams use one", field="detect_url"
        )
    return Camera(
        id=name,
        name=body.name,
        url=url,
        username=username,
        password=kept if password is None else password,
        enabled=body.enabled,
        recording=body.recording.policy(),
        analysis=Analysis(enabled=body.analysis.enabled, fps=body.analysis.fps, min_score=body.analysis.min_score),
        detect_url=detect_url,
        transport=body.transport,
        audio=body.audio,
        tls_fingerprint=body.tls_fingerprint,
    )


def _unmasked(given: str, kept: str) -> str:
    """What was shown masked comes back masked: it stands for what is kept."""
    wanted = given.strip()
    return kept if kept and wanted == mask_url(kept) else wanted


def _out(parts: Services, camera: Camera) -> CameraOut:
    return camera_out(camera, parts.streams.out(camera.id), parts.links.sign)

"""Cameras."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from perishield.api.bodies import CameraBody
from perishield.api.camera_url import clean_url, slug
from perishield.api.outputs import CameraOut, camera_out
from perishield.api.pages import CamerasOut
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Parts, require_admin
from perishield.api.services import Services
from perishield.model.errors import mask_url
from perishield.model.site import Analysis, Camera, Recording, RecordMode
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
    await parts.site.publish()


def _camera(body: CameraBody, name: str, before: Camera | None) -> Camera:
    """The camera that a body describes; `before` is what it changes."""
    wanted = body.url.strip()
    if before is not None and wanted == mask_url(before.url):
        # What was shown masked comes back masked: it stands for what is kept.
        wanted = before.url
    kept = before.password if before is not None else ""
    url, username, password = clean_url(wanted, body.username, body.password)
    return Camera(
        id=name,
        name=body.name,
        url=url,
        username=username,
        password=kept if password is None else password,
        enabled=body.enabled,
        recording=Recording(mode=RecordMode.CONTINUOUS if body.record else RecordMode.OFF),
        analysis=Analysis(enabled=body.analysis.enabled, fps=body.analysis.fps, min_score=body.analysis.min_score),
    )


def _out(parts: Services, camera: Camera) -> CameraOut:
    return camera_out(camera, parts.streams.out(camera.id), parts.links.sign)

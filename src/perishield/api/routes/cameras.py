"""Cameras."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from perishield.api.camera_body import CameraBody
from perishield.api.camera_url import clean_url, slug
from perishield.api.device_address import check_camera_address
from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.outputs import CameraOut, camera_out
from perishield.api.pages import CamerasOut
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.model.access import Action
from perishield.model.errors import mask_url
from perishield.model.ground import GroundPlane
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
from perishield.store.chain import append_audit
from perishield.store.groups import get_group

router = APIRouter(prefix="/cameras", tags=["cameras"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Adding = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT, everywhere=True))]
Changing = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]


@router.get("", summary="Cameras with their streams' states")
async def listed(
    parts: Parts,
    user: Looking,
    search: Annotated[str, Query(max_length=64, description="A part of the name or id")] = "",
    group: Annotated[str, Query(max_length=32, description="Those in a group, by its id")] = "",
    enabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> CamerasOut:
    async with parts.database.read() as session:
        cameras = [camera for camera in await list_cameras(session) if user.reach.sees(camera.id)]
        inside = await get_group(session, group) if group else None
    if group:
        members = frozenset(inside.cameras) if inside is not None else frozenset[str]()
        cameras = [camera for camera in cameras if camera.id in members]
    if search:
        wanted = search.strip().casefold()
        cameras = [camera for camera in cameras if wanted in camera.name.casefold() or wanted in camera.id]
    if enabled is not None:
        cameras = [camera for camera in cameras if camera.enabled is enabled]
    page = cameras[offset : offset + limit]
    return {"items": [camera_shown(parts, user, camera) for camera in page], "total": len(cameras)}


@router.post("", status_code=201, summary="Add a camera")
async def added(body: CameraBody, parts: Parts, user: Adding, request: Request) -> CameraOut:
    async with parts.database.write() as session:
        taken = set(await camera_names(session))
        if body.id is not None and body.id in taken:
            raise ProblemError(
                409, f"camera {body.id!r}: there is one already; choose another id", field="id", why="id_taken"
            )
        camera = camera_of(body, body.id or free_id(slug(body.name), taken), None)
        check_camera_address(camera, None, parts.device_reach)
        camera = await add_camera(session, camera)
        await append_audit(
            session, audited(request, user, "camera.add", kind="camera", target=camera.id, camera=camera.id)
        )
    await parts.site.publish()
    return camera_shown(parts, user, camera)


@router.get("/{camera}", summary="One camera")
async def shown(camera: str, parts: Parts, user: Looking, response: Response) -> CameraOut:
    async with parts.database.read() as session:
        found = await get_camera(session, camera)
    if found is None:
        raise not_found("camera", camera)
    response.headers["etag"] = tag(found.revision)
    return camera_shown(parts, user, found)


@router.put("/{camera}", summary="Change a camera")
async def changed(
    camera: str,
    body: CameraBody,
    parts: Parts,
    user: Changing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> CameraOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile."""
    revision = expected(if_match, body.revision)
    async with parts.database.write() as session:
        before = await get_camera(session, camera)
        if before is None:
            raise not_found("camera", camera)
        wanted = camera_of(body, camera, before)
        check_camera_address(wanted, before, parts.device_reach)
        found = await update_camera(session, wanted, revision)
        if found is None:
            raise stale("camera", camera, before.revision)
        changes = sorted(
            field.name for field in fields(Camera) if getattr(found, field.name) != getattr(before, field.name)
        )
        entry = audited(request, user, "camera.change", kind="camera", target=camera, camera=camera, changed=changes)
        await append_audit(session, entry)
    await parts.site.publish()
    response.headers["etag"] = tag(found.revision)
    return camera_shown(parts, user, found)


@router.delete("/{camera}", status_code=204, summary="Remove a camera and its rules")
async def removed(camera: str, parts: Parts, user: Changing, request: Request) -> None:
    async with parts.database.write() as session:
        if not await delete_camera(session, camera):
            raise not_found("camera", camera)
        await append_audit(
            session, audited(request, user, "camera.remove", kind="camera", target=camera, camera=camera)
        )
    await parts.people.access.reload()
    parts.live.forget(camera)
    await asyncio.to_thread(parts.live_out.book.forget_camera, camera)
    await parts.site.publish()


def camera_of(body: CameraBody, name: str, before: Camera | None) -> Camera:
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
            422,
            "detect_url: its login differs from the camera's; both streams use one",
            field="detect_url",
            why="other_login",
        )
    return Camera(
        id=name,
        name=body.name,
        url=url,
        username=username,
        password=kept if password is None else password,
        enabled=body.enabled,
        recording=body.recording.policy(),
        analysis=body.analysis.analysis(before.analysis if before is not None else Analysis()),
        ground=_ground(body, before),
        detect_url=detect_url,
        transport=body.transport,
        audio=body.audio,
        tls_fingerprint=body.tls_fingerprint,
    )


def _ground(body: CameraBody, before: Camera | None) -> GroundPlane | None:
    """What an older client does not speak of stays as it is. Raises GroundError."""
    if "ground" not in body.model_fields_set:
        return before.ground if before is not None else None
    return body.ground.plane() if body.ground is not None else None


def _unmasked(given: str, kept: str) -> str:
    """What was shown masked comes back masked: it stands for what is kept."""
    wanted = given.strip()
    return kept if kept and wanted == mask_url(kept) else wanted


def camera_shown(parts: Services, user: Identity, camera: Camera) -> CameraOut:
    """The link to its picture only for whoever may watch it."""
    watching = user.reach.allows(Action.LIVE_VIEW, camera.id)
    return camera_out(camera, parts.streams.out(camera.id), parts.links.sign if watching else lambda _path: "")

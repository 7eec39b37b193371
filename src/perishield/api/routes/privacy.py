"""Privacy masks of a camera."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from perishield.api.bodies import PointBody
from perishield.api.problems import not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.store.cameras import get_camera
from perishield.store.chain import append_audit
from perishield.store.privacy import save_masks

router = APIRouter(prefix="/cameras", tags=["cameras"])

_MOST_MASKS = 32
_MOST_CORNERS = 64

Viewer = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Editor = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]
Outline = Annotated[list[PointBody], Field(min_length=3, max_length=_MOST_CORNERS)]


class PrivacyBody(BaseModel):
    """What is covered for everybody without the permission `privacy.unmask`: polygons, corners as shares of the
    picture (0 to 1). None: nothing.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"masks": [[[0, 0], [0.3, 0], [0.3, 0.5], [0, 0.5]]]}]}
    )

    masks: Annotated[list[Outline], Field(max_length=_MOST_MASKS)]


class PrivacyOut(TypedDict):
    camera: str
    masks: list[list[list[float]]]


@router.get("/{camera}/privacy", summary="What of a camera's picture is covered")
async def shown(camera: str, parts: Parts, user: Viewer) -> PrivacyOut:
    await _check(parts, user, camera)
    return _out(parts, camera)


@router.put("/{camera}/privacy", summary="Change what of a camera's picture is covered")
async def changed(camera: str, body: PrivacyBody, parts: Parts, request: Request, user: Editor) -> PrivacyOut:
    """Counts at once, for what was recorded before as well. Whoever is watching live goes on until the next start."""
    await _check(parts, user, camera)
    masks = tuple(tuple(outline) for outline in body.masks)
    async with parts.database.write() as session:
        await save_masks(session, camera, masks)
        await append_audit(
            session,
            audited(request, user, "camera.privacy", kind="camera", target=camera, camera=camera, masks=len(masks)),
        )
    await parts.privacy.kept(camera, masks)
    return _out(parts, camera)


async def _check(parts: Parts, user: Identity, camera: str) -> None:
    async with parts.database.read() as session:
        known = await get_camera(session, camera) is not None
    if not known or not user.reach.sees(camera):
        raise not_found("camera", camera[:63])


def _out(parts: Parts, camera: str) -> PrivacyOut:
    return {"camera": camera, "masks": [[list(point) for point in outline] for outline in parts.privacy.of(camera)]}

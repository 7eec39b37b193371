"""How a camera itself is, and what was held back there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from typing_extensions import TypedDict

from perishield.api.health_board import HealthOut, SpellOut, SuppressedOut, spell_out
from perishield.api.problems import not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.bus import topics
from perishield.model.access import Action
from perishield.model.health import AcceptView
from perishield.store.chain import append_audit
from perishield.store.health import list_spells

router = APIRouter(prefix="/cameras", tags=["health"])
looking = Depends(may(Action.SYSTEM_VIEW))
Changing = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]


class SpellsOut(TypedDict):
    now: HealthOut
    items: list[SpellOut]


@router.get("/{camera}/health", dependencies=[looking], summary="What is wrong with a camera, and what was")
async def health(camera: str, parts: Parts, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> SpellsOut:
    """`items`: spells, the newest first."""
    if not parts.streams.known(camera):
        raise not_found("camera", camera)
    async with parts.database.read() as session:
        spells = await list_spells(session, camera, limit)
    return {"now": parts.health.out(camera), "items": [spell_out(spell) for spell in spells]}


@router.post(
    "/{camera}/health/view",
    status_code=202,
    summary="Accept where a camera looks now as its view",
)
async def accepted(camera: str, parts: Parts, user: Changing, request: Request) -> HealthOut:
    """It learns the new view within some key frames."""
    if not parts.streams.known(camera):
        raise not_found("camera", camera)
    async with parts.database.write() as session:
        await append_audit(
            session, audited(request, user, "camera.accept_view", kind="camera", target=camera, camera=camera)
        )
    parts.bus.publish(topics.ACCEPT_VIEW, camera, AcceptView(camera))
    return parts.health.out(camera)


@router.get("/{camera}/suppressed", dependencies=[looking], summary="What was kept from the rules, and why")
async def suppressed(camera: str, parts: Parts) -> SuppressedOut:
    """Counts since the vision process began to watch it; samples with their pictures, the newest first.

    Where privacy masks hide something from who asks, samples have no pictures.
    """
    if not parts.streams.known(camera):
        raise not_found("camera", camera)
    return parts.health.suppressed_out(camera, pictures=not parts.privacy.hiding(camera))

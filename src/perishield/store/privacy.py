"""Privacy masks of cameras."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.evidence import Polygon
from perishield.store.tables_evidence import PrivacyMaskTable
from perishield.store.upsert import insert_into

Masks = tuple[Polygon, ...]


async def all_masks(session: AsyncSession) -> dict[str, Masks]:
    """By camera; those of cameras that were removed, too."""
    rows = await session.scalars(select(PrivacyMaskTable))
    return {row.camera: msgspec.json.decode(row.polygons, type=Masks) for row in rows}


async def save_masks(session: AsyncSession, camera: str, masks: Masks) -> None:
    """Keep a camera's masks; none forgets them."""
    if not masks:
        await session.execute(delete(PrivacyMaskTable).where(PrivacyMaskTable.camera == camera))
        return
    values = {"polygons": msgspec.json.encode(masks).decode(), "changed": time.time()}
    statement = insert_into(session, PrivacyMaskTable).values(camera=camera, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["camera"], set_=values))

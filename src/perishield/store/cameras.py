"""Cameras and their settings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.doubts import Doubts
from perishield.model.ground import GroundPlane
from perishield.model.health import HealthWatch
from perishield.model.site import Analysis, Camera, Recording, Transport
from perishield.store.sealed_columns import place_of
from perishield.store.sealing import keyring_of
from perishield.store.tables import CameraTable


async def list_cameras(session: AsyncSession) -> list[Camera]:
    """All of them, in the order in which they were added."""
    rows = await session.scalars(select(CameraTable).order_by(CameraTable.created, CameraTable.id))
    return [_camera(session, row) for row in rows]


async def get_camera(session: AsyncSession, camera: str) -> Camera | None:
    row = await session.get(CameraTable, camera)
    return _camera(session, row) if row else None


async def camera_names(session: AsyncSession) -> dict[str, str]:
    """Name by id."""
    rows = await session.execute(select(CameraTable.id, CameraTable.name))
    return {row.id: row.name for row in rows}


async def camera_grounds(session: AsyncSession) -> dict[str, GroundPlane]:
    """The calibrations by camera, where there is one."""
    rows = await session.execute(select(CameraTable.id, CameraTable.ground).where(CameraTable.ground != ""))
    return {row.id: msgspec.json.decode(row.ground, type=GroundPlane) for row in rows}


async def add_camera(session: AsyncSession, camera: Camera) -> Camera:
    """Keep a new camera at revision 1. The caller has made sure that its id is free."""
    row = CameraTable(id=camera.id, revision=1, created=time.time())
    _fill(session, row, camera)
    session.add(row)
    await session.flush()
    return _camera(session, row)


async def update_camera(session: AsyncSession, camera: Camera, expected: int | None) -> Camera | None:
    """Change a camera and count its revision up.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(CameraTable, camera.id)
    if row is None or (expected is not None and row.revision != expected):
        return None
    _fill(session, row, camera)
    row.revision += 1
    await session.flush()
    return _camera(session, row)


async def delete_camera(session: AsyncSession, camera: str) -> bool:
    """Forget a camera and its rules; its alarms and footage stay. False where there was none."""
    gone = await session.scalars(delete(CameraTable).where(CameraTable.id == camera).returning(CameraTable.id))
    return gone.first() is not None


def _fill(session: AsyncSession, row: CameraTable, camera: Camera) -> None:
    row.name = camera.name
    row.url = camera.url
    row.username = camera.username
    row.sealed_password = keyring_of(session).seal(camera.password, place_of(CameraTable.sealed_password, row.id))
    row.enabled = camera.enabled
    row.recording = msgspec.json.encode(camera.recording).decode()
    row.detect_url = camera.detect_url
    row.transport = camera.transport.value
    row.audio = camera.audio
    row.tls_fingerprint = camera.tls_fingerprint
    row.analysis_enabled = camera.analysis.enabled
    row.analysis_fps = camera.analysis.fps
    row.analysis_min_score = camera.analysis.min_score
    row.analysis_steady = camera.analysis.steady
    row.ground = msgspec.json.encode(camera.ground).decode() if camera.ground is not None else ""
    more = _More(doubts=camera.analysis.doubts, health=camera.analysis.health, livestock=camera.analysis.livestock)
    row.analysis_more = msgspec.json.encode(more).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _More:
    """The column `analysis_more`."""

    doubts: Doubts = field(default_factory=Doubts)
    health: HealthWatch = field(default_factory=HealthWatch)
    livestock: bool = False


def _camera(session: AsyncSession, row: CameraTable) -> Camera:
    more = msgspec.json.decode(row.analysis_more, type=_More)
    return Camera(
        id=row.id,
        name=row.name,
        url=row.url,
        username=row.username,
        password=keyring_of(session).unseal(row.sealed_password, place_of(CameraTable.sealed_password, row.id)),
        enabled=row.enabled,
        recording=msgspec.json.decode(row.recording, type=Recording),
        detect_url=row.detect_url,
        transport=Transport(row.transport),
        audio=row.audio,
        tls_fingerprint=row.tls_fingerprint,
        analysis=Analysis(
            enabled=row.analysis_enabled,
            fps=row.analysis_fps,
            min_score=row.analysis_min_score,
            steady=row.analysis_steady,
            doubts=more.doubts,
            health=more.health,
            livestock=more.livestock,
        ),
        ground=msgspec.json.decode(row.ground, type=GroundPlane) if row.ground else None,
        revision=row.revision,
    )


def free_id(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... that nobody has.

    >>> free_id("gate", {"gate", "gate-2"})
    'gate-3'
    """
    number, candidate = 1, wanted
    while candidate in taken:
        number += 1
        candidate = f"{wanted[: 62 - len(str(number))]}-{number}"
    return candidate

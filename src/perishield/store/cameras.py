"""Cameras and their settings."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.site import Analysis, Camera, Recording, Transport
from perishield.store.tables import CameraTable


async def list_cameras(session: AsyncSession) -> list[Camera]:
    """All of them, in the order in which they were added."""
    rows = await session.scalars(select(CameraTable).order_by(CameraTable.created, CameraTable.id))
    return [_camera(row) for row in rows]


async def get_camera(session: AsyncSession, camera: str) -> Camera | None:
    row = await session.get(CameraTable, camera)
    return _camera(row) if row else None


async def camera_names(session: AsyncSession) -> dict[str, str]:
    """Name by id."""
    rows = await session.execute(select(CameraTable.id, CameraTable.name))
    return {row.id: row.name for row in rows}


async def add_camera(session: AsyncSession, camera: Camera) -> Camera:
    """Keep a new camera at revision 1. The caller has made sure that its id is free."""
    row = CameraTable(id=camera.id, revision=1, created=time.time())
    _fill(row, camera)
    session.add(row)
    await session.flush()
    return _camera(row)


async def update_camera(session: AsyncSession, camera: Camera, expected: int | None) -> Camera | None:
    """Change a camera and count its revision up.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(CameraTable, camera.id)
    if row is None or (expected is not None and row.revision != expected):
        return None
    _fill(row, camera)
    row.revision += 1
    await session.flush()
    return _camera(row)


async def delete_camera(session: AsyncSession, camera: str) -> bool:
    """Forget a camera and its rules; its alarms and footage stay. False where there was none."""
    gone = await session.scalars(delete(CameraTable).where(CameraTable.id == camera).returning(CameraTable.id))
    return gone.first() is not None


def _fill(row: CameraTable, camera: Camera) -> None:
    row.name = camera.name
    row.url = camera.url
    row.username = camera.username
    row.password = camera.password
    row.enabled = camera.enabled
    row.recording = msgspec.json.encode(camera.recording).decode()
    row.detect_url = camera.detect_url
    row.transport = camera.transport.value
    row.audio = camera.audio
    row.tls_fingerprint = camera.tls_fingerprint
    row.analysis_enabled = camera.analysis.enabled
    row.analysis_fps = camera.analysis.fps
    row.analysis_min_score = camera.analysis.min_score


def _camera(row: CameraTable) -> Camera:
    return Camera(
        id=row.id,
        name=row.name,
        url=row.url,
        username=row.username,
        password=row.password,
        enabled=row.enabled,
        recording=msgspec.json.decode(row.recording, type=Recording),
        detect_url=row.detect_url,
        transport=Transport(row.transport),
        audio=row.audio,
        tls_fingerprint=row.tls_fingerprint,
        analysis=Analysis(enabled=row.analysis_enabled, fps=row.analysis_fps, min_score=row.analysis_min_score),
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

"""Other makers' recorders, one for a camera at most."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.recorders import Recorder, RecorderClock, RecorderKind
from perishield.store.sealed_columns import place_of
from perishield.store.sealing import keyring_of
from perishield.store.tables_outbox import RecorderTable
from perishield.store.upsert import insert_into


async def list_recorders(session: AsyncSession) -> list[Recorder]:
    return [
        _recorder(session, row) for row in await session.scalars(select(RecorderTable).order_by(RecorderTable.camera))
    ]


async def get_recorder(session: AsyncSession, camera: str) -> Recorder | None:
    row = await session.get(RecorderTable, camera, populate_existing=True)
    return _recorder(session, row) if row else None


async def save_recorder(session: AsyncSession, recorder: Recorder) -> None:
    """Keep it in place of what the camera had. The caller has made sure that the camera exists."""
    values = {
        "kind": recorder.kind.value,
        "url": recorder.url,
        "username": recorder.username,
        "sealed_password": keyring_of(session).seal(recorder.password, _place(recorder.camera)),
        "channel": recorder.channel,
        "clock": recorder.clock.value,
    }
    await session.execute(
        insert_into(session, RecorderTable)
        .values(camera=recorder.camera, **values)
        .on_conflict_do_update(index_elements=["camera"], set_=values)
    )


async def delete_recorder(session: AsyncSession, camera: str) -> bool:
    gone = await session.scalars(
        delete(RecorderTable).where(RecorderTable.camera == camera).returning(RecorderTable.camera)
    )
    return gone.first() is not None


def _place(camera: str) -> str:
    return place_of(RecorderTable.sealed_password, camera)


def _recorder(session: AsyncSession, row: RecorderTable) -> Recorder:
    return Recorder(
        camera=row.camera,
        kind=RecorderKind(row.kind),
        url=row.url,
        username=row.username,
        password=keyring_of(session).unseal(row.sealed_password, _place(row.camera)),
        channel=row.channel,
        clock=RecorderClock(row.clock),
    )

"""Every column that holds secrets: sealed where a migration left it open, sealed anew when the key was rotated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from perishield.model.errors import ConfigError
from perishield.store.planner_hints import is_sqlite
from perishield.store.sealing import keyring_of
from perishield.store.tables import AccountTable, CameraTable
from perishield.store.tables_outbox import ChannelTable, RecorderTable

Column = InstrumentedAttribute[str]
COLUMNS: tuple[tuple[str, Column, Column], ...] = (
    ("password of camera", CameraTable.id, CameraTable.sealed_password),
    ("password of recorder", RecorderTable.camera, RecorderTable.sealed_password),
    ("second factor of account", AccountTable.id, AccountTable.sealed_totp),
    ("secrets of channel", ChannelTable.id, ChannelTable.sealed_secrets),
)


@dataclass(slots=True)
class Resealed:
    """`lost`: places whose key is gone and which are empty now."""

    sealed: int = 0
    lost: list[str] = field(default_factory=list)


def place_of(column: Column, owner: str) -> str:
    """What a secret is called when something is wrong with it, and what it is authenticated with."""
    return next(f"{name} {owner!r}" for name, _, one in COLUMNS if one is column)


async def seal_all(session: AsyncSession, *, forget_lost: bool = False) -> Resealed:
    """Seal with the newest key whatever is not. Raises ConfigError for what cannot be opened, unless it may be lost.

    In the caller's transaction: all of it, or nothing.
    """
    keys, done = keyring_of(session), Resealed()
    if is_sqlite(session):
        # What is written over shall not stay legible in the file's free places.
        await session.execute(text("PRAGMA secure_delete = ON"))
    for name, owner, column in COLUMNS:
        rows: Any = await session.execute(select(owner, column).where(column != "").with_for_update())
        for who, sealed in rows.all():
            place = f"{name} {who!r}"
            try:
                plain = keys.unseal(sealed, place)
            except ConfigError:
                if not forget_lost:
                    raise
                plain = ""
                done.lost.append(place)
            if plain and keys.is_current(sealed):
                continue
            values = {column.key: keys.seal(plain, place)}
            await session.execute(update(column.class_).where(owner == who).values(values))
            done.sealed += bool(plain)
    return done

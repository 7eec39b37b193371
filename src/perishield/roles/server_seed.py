"""What a database without cameras begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from perishield.model.errors import ConfigError
from perishield.model.rules import rule_from_dict
from perishield.model.site import Camera
from perishield.store.cameras import add_camera, list_cameras
from perishield.store.database import Database
from perishield.store.rules import add_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Cameras and rules for a database that has no cameras, as plain data of `Camera` and the rules."""

    cameras: tuple[dict[str, Any], ...] = ()
    rules: tuple[dict[str, Any], ...] = ()


async def sow(database: Database, seed: Seed) -> None:
    """Add cameras and rules where there are no cameras. Raises ConfigError for what is none."""
    try:
        cameras = [msgspec.convert(camera, Camera) for camera in seed.cameras]
    except msgspec.ValidationError as error:
        raise ConfigError(f"seed: {error}") from error
    rules = [rule_from_dict(rule) for rule in seed.rules]
    async with database.write() as session:
        if await list_cameras(session):
            return
        for camera in cameras:
            await add_camera(session, camera)
        for rule in rules:
            await add_rule(session, rule)

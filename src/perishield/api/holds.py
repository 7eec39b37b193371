"""Holds as the recorder and the storage tiers read them: one file, written anew whenever a hold changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from perishield.api.keys import write_private
from perishield.log import Log
from perishield.store.database import Database
from perishield.store.holds import list_holds

log = Log("holds")


class HoldPublisher:
    """Writes holds.json: a list of {"camera", "start", "end"} in Unix seconds. One publication at a time."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._one = asyncio.Lock()

    async def publish(self) -> int:
        """Publish what the database holds now; returns how many holds there are. Raises OSError."""
        async with self._one:
            async with self._database.read() as session:
                holds = await list_holds(session)
            listed = [{"camera": hold.camera, "start": hold.start, "end": hold.until} for hold in holds]
            await asyncio.to_thread(self._replace, msgspec.json.encode(listed))
        log.info("holds.published", holds=len(holds))
        return len(holds)

    def _replace(self, content: bytes) -> None:
        # In one step: a recorder that read half a list would delete what the other half holds.
        temporary = self._path.with_suffix(".tmp")
        write_private(temporary, content)
        temporary.replace(self._path)

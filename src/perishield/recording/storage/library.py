"""A node's storage put together: targets, the worker that fills them, and footage read from wherever it lies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perishield.model.errors import StorageError
from perishield.model.storage import CopyState, SegmentCopy, StoragePlan
from perishield.recording.storage.targets import Targets
from perishield.recording.storage.tiered import TieredFootage
from perishield.recording.storage.worker import StorageWorker, identity_key
from perishield.store.copies import copies_of
from perishield.store.database import Database
from perishield.store.meta import get_meta

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Storage:
    plan: StoragePlan
    targets: Targets
    worker: StorageWorker
    library: TieredFootage


async def open_storage(database: Database, media: Path, plan: StoragePlan) -> Storage:
    """Call it on the loop that the database belongs to. Targets that cannot be opened are noted, not raised."""
    async with database.read() as session:
        known = {spec.name: await get_meta(session, identity_key(spec.name)) for spec in plan.targets}
    identities = {name: identity for name, identity in known.items() if identity}
    targets = await asyncio.to_thread(Targets, plan, identities)
    library = TieredFootage(media, targets, Locator(database, asyncio.get_running_loop()))
    return Storage(plan, targets, StorageWorker(database, media, targets), library)


class Locator:
    """Asks the database, from a reader's thread, where the proven copies of a segment lie."""

    def __init__(self, database: Database, loop: asyncio.AbstractEventLoop) -> None:
        self._database = database
        self._loop = loop

    def __call__(self, segment: str) -> Sequence[SegmentCopy]:
        """Raises StorageError where the database does not answer."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise AssertionError("footage is opened in a thread, never on an event loop")
        asked = asyncio.run_coroutine_threadsafe(self._kept(segment), self._loop)
        try:
            return asked.result(_PATIENCE_S)
        except TimeoutError:
            asked.cancel()
            raise StorageError(f"{segment}: the index does not answer; try again", code="storage_busy") from None

    async def _kept(self, segment: str) -> list[SegmentCopy]:
        async with self._database.read() as session:
            found = (await copies_of(session, [segment])).get(segment, [])
        return [copy for copy in found if copy.state is CopyState.KEPT]

"""Who looked at what: one entry of the audit log for a viewer, a camera and a minute, however often they ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.store.chain import append_audit
from perishield.store.database import Database

WATCHED = frozenset({Action.LIVE_VIEW, Action.RECORDINGS_VIEW})
"""Actions whose use at a camera is written down without anybody saying so."""
_EVERY_S = 60.0
_MOST = 20_000


class Viewings:
    """Remembers what was written down lately."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lately: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def note(self, entry: AuditEntry) -> None:
        """Write it down, unless the same viewer did the same at the same camera or alarm within a minute."""
        what = entry.target if entry.kind == "alarm" else entry.camera or entry.target
        key, now = (entry.actor, entry.action, what), self._clock()
        if now - self._lately.get(key, -_EVERY_S) < _EVERY_S:
            return
        # Remembered first: of many requests at once, one writes.
        self._lately[key] = now
        self._lately.move_to_end(key)
        while len(self._lately) > _MOST:
            self._lately.popitem(last=False)
        try:
            async with self._database.write() as session:
                await append_audit(session, replace(entry, at=time.time()))
        except BaseException:
            self._lately.pop(key, None)
            raise

"""Where the ingest process writes: a queue and a syncing thread per pool, and the pressure on them.

Pools may lie on different disks or shares: one that hangs holds up nobody but its own chunks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from perishield.bus.topics import StoragePressure
from perishield.log import Log
from perishield.streams.durability import Durability
from perishield.streams.layout import POOLS
from perishield.streams.media_root import MediaRoot
from perishield.streams.mount import Mount
from perishield.streams.pressure import LEVELS, Pressure
from perishield.streams.write_queue import REFUSED, Budget, WriteQueue

log = Log("ingest")

_TELL_EVERY_S = 2.0
_LOOK_EVERY_S = 0.2
_WHEN_REFUSED, _BY_PRIORITY = 4, 3
_MIB = 1 << 20


@dataclass(slots=True, eq=False)
class _Lane:
    queue: WriteQueue
    durability: Durability
    pressure: Pressure


class Storage:
    """The queues of all pools. Use from the event loop."""

    def __init__(
        self,
        media: Path,
        data: Path,
        queue_bytes: int,
        sync_s: float,
        on_pressure: Callable[[StoragePressure], None],
    ) -> None:
        self.root = MediaRoot(media, {pool: Mount(media, pool, data) for pool in POOLS})
        self.level = 0
        self._on_pressure = on_pressure
        self._budget = Budget(queue_bytes)
        synced: dict[int, float] = {}
        self._lanes: dict[str, _Lane] = {}
        for pool in POOLS:
            durability = Durability(f"{media}/{pool}", sync_s, synced)
            self._lanes[pool] = _Lane(WriteQueue(self.root, self._budget, durability.wrote), durability, Pressure())
        self._looked = self._told = 0.0
        self._highest = 0

    @property
    def writing(self) -> Mapping[str, WriteQueue]:
        """The queues by pool."""
        return {pool: lane.queue for pool, lane in self._lanes.items()}

    def set_highest(self, priority: int) -> None:
        """The highest priority of all cameras: those below it give way first."""
        self._highest = priority

    def tick(self) -> None:
        """Hand over what has gathered, and look at the pressure now and then."""
        for lane in self._lanes.values():
            lane.queue.hand_over()
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._look(now)

    async def close(self, timeout_s: float) -> None:
        """Write what waits; what a disk does not take in time is lost, and said."""
        deadline = time.monotonic() + timeout_s
        for pool, lane in self._lanes.items():
            if not await lane.queue.drain(max(0.05, deadline - time.monotonic())):
                log.error("storage.not_drained", pool=pool, queued=lane.queue.queued)
            lane.queue.close()
            lane.durability.close()

    def _look(self, now: float) -> None:
        for pool, lane in self._lanes.items():
            queue, pressure = lane.queue, lane.pressure
            if pressure.update(queue.fill, queue.waited_s, lane.durability.late_s, now):
                queue.floor = REFUSED if pressure.level >= _WHEN_REFUSED else self._floor(pressure.level)
                tell = log.warning if pressure.level else log.info
                tell(
                    "storage.pressure",
                    pool=pool,
                    level=pressure.level,
                    queued_mib=round(queue.queued / _MIB, 1),
                    waited_s=round(queue.waited_s, 1),
                    unsynced_s=round(lane.durability.late_s, 1),
                    message=LEVELS[pressure.level] or "all is written again",
                )
        level = max(lane.pressure.level for lane in self._lanes.values())
        if level != self.level or (level and now - self._told >= _TELL_EVERY_S):
            self.level, self._told = level, now
            self._on_pressure(StoragePressure(level=level, queued_bytes=self._budget.used, message=LEVELS[level]))

    def _floor(self, level: int) -> int | None:
        return self._highest if level >= _BY_PRIORITY else None

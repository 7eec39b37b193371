"""Reading segments wherever they lie: the recorder's own disk first, then the copies, nearest tier first.

A remote copy is read by byte ranges through a bounded cache in memory, so that playing a minute fetches a minute.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import SegmentCopy
from perishield.recording.segment_reader import LocalFootage, SegmentReader
from perishield.recording.storage.target import Target
from perishield.recording.storage.targets import OWN_FAULT, Targets

BLOCK = 256 << 10
_MOST_AHEAD = 8
"""Blocks fetched by one request, once a reader goes on in order."""

Locate = Callable[[str], Sequence[SegmentCopy]]
"""The proven copies of a segment. Called in a thread, may block."""


class BlockCache:
    """The blocks read last, up to `limit` bytes. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.fetched = 0
        """Bytes that came over the wire."""
        self._blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, int]) -> bytes | None:
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: tuple[str, str, int], block: bytes) -> None:
        with self._lock:
            self.fetched += len(block)
            known = self._blocks.pop(key, None)
            self.size += len(block) - (len(known) if known else 0)
            self._blocks[key] = block
            while self.size > self.limit and len(self._blocks) > 1:
                self.size -= len(self._blocks.popitem(last=False)[1])


class RemoteSegment:
    """A copy, read by ranges. Reads ahead as long as its reader goes on in order: one block, then two, then four..."""

    def __init__(self, target: Target, row: SegmentRow, size: int, cache: BlockCache) -> None:
        self.size = size
        self._target = target
        self._row = row
        self._cache = cache
        self._next = -1
        self._ahead = 1

    def pread(self, length: int, offset: int) -> bytes:
        end = min(offset + max(0, length), self.size)
        if offset < 0 or offset >= end:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        if last - first >= self._cache.limit // BLOCK:
            # It would push itself out of the cache while it is put together.
            return self._target.read(self._row, offset, end - offset)
        parts = []
        for number in range(first, last + 1):
            block = self._block(number, last)
            start = max(0, offset - number * BLOCK)
            parts.append(block[start : end - number * BLOCK])
        return b"".join(parts)

    def close(self) -> None:
        """What was fetched stays in the cache for the next reader."""

    def _block(self, number: int, last: int) -> bytes:
        place = (self._target.spec.name, self._row.path)
        found = self._cache.get((*place, number))
        if found is not None:
            return found
        self._ahead = min(self._ahead * 2, _MOST_AHEAD) if number == self._next else 1
        blocks = max(last - number + 1, self._ahead)
        blocks = max(1, min(blocks, _MOST_AHEAD, self._cache.limit // BLOCK // 2))
        start = number * BLOCK
        wanted = min(blocks * BLOCK, self.size - start)
        data = self._target.read(self._row, start, wanted)
        if len(data) != wanted:
            raise StorageError(
                f"storage '{self._target.spec.name}': {self._row.path} is shorter than it was", code="corrupt"
            )
        self._next = number + -(-wanted // BLOCK)
        for index in range(-(-wanted // BLOCK)):
            self._cache.put((*place, number + index), data[index * BLOCK : (index + 1) * BLOCK])
        return data[:BLOCK]


class TieredFootage:
    """Footage below the media root and at the targets. `open` blocks: call it in a thread."""

    def __init__(self, media: Path, targets: Targets, locate: Locate) -> None:
        self._local = LocalFootage(media)
        self._targets = targets
        self._locate = locate
        self.cache = BlockCache(max(targets.plan.cache_bytes, 2 * BLOCK))

    def open(self, row: SegmentRow) -> SegmentReader:
        """Raises StorageError: `missing` where there is no copy, else what its target says."""
        try:
            return self._local.open(row)
        except StorageError as error:
            if error.code != "missing" or not self._targets.open:
                raise
            missing = error
        copies = {copy.target: copy for copy in self._locate(row.path)}
        # In the order of tiers; those that failed last come last, and are asked all the same.
        names = sorted((name for name in self._targets.open if name in copies), key=self._fails)
        failure: StorageError = missing
        for name in names:
            target = self._targets.open[name].target
            try:
                size = target.size(row)
            except StorageError as error:
                failure = error
                if error.code not in OWN_FAULT:
                    self._targets.open[name].failed(error)
                continue
            if size is not None:
                return RemoteSegment(target, row, size, self.cache)
            failure = missing
        raise failure

    def _fails(self, name: str) -> bool:
        return not self._targets.open[name].works

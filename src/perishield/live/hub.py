"""Live view: references of each camera's newest pictures in memory, their bytes from the page cache.

A viewer starts at the latest key frame at once and is never more than a few seconds behind: when it is, it goes on at
the newest key frame.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from perishield.bus import LocalBus, topics
from perishield.bus.topics import Watch
from perishield.model.media import TIMESCALE, ChunkRef

MOST_BEHIND_S = 3.0
_WATCH_EVERY_S = 5.0
_WATCH_FOR_S = 12.0
_LONGEST_GOP = 1200
"""Chunks kept since the last key frame. A camera with a longer distance between key frames starts at the next one."""


class Viewer:
    """What one client has still to be sent; bounded by time, because it skips."""

    def __init__(self) -> None:
        self.skipped = 0
        self._waiting: deque[ChunkRef] = deque()
        self._last: ChunkRef | None = None
        self._texts: deque[str] = deque(maxlen=8)
        self._news = asyncio.Event()

    def offer(self, ref: ChunkRef, gop: list[ChunkRef]) -> None:
        """A new chunk; `gop` are the camera's chunks from its latest key frame on, this one included."""
        self._waiting.append(ref)
        behind = (ref.stream_time - self._waiting[0].stream_time) / TIMESCALE
        newer = gop and gop[0].number > self._waiting[0].number and gop[0].epoch == ref.epoch
        if (behind > MOST_BEHIND_S and newer) or len(self._waiting) > _LONGEST_GOP:
            self.skipped += len(self._waiting) - len(gop)
            self._waiting = deque(gop)
        self._news.set()

    def tell(self, text: str) -> None:
        """A message to be sent before the next chunk."""
        self._texts.append(text)
        self._news.set()

    async def next(self) -> ChunkRef | str:
        """The next chunk that a decoder can take after those before it, or a message."""
        while True:
            while self._texts or self._waiting:
                if self._texts:
                    return self._texts.popleft()
                ref = self._waiting.popleft()
                if self._follows(ref):
                    self._last = ref
                    return ref
                self._last = None
                self.skipped += 1
            self._news.clear()
            await self._news.wait()

    def lose(self) -> None:
        """The chunk given out last could not be read: go on at the next key frame."""
        self._last = None

    def _follows(self, ref: ChunkRef) -> bool:
        if ref.key:
            return True
        last = self._last
        return last is not None and (last.epoch, last.number + 1) == (ref.epoch, ref.number) and not ref.discontinuity


class LiveHub:
    """Every camera's chunks since its latest key frame, and who watches."""

    def __init__(self) -> None:
        self._gops: dict[str, list[ChunkRef]] = {}
        self._viewers: dict[str, set[Viewer]] = {}
        self._closely: Counter[str] = Counter()
        self._watched = asyncio.Event()

    def feed(self, ref: ChunkRef) -> None:
        gop = self._gops.setdefault(ref.camera, [])
        if ref.key:
            gop.clear()
        elif not gop or not _adjoins(gop[-1], ref) or len(gop) >= _LONGEST_GOP:
            # Without its key frame, or with a hole in it, the rest of the group is of no use to a newcomer.
            gop.clear()
            self._offer(ref, gop)
            return
        gop.append(ref)
        self._offer(ref, gop)

    def latest_key(self, camera: str) -> ChunkRef | None:
        gop = self._gops.get(camera)
        return gop[0] if gop else None

    def reordered(self, camera: str) -> bool:
        """Whether the camera's pictures are shown in another order than they are sent in (B-frames)."""
        return any(ref.composition for ref in self._gops.get(camera, ()))

    def forget(self, camera: str) -> None:
        self._gops.pop(camera, None)

    @contextmanager
    def watching(self, camera: str) -> Iterator[Viewer]:
        """A viewer of this camera, which has its latest group of pictures waiting already."""
        viewer = Viewer()
        for ref in self._gops.get(camera, ()):
            viewer.offer(ref, [])
        self._viewers.setdefault(camera, set()).add(viewer)
        self._watched.set()
        try:
            yield viewer
        finally:
            viewers = self._viewers[camera]
            viewers.discard(viewer)
            if not viewers:
                del self._viewers[camera]

    @contextmanager
    def closely(self, camera: str) -> Iterator[None]:
        """While somebody watches who shows every picture the moment it comes."""
        self._closely[camera] += 1
        self._watched.set()
        try:
            yield
        finally:
            self._closely[camera] -= 1

    async def ask_low_delay(self, bus: LocalBus) -> None:
        """Until cancelled: tell ingest which cameras are looked at, at once when one is and then every few seconds."""
        while True:
            until = time.time() + _WATCH_FOR_S
            for camera in self._viewers:
                bus.publish(topics.WATCH, camera, Watch(camera, until, self._closely[camera] > 0))
            self._watched.clear()
            try:
                await asyncio.wait_for(self._watched.wait(), _WATCH_EVERY_S)
            except TimeoutError:
                continue

    def _offer(self, ref: ChunkRef, gop: list[ChunkRef]) -> None:
        for viewer in self._viewers.get(ref.camera, ()):
            viewer.offer(ref, gop)


def _adjoins(last: ChunkRef, ref: ChunkRef) -> bool:
    return (last.epoch, last.number + 1) == (ref.epoch, ref.number) and not ref.discontinuity

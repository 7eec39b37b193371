"""What goes again: the pool is a ring of minutes, recordings have an age and a size, a full disk eats the pool first.

Everything blocks on the disk, so it runs in a thread; a turn looks at few cameras and deletes a bounded number of
files. Between turns the ring knows of every camera how old its oldest footage is, and looks again when that falls due:
a folder is not listed to learn that nothing has to be done. Age is the file's own modification time on this host, since
a camera's clock may name its files strangely.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from perishield.log import Log
from perishield.streams.ages import Ages
from perishield.streams.holds import Holds
from perishield.streams.layout import POOL, POOLS, RECORDINGS, sidecar_path, with_no_trace
from perishield.streams.media_root import MediaRoot
from perishield.streams.shelves import Shelf, StoredFile, entries_of, oldest_first, spans_of
from perishield.streams.tally import Tally

log = Log("streams")

_MOST_PER_STEP = 64
_STEPS = 16
_DISCOVER_S = 30.0
_YOUNGEST_S = 60.0
"""The space guard leaves what was written this recently: somebody may still be writing it."""
_YOUNGEST_RECORDING_S = 3600.0
"""Recordings this young are worth more than those to come: a disk that is full of other things stops recording."""
_OFTEN_S = {POOL: 60.0, RECORDINGS: 900.0}

Removed = tuple[str, str]
"""(camera, path relative to the media root)"""
Book = Callable[[str, float, float], None]
"""Hears of (camera, start, end), Unix seconds, before recordings of that time are deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much of one camera's recordings is kept; 0: no limit."""

    age_s: float
    bytes: int = 0


class Ring:
    """Retention of one media root. `pool_s` is the pool's age, `limits` those of recordings by camera, `usual` those of
    all others; `total_bytes` of recordings are kept in all, 0 without limit.

    `when_full`: below `min_free_bytes`, after the pool has gone, `overwrite` deletes the oldest recordings, `stop`
    forbids writing.
    """

    def __init__(
        self,
        root: MediaRoot,
        *,
        pool_s: float,
        usual: Limits,
        min_free_bytes: int,
        total_bytes: int = 0,
        when_full: Literal["overwrite", "stop"] = "overwrite",
        holds: Holds | None = None,
        ages: Ages | None = None,
        book: Book = lambda camera, start, end: None,
    ) -> None:
        self.root = root
        self.min_free_bytes = min_free_bytes
        self.limits: Mapping[str, Limits] = {}
        self._pool_s = pool_s
        self._usual = usual
        self._total_bytes = total_bytes
        self._when_full = when_full
        self._holds = holds
        self._ages = ages or Ages()
        self._book = book
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._tally = Tally(root.path)
        self._discovered: float | None = None

    def turn(self, now: float, mono: float) -> list[Removed]:
        """Do what is due at `now` (Unix seconds, `mono` monotonic); returns what was deleted."""
        if self._holds is not None:
            self._holds.refresh()
        self._ages.observe(now, mono)
        if self._discovered is None or mono - self._discovered >= _DISCOVER_S:
            self._discovered = mono
            self._discover()
        removed = self._guard(now)
        due = sorted((shelf for shelf in self._shelves.values() if shelf.due <= mono), key=lambda shelf: shelf.due)
        for shelf in due[:_STEPS]:
            removed += self._look(shelf, now, mono)
        return removed + self._shrink(now)

    def added(self, camera: str, path: str, size: int) -> None:
        """A recording was finished. Called by the thread that calls `turn`."""
        self._tally.added(camera, path, size)

    def _limits(self, camera: str) -> Limits:
        return self.limits.get(camera, self._usual)

    def _discover(self) -> None:
        found = {(pool, camera) for pool in POOLS for camera in entries_of(f"{self.root.path}/{pool}")}
        for key in found - self._shelves.keys():
            self._shelves[key] = Shelf(*key)
        for key in self._shelves.keys() - found:
            del self._shelves[key]

    def _look(self, shelf: Shelf, now: float, mono: float) -> list[Removed]:
        """Delete what is too old, and know when the next will be."""
        age = self._pool_s if shelf.pool == POOL else self._limits(shelf.camera).age_s
        often = _OFTEN_S[shelf.pool]
        if age <= 0:
            shelf.due = mono + often
            self._take(shelf, lambda file: False, 0)
            return []
        removed = self._take(shelf, lambda file: self._ages.age(file.written, now) >= age, _MOST_PER_STEP)
        rest = age if shelf.oldest is None else age - self._ages.age(shelf.oldest, now)
        shelf.due = mono if len(removed) >= _MOST_PER_STEP else mono + max(rest, min(often, age / 8))
        return removed

    def _guard(self, now: float) -> list[Removed]:
        """Keep `min_free_bytes` free on every disk, and where that cannot be done forbid writing to it."""
        removed: list[Removed] = []
        together = self._device(POOL) == self._device(RECORDINGS)
        for pool in POOLS:
            free = self._free(pool)
            while free is not None and free < self.min_free_bytes and len(removed) < _MOST_PER_STEP:
                gone = self._take_oldest(POOL, now, _YOUNGEST_S) if together or pool == POOL else []
                if not gone and self._when_full == "overwrite" and (together or pool == RECORDINGS):
                    gone = self._take_oldest(RECORDINGS, now, _YOUNGEST_RECORDING_S)
                if not gone:
                    break
                removed += gone
                free = self._free(pool)
            full = free is not None and free < self.min_free_bytes
            if full != (pool in self.root.full):
                (self.root.full.add if full else self.root.full.discard)(pool)
                log.warning("storage.full" if full else "storage.has_room", pool=pool, folder=self.root.path, free=free)
        return removed

    def _shrink(self, now: float) -> list[Removed]:
        """Keep recordings within their sizes."""
        limited = {camera for camera, limits in self.limits.items() if limits.bytes > 0}
        cameras = [shelf.camera for shelf in self._shelves.values() if shelf.pool == RECORDINGS]
        if not self._total_bytes and not self._usual.bytes and not limited:
            return []
        self._tally.scan(cameras)
        removed: list[Removed] = []
        for camera in cameras:
            most = self._limits(camera).bytes
            if most > 0:
                over = self._tally.of(camera) - most
                removed += self._free_up(self._shelves[RECORDINGS, camera], over, now)
        while self._total_bytes and self._tally.total > self._total_bytes and len(removed) < _MOST_PER_STEP:
            gone = self._take_oldest(RECORDINGS, now, _YOUNGEST_S)
            if not gone:
                break
            removed += gone
        return removed

    def _free_up(self, shelf: Shelf, over: int, now: float) -> list[Removed]:
        left = over

        def too_much(file: StoredFile) -> bool:
            nonlocal left
            if left <= 0 or self._ages.age(file.written, now) < _YOUNGEST_S:
                return False
            left -= file.size
            return True

        return self._take(shelf, too_much, _MOST_PER_STEP) if over > 0 else []

    def _take_oldest(self, pool: str, now: float, youngest_s: float) -> list[Removed]:
        """Delete the oldest file of that pool, of whichever camera."""
        shelves = [shelf for shelf in self._shelves.values() if shelf.pool == pool and shelf.oldest is not None]
        for shelf in sorted(shelves, key=lambda shelf: shelf.oldest or 0.0):
            if self._ages.age(shelf.oldest or 0.0, now) < youngest_s:
                return []
            gone = self._take(shelf, lambda file: self._ages.age(file.written, now) >= youngest_s, 1)
            if gone:
                return gone
        return []

    def _take(self, shelf: Shelf, wanted: Callable[[StoredFile], bool], most: int) -> list[Removed]:
        """Delete a camera's files from the oldest on while they are `wanted`; held ones are passed over."""
        chosen: list[StoredFile] = []
        shelf.oldest = None
        for file in oldest_first(self.root.path, shelf, self._exact(shelf)):
            if self._holds is not None and self._holds.covers(shelf.camera, file.start, file.end):
                continue
            if len(chosen) >= most or not wanted(file):
                shelf.oldest = file.written
                break
            chosen.append(file)
        if shelf.pool == RECORDINGS:
            for start, end in spans_of(chosen):
                self._book(shelf.camera, start, end)
        return [(shelf.camera, file.path) for file in chosen if self._delete(shelf, file)]

    def _exact(self, shelf: Shelf) -> bool:
        """Whether it matters to the second what a file holds."""
        return shelf.pool == RECORDINGS or (self._holds is not None and self._holds.any_of(shelf.camera))

    def _free(self, pool: str) -> int | None:
        for folder in (f"{self.root.path}/{pool}", self.root.path):
            try:
                status = os.statvfs(folder)
            except OSError:
                continue
            return status.f_bavail * status.f_frsize
        return None

    def _device(self, pool: str) -> int | None:
        for folder in (f"{self.root.path}/{pool}", self.root.path):
            try:
                return os.stat(folder).st_dev  # noqa: PTH116
            except OSError:
                continue
        return None

    def _delete(self, shelf: Shelf, file: StoredFile) -> bool:
        try:
            os.unlink(f"{self.root.path}/{file.path}")  # noqa: PTH108
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("segment.not_removed", path=file.path, message=str(error))
            return False
        with_no_trace(f"{self.root.path}/{sidecar_path(file.path)}")
        if shelf.pool == RECORDINGS:
            self._tally.removed(shelf.camera, file.path, file.size)
        return True

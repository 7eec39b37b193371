"""What goes again: the pool is a ring of minutes, recordings have an age, and a full disk eats the pool first.

Everything blocks on the disk, so it runs in a thread; a step looks at one camera and deletes a bounded number of files.
Age is the file's own modification time on this host, since a camera's clock may name its files strangely.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from perishield.log import Log
from perishield.streams.layout import POOL, RECORDINGS, segment_second, sidecar_path, with_no_trace
from perishield.streams.segments import MediaRoot

log = Log("streams")

_MOST_PER_STEP = 64
_YOUNGEST_S = 60.0
"""The space guard leaves what was written this recently: somebody may still be writing it."""

Removed = tuple[str, str]
"""(camera, path relative to the media root)"""


class Ring:
    """Retention of one media root. `pool_s` and `recordings_s` are ages; 0 keeps without limit."""

    def __init__(self, root: MediaRoot, *, pool_s: float, recordings_s: float, min_free_bytes: int) -> None:
        self.root = root
        self.min_free_bytes = min_free_bytes
        self._ages = {POOL: pool_s, RECORDINGS: recordings_s}
        self._round: Iterator[tuple[str, str]] = iter(())

    def step(self, now: float) -> list[Removed]:
        """Look at the next camera; returns what was deleted. One round over all cameras takes as many steps."""
        turn = next(self._round, None)
        if turn is None:
            self._round = self._turns()
            turn = next(self._round, None)
        if turn is None:
            return []
        pool, camera = turn
        age = self._ages[pool]
        return self._sweep(pool, camera, now - age) if age > 0 else []

    def guard(self, now: float) -> list[Removed]:
        """Keep `min_free_bytes` free: delete the oldest of the pool, and where that is not enough forbid writing."""
        removed: list[Removed] = []
        free = self._free()
        while free is not None and free < self.min_free_bytes and len(removed) < _MOST_PER_STEP:
            oldest = self._oldest_in_pool(now - _YOUNGEST_S)
            if oldest is None:
                break
            if not self._delete(oldest[1]):
                break
            removed.append(oldest)
            free = self._free()
        full = free is not None and free < self.min_free_bytes
        if full != self.root.full:
            self.root.full = full
            log.warning("storage.full" if full else "storage.has_room", folder=self.root.path, free=free)
        return removed

    def _free(self) -> int | None:
        try:
            status = os.statvfs(self.root.path)
        except OSError:
            return None
        return status.f_bavail * status.f_frsize

    def _turns(self) -> Iterator[tuple[str, str]]:
        for pool in (POOL, RECORDINGS):
            if self._ages[pool] > 0:
                for camera in _names(f"{self.root.path}/{pool}"):
                    yield pool, camera

    def _sweep(self, pool: str, camera: str, before: float) -> list[Removed]:
        removed: list[Removed] = []
        for path, written in self._oldest_first(pool, camera):
            if written >= before or len(removed) >= _MOST_PER_STEP:
                break
            if self._delete(path):
                removed.append((camera, path))
        return removed

    def _oldest_in_pool(self, before: float) -> Removed | None:
        found: tuple[float, str, str] | None = None
        for camera in _names(f"{self.root.path}/{POOL}"):
            first = next(self._oldest_first(POOL, camera), None)
            if first is not None and first[1] < before and (found is None or first[1] < found[0]):
                found = (first[1], camera, first[0])
        return (found[1], found[2]) if found else None

    def _oldest_first(self, pool: str, camera: str) -> Iterator[tuple[str, float]]:
        """(path, modification time) of a camera's segments in the order of their names; empty folders go."""
        base = f"{pool}/{camera}"
        for day in _names(f"{self.root.path}/{base}"):
            for hour in _names(f"{self.root.path}/{base}/{day}"):
                folder = f"{base}/{day}/{hour}"
                names = _names(f"{self.root.path}/{folder}")
                for name in names:
                    if segment_second(name) is not None:
                        try:
                            written = os.stat(f"{self.root.path}/{folder}/{name}").st_mtime  # noqa: PTH116
                        except OSError:
                            continue
                        yield f"{folder}/{name}", written
                self._remove_folder(folder)
            self._remove_folder(f"{base}/{day}")

    def _remove_folder(self, folder: str) -> None:
        # A folder with something in it refuses, which is all the check it takes; the writer makes it anew if it must.
        try:
            os.rmdir(f"{self.root.path}/{folder}")  # noqa: PTH106
        except OSError:
            return

    def _delete(self, path: str) -> bool:
        try:
            os.unlink(f"{self.root.path}/{path}")  # noqa: PTH108
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("segment.not_removed", path=path, message=str(error))
            return False
        with_no_trace(f"{self.root.path}/{sidecar_path(path)}")
        return True


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []

"""How many bytes of recordings there are, by camera: counted once in the background, then kept up to date.

Sums are kept by hour in arrays of numbers, since a month of a hundred cameras has 72,000 hours and 26 million files.
"""

from __future__ import annotations

import os
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from perishield.streams.layout import RECORDINGS, segment_second
from perishield.streams.shelves import entries_of

_SCAN_S = 0.05
"""A scan lasts so long and goes on at the next call."""


class _Hours:
    """Sorted hours since 1970, and bytes in each."""

    __slots__ = ("bytes", "hours", "total")

    def __init__(self) -> None:
        self.hours = array("L")
        self.bytes = array("Q")
        self.total = 0

    def add(self, hour: int, size: int, *, fresh: bool) -> None:
        """Count; an hour that is not known is only begun where `fresh`."""
        at = bisect_left(self.hours, hour)
        known = at < len(self.hours) and self.hours[at] == hour
        if not known and not fresh:
            return
        if not known:
            self.hours.insert(at, hour)
            self.bytes.insert(at, 0)
        changed = max(0, self.bytes[at] + size)
        self.total += changed - self.bytes[at]
        self.bytes[at] = changed


class Tally:
    """Bytes of recordings below a media root."""

    def __init__(self, media: str) -> None:
        self._media = media
        self._cameras: dict[str, _Hours] = {}
        self._scanned: set[str] = set()
        self._folders: Iterator[None] | None = None

    @property
    def total(self) -> int:
        return sum(hours.total for hours in self._cameras.values())

    def of(self, camera: str) -> int:
        hours = self._cameras.get(camera)
        return hours.total if hours is not None else 0

    def scan(self, cameras: Iterable[str]) -> None:
        """Count some more of what was there before; blocks on the disk for a moment."""
        until = time.monotonic() + _SCAN_S
        while time.monotonic() < until:
            if self._folders is None:
                fresh = next((camera for camera in cameras if camera not in self._scanned), None)
                if fresh is None:
                    return
                self._scanned.add(fresh)
                self._folders = self._count(fresh)
            try:
                next(self._folders)
            except StopIteration:
                self._folders = None

    def added(self, camera: str, path: str, size: int) -> None:
        """A segment was finished. Counted where its camera has been: else the scan will meet it."""
        if camera in self._scanned:
            self._cameras.setdefault(camera, _Hours()).add(_hour(path), size, fresh=True)

    def removed(self, camera: str, path: str, size: int) -> None:
        hours = self._cameras.get(camera)
        if hours is not None:
            hours.add(_hour(path), -size, fresh=False)

    def _count(self, camera: str) -> Iterator[None]:
        hours = self._cameras.setdefault(camera, _Hours())
        base = f"{self._media}/{RECORDINGS}/{camera}"
        for day in entries_of(base):
            for hour in entries_of(f"{base}/{day}"):
                folder = f"{base}/{day}/{hour}"
                for name in entries_of(folder):
                    if segment_second(name) is not None:
                        try:
                            size = os.stat(f"{folder}/{name}").st_size  # noqa: PTH116
                        except OSError:
                            continue
                        hours.add(_hour(name), size, fresh=True)
                yield


def _hour(path: str) -> int:
    return (segment_second(path.rpartition("/")[2]) or 0) // 3600

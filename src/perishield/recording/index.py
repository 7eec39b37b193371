"""Which segments hold a camera's footage of a time, read from the files themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from perishield.model.media import SegmentRow
from perishield.streams.layout import POOL, POOLS, RECORDINGS, hour_folder, read_sidecar, segment_second
from perishield.streams.recovery import describe

LONGEST_S = 600
"""A segment is looked for under names this much earlier than the time asked for."""

_FIRST_DAY = date(1970, 1, 1).toordinal()


def list_segments(
    media: Path,
    camera: str,
    start: float,
    end: float,
    *,
    limit: int | None = None,
    pools: tuple[str, ...] = POOLS,
    unfinished: bool = True,
) -> list[SegmentRow]:
    """Segments of that camera with footage in [start, end) (Unix seconds), oldest first.

    The one being written is among them where `unfinished`, described up to its last whole chunk. Blocks on the disk.
    """
    rows = []
    for path in _candidates(media, camera, start, end, pools):
        row = read_sidecar(media, path)
        if row is None and unfinished:
            row = describe(media, path)
        if row is not None and row.start < end and row.start + row.duration > start:
            rows.append(row)
            if limit is not None and len(rows) >= limit:
                break
    rows.sort(key=lambda row: row.start)
    return rows


def cameras_on_disk(media: Path) -> list[str]:
    """Every camera with a folder below recordings or pool."""
    return sorted({camera for pool in POOLS for camera in _names(media / pool)})


def days_on_disk(media: Path, camera: str) -> list[int]:
    """Days since 1970 (UTC) of which that camera has a folder."""
    days = set()
    for pool in POOLS:
        for name in _names(media / pool / camera):
            try:
                days.add(date.fromisoformat(name).toordinal() - _FIRST_DAY)
            except ValueError:
                continue
    return sorted(days)


def segments_of_day(media: Path, camera: str, day: int) -> Iterator[str]:
    """Paths of that camera's segment files of that day since 1970 (UTC), by pool and name; relative to the root."""
    for name in _of_day(media, camera, day):
        if segment_second(name.rpartition("/")[2]) is not None:
            yield name


def sidecars_of_day(media: Path, camera: str, day: int) -> set[str]:
    """Paths of the segments of that day that have a sidecar, whether or not the segment is there.

    What was kept out of the pool is named once: in the recordings.
    """
    listed = {f"{name.removesuffix('.json')}.mp4" for name in _of_day(media, camera, day) if name.endswith(".json")}
    return {path for path in listed if kept_path(path) == path or kept_path(path) not in listed}


def kept_path(path: str) -> str:
    """Where a segment of the pool lies when it was kept; a recording's path is its own."""
    return f"{RECORDINGS}{path.removeprefix(POOL)}" if path.startswith(f"{POOL}/") else path


def _of_day(media: Path, camera: str, day: int) -> Iterator[str]:
    try:
        named = date.fromordinal(day + _FIRST_DAY).isoformat()
    except (ValueError, OverflowError):
        return
    for pool in POOLS:
        for hour in _names(media / pool / camera / named):
            folder = f"{pool}/{camera}/{named}/{hour}"
            yield from (f"{folder}/{name}" for name in _names(media / folder))


def _candidates(media: Path, camera: str, start: float, end: float, pools: tuple[str, ...]) -> Iterator[str]:
    """Paths by name alone, in the order of their seconds."""
    earliest = max(0.0, start - LONGEST_S)
    found = []
    for folder in _hours(media, camera, earliest, end, pools):
        for name in _names(media / folder):
            second = segment_second(name)
            if second is not None and earliest <= second <= end:
                found.append((second, len(name), name, folder))
        if len(pools) == 1:
            found.sort()
            yield from (f"{folder}/{name}" for _, _, name, folder in found)
            found = []
    kept = {(folder, name) for _, _, name, folder in found}
    found.sort()
    for _, _, name, folder in found:
        # What was kept out of the pool has the same name in the recordings, and is the same footage.
        if kept_path(folder) == folder or (kept_path(folder), name) not in kept:
            yield f"{folder}/{name}"


def _hours(media: Path, camera: str, start: float, end: float, pools: tuple[str, ...]) -> Iterator[str]:
    """Hour folders that exist and may hold that time, oldest first."""
    first, last = (hour_folder("", camera, moment)[-13:] for moment in (start, min(end, time.time() + 86_400 * 365)))
    hours = set()
    for pool in pools:
        for day in _names(media / pool / camera):
            if first[:10] <= day <= last[:10]:
                for hour in _names(media / pool / camera / day):
                    if first <= f"{day}/{hour}" <= last:
                        hours.add((day, hour, pool))
    for day, hour, pool in sorted(hours):
        yield f"{pool}/{camera}/{day}/{hour}"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []

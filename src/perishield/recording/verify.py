"""Whether segments are what they claim: files against their structure, sidecars and the index against the files."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState
from perishield.recording.index import cameras_on_disk, days_on_disk, kept_path, segments_of_day, sidecars_of_day
from perishield.store.copies import copies_of
from perishield.store.database import Database
from perishield.store.segments import DAY_S, indexed_cameras, indexed_days, segments_between
from perishield.streams.layout import read_sidecar, sidecar_path
from perishield.streams.recovery import describe

YOUNG_S = 120.0
"""A file without a sidecar that was written this recently is still being written."""
_NEAR_S = 0.002

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: `torn`, `unreadable`, `no_sidecar`, `no_segment`, `sidecar_differs`, `not_indexed`, `index_differs`,
    `gone`, `undecodable`."""

    path: str
    kind: str
    message: str


@dataclass(slots=True)
class Verdict:
    segments: int = 0
    bytes: int = 0
    indexed: bool = False
    findings: list[Finding] = field(default_factory=list)


async def verify(
    media: Path,
    database: Database | None,
    *,
    camera: str = "",
    start: float = 0.0,
    end: float = float("inf"),
    deep: bool = False,
    progress: Progress = lambda share: None,
) -> Verdict:
    """Check the segments that begin in [start, end) (Unix seconds), of one camera or all. Without a database the index
    is left out. Raises StorageError where the database does not answer."""
    verdict = Verdict(indexed=database is not None)
    places = await _places(media, database, camera, start, end)
    for number, (name, day) in enumerate(places):
        files, found = await asyncio.to_thread(_of_day, media, name, day, start, end, deep)
        verdict.segments += len(files)
        verdict.bytes += sum(row.size for row in files.values())
        verdict.findings += found
        if database is not None:
            verdict.findings += await _against_index(media, database, name, day, start, end, files)
        progress((number + 1) / len(places))
    return verdict


async def _places(
    media: Path, database: Database | None, camera: str, start: float, end: float
) -> list[tuple[str, int]]:
    cameras = set(await asyncio.to_thread(cameras_on_disk, media))
    if database is not None:
        async with database.read() as session:
            cameras.update(await indexed_cameras(session))
    found = []
    for name in sorted(cameras if not camera else cameras & {camera}):
        days = set(await asyncio.to_thread(days_on_disk, media, name))
        if database is not None:
            async with database.read() as session:
                days.update(await indexed_days(session, name))
        found += [(name, day) for day in sorted(days) if day * DAY_S < end and (day + 1) * DAY_S > start]
    return found


def _of_day(
    media: Path, camera: str, day: int, start: float, end: float, deep: bool
) -> tuple[dict[str, SegmentRow], list[Finding]]:
    files: dict[str, SegmentRow] = {}
    findings: list[Finding] = []
    listed = set(segments_of_day(media, camera, day))
    for path in sorted(listed):
        row, found = check_segment(media, path, deep=deep)
        if row is not None and start <= row.start < end:
            files[path] = row
            findings += found
        elif row is None:
            findings += found
    for path in sorted(sidecars_of_day(media, camera, day) - listed):
        if not (media / path).exists():
            findings.append(Finding(path, "no_segment", "its sidecar is there, the file is not"))
    return files, findings


def check_segment(media: Path, path: str, *, deep: bool = False) -> tuple[SegmentRow | None, list[Finding]]:
    """What one file really holds, and what is wrong with it or its sidecar. No row where it holds no whole chunk, is
    still being written, or has just gone. Blocks on the disk."""
    try:
        status = (media / path).stat()
    except OSError:
        return None, []
    told = read_sidecar(media, path)
    if told is None and time.time() - status.st_mtime < YOUNG_S:
        return None, []
    real = describe(media, path, complete=True)
    if real is None:
        return None, [Finding(path, "unreadable", f"{status.st_size} bytes without one whole chunk")]
    findings = []
    if real.size < status.st_size:
        torn = status.st_size - real.size
        findings.append(Finding(path, "torn", f"{torn} bytes behind the last whole chunk at {real.size}"))
    if told is None:
        there = (media / sidecar_path(path)).exists()
        findings.append(Finding(path, "no_sidecar", "its sidecar cannot be read" if there else "it has no sidecar"))
    elif differing := differences(told, real):
        findings.append(Finding(path, "sidecar_differs", f"from the file in {', '.join(differing)}"))
    if deep:
        findings += _decoded(media, path, real)
    return real, findings


def differences(one: SegmentRow, other: SegmentRow) -> list[str]:
    """Names of the fields in which two descriptions of one segment differ, `complete` aside."""
    ours, theirs = asdict(one), asdict(other)
    return [
        name
        for name, value in ours.items()
        if name != "complete"
        and (abs(value - theirs[name]) > _NEAR_S if name in ("start", "duration") else value != theirs[name])
    ]


def _decoded(media: Path, path: str, row: SegmentRow) -> Iterator[Finding]:
    import av

    pictures = 0
    try:
        with av.open(str(media / path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            pictures = sum(1 for _ in container.decode(stream))
    except (av.FFmpegError, IndexError, ValueError) as error:
        yield Finding(path, "undecodable", f"after {pictures} of {row.frames} pictures: {error}")
        return
    if pictures != row.frames:
        yield Finding(path, "undecodable", f"{pictures} of {row.frames} pictures could be decoded")


async def _against_index(
    media: Path, database: Database, camera: str, day: int, start: float, end: float, files: dict[str, SegmentRow]
) -> Iterable[Finding]:
    first, last = max(start, day * DAY_S), min(end, (day + 1) * DAY_S)
    async with database.read() as session:
        rows = await segments_between(session, camera, first, last, after=first - 1e-6, keyframes=True)
        known = {row.path: row for row in rows if first <= row.start < last}
        copies = await copies_of(session, sorted(known.keys() - files.keys()))
    findings = []
    for path, real in files.items():
        if path not in known:
            if kept_path(path) == path or kept_path(path) not in files:
                findings.append(Finding(path, "not_indexed", "the index does not know it; run `recordings reindex`"))
        elif differing := differences(known[path], real):
            findings.append(Finding(path, "index_differs", f"from the file in {', '.join(differing)}"))
    for path in sorted(known.keys() - files.keys()):
        elsewhere = any(copy.state is CopyState.KEPT for copy in copies.get(path, []))
        if not elsewhere and not os.path.exists(media / path):  # noqa: PTH110
            findings.append(Finding(path, "gone", "the index has it, the file is not there"))
    return findings

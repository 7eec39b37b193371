"""A camera's segment files in one pool as they lie on the disk, oldest first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from perishield.streams.layout import segment_second, sidecar_path

_LONGEST_S = 3600.0


@dataclass(slots=True, eq=False)
class Shelf:
    """When to look at it again (monotonic seconds), and when its oldest file that may go was written."""

    pool: str
    camera: str
    due: float = 0.0
    oldest: float | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`path` is relative to the media root; `written`, `start` and `end` are Unix seconds."""

    path: str
    written: float
    size: int
    start: float
    end: float


class _Described(msgspec.Struct):
    """The part of a sidecar that matters here."""

    start: float
    duration: float


def oldest_first(media: str, shelf: Shelf, exact: bool) -> Iterator[StoredFile]:
    """Segments in the order of their names; folders found empty go. `exact`: times are read from the sidecars."""
    base = f"{shelf.pool}/{shelf.camera}"
    for day in entries_of(f"{media}/{base}"):
        for hour in entries_of(f"{media}/{base}/{day}"):
            folder = f"{base}/{day}/{hour}"
            segments = [
                (second, len(name), name)
                for name in entries_of(f"{media}/{folder}")
                if (second := segment_second(name)) is not None
            ]
            for second, _, name in sorted(segments):
                file = _stored(media, f"{folder}/{name}", float(second), exact)
                if file is not None:
                    yield file
            _remove_folder(f"{media}/{folder}")
        _remove_folder(f"{media}/{base}/{day}")


def spans_of(files: Sequence[StoredFile]) -> list[tuple[float, float]]:
    """What they hold, adjoining files as one span."""
    spans: list[tuple[float, float]] = []
    for file in sorted(files, key=lambda file: file.start):
        if spans and file.start - spans[-1][1] < 1.0:
            spans[-1] = (spans[-1][0], max(spans[-1][1], file.end))
        else:
            spans.append((file.start, file.end))
    return spans


def entries_of(folder: str) -> list[str]:
    """Sorted names; none where there is no such folder."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []


def _stored(media: str, path: str, second: float, exact: bool) -> StoredFile | None:
    try:
        status = os.stat(f"{media}/{path}")  # noqa: PTH116
    except OSError:
        return None
    start, end = second, min(max(second, status.st_mtime), second + _LONGEST_S)
    if exact:
        try:
            with open(f"{media}/{sidecar_path(path)}", "rb") as sidecar:
                described = msgspec.json.decode(sidecar.read(), type=_Described)
            start, end = described.start, described.start + described.duration
        except (OSError, msgspec.DecodeError, ValueError):
            pass
    return StoredFile(path, status.st_mtime, status.st_size, start, end)


def _remove_folder(folder: str) -> None:
    # A folder with something in it refuses, which is all the check it takes; the writer makes it anew if it must.
    try:
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        return

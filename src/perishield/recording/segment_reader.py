"""Bytes of a segment, wherever it lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow


class SegmentReader(Protocol):
    """An open segment. Blocking: use it in a thread. `pread` gives less than asked only at the file's end."""

    size: int

    def pread(self, length: int, offset: int) -> bytes: ...

    def close(self) -> None: ...


class LocalSegment:
    """A segment file below the media root. Raises StorageError (`missing`) where it is gone."""

    def __init__(self, media: Path, row: SegmentRow) -> None:
        try:
            self.fd = os.open(media / row.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(
                f"camera '{row.camera}': segment {row.path} cannot be read: {error.strerror}",
                code="missing",
                camera=row.camera,
            ) from error
        self.size = os.fstat(self.fd).st_size

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self.fd, length, offset)

    def close(self) -> None:
        os.close(self.fd)


class Footage(Protocol):
    """Where readers find segments: the index and, behind it, local folders and remote tiers."""

    def open(self, row: SegmentRow) -> SegmentReader: ...


class LocalFootage:
    """Footage that lies below one media root only."""

    def __init__(self, media: Path) -> None:
        self.media = media

    def open(self, row: SegmentRow) -> SegmentReader:
        return LocalSegment(self.media, row)

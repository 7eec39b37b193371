"""One segment from where it lies to a target: hashed, sent, and proven there before anybody counts on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.recording.storage.target import PIECE, Pace, Source, Target, failure


class LocalSource:
    """The segment's file below the media root. Raises StorageError (`missing`) where it is gone."""

    def __init__(self, media: Path, row: SegmentRow) -> None:
        self._path = media / row.path
        self._row = row
        try:
            self.size = os.stat(self._path).st_size  # noqa: PTH116
        except OSError as error:
            raise self._gone(error) from error

    def pieces(self) -> Iterator[bytes]:
        try:
            with open(self._path, "rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    yield piece
        except OSError as error:
            raise self._gone(error) from error

    def _gone(self, error: OSError) -> StorageError:
        return StorageError(
            f"camera '{self._row.camera}': segment {self._row.path} cannot be read: {error.strerror}",
            code="missing",
            camera=self._row.camera,
        )


class TargetSource:
    """A copy at another target."""

    def __init__(self, target: Target, row: SegmentRow, size: int) -> None:
        self.size = size
        self._target = target
        self._row = row

    def pieces(self) -> Iterator[bytes]:
        return self._target.pieces(self._row)


class _Hashed:
    """A source whose bytes are hashed on their way."""

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self.sha256 = ""
        self._source = source

    def pieces(self) -> Iterator[bytes]:
        self.sha256 = ""
        digest = hashlib.sha256()
        for piece in self._source.pieces():
            digest.update(piece)
            yield piece
        self.sha256 = digest.hexdigest()


def copy_segment(row: SegmentRow, source: Source, target: Target, pace: Pace, known: str = "") -> str:
    """Copy and prove it; returns the SHA-256. `known`: what an earlier copy was proven to hash to.

    Raises StorageError. `corrupt`: what lies there is not what was sent, and it has been removed again; or the source
    itself is not what it once was. `missing`: the source is gone.
    """
    sha256 = known or _hash(source.pieces())
    hashed = _Hashed(source)
    checked = target.put(row, hashed, sha256, pace)
    if hashed.sha256 and hashed.sha256 != sha256:
        target.remove(row)
        raise failure(
            target.spec, "corrupt", f"{row.path}: its source changed meanwhile, or is damaged", "verify the recordings"
        )
    if not checked or target.spec.verify == "read":
        found = _hash(_paced(target.pieces(row), pace))
        if found != sha256:
            target.remove(row)
            raise failure(
                target.spec,
                "corrupt",
                f"{row.path}: reading back gives other bytes than were sent",
                "it is sent again; the source stays where it is",
            )
    return sha256


def _hash(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _paced(pieces: Iterator[bytes], pace: Pace) -> Iterator[bytes]:
    for piece in pieces:
        pace(len(piece))
        yield piece

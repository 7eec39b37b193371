"""Segments that another recorder sends: taken in whole, proven to be ours in kind, placed where our own would lie.

Nothing that was sent is trusted: the name gives a second and nothing else, the bytes are hashed as they come, the file
is walked to its last chunk before it gets its place. Until then it lies in a folder that no reader looks into.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.site import CAMERA_ID
from perishield.streams.layout import (
    RECORDINGS,
    hour_folder,
    read_sidecar,
    segment_second,
    storage_error,
    write_all,
    write_sidecar,
)
from perishield.streams.mount import Mount
from perishield.streams.recovery import describe

INCOMING = ".incoming"
_LATEST_SECOND = 32_503_680_000
_SPARE_BYTES = 256 << 20
"""Left free beside what is being received: the recorder's own footage comes first."""


@dataclass(frozen=True, slots=True)
class Received:
    """`new` is False where the very same segment was there already. `sha256` is of what the disk gave back."""

    row: SegmentRow
    sha256: str
    new: bool


def segment_place(camera: str, name: str) -> str:
    """Where a segment of that name belongs, relative to the media root. Raises StorageError (`not_a_segment`)."""
    second = segment_second(name)
    if not CAMERA_ID.fullmatch(camera):
        raise _refused(camera, "the stream's name has lower-case letters, digits, dash and underscore")
    if second is None or second > _LATEST_SECOND or len(name) > 40 or not name.isascii():
        raise _refused(camera, "the segment's name is its first Unix second, like 1790000000.mp4")
    return f"{hour_folder(RECORDINGS, camera, float(second))}/{name}"


class Reception:
    """One segment on its way in: `take` its pieces, then `place` it; leave it by `discard`. Blocks: use it in a thread.

    Raises StorageError: `disk_full`, `not_writable`, `mount_gone`, `not_a_segment`, `corrupt` (not what its sender
    hashed), `conflict`.
    """

    def __init__(self, media: Path, camera: str, name: str, size: int) -> None:
        self.path = segment_place(camera, name)
        self.camera = camera
        self._media = media
        self._stage = media / INCOMING / secrets.token_hex(8)
        self._size = size
        self._taken = 0
        self._digest = hashlib.sha256()
        try:
            # Where recordings lie on a share, it must be there.
            Mount(media, RECORDINGS, media.parent).check()
            self._file = self._stage / self.path
            self._file.parent.mkdir(mode=0o750, parents=True)
            if shutil.disk_usage(media).free < size + _SPARE_BYTES:
                raise StorageError(
                    f"stream '{camera}': not taken, the disk of {media} is full; free space or upload elsewhere",
                    code="disk_full",
                    camera=camera,
                )
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as error:
            self._sweep()
            raise storage_error(camera, media, error) from error
        except StorageError:
            self._sweep()
            raise

    def take(self, piece: bytes) -> None:
        self._taken += len(piece)
        if self._taken > self._size:
            raise _refused(self.camera, "it is longer than its sender said")
        self._digest.update(piece)
        try:
            write_all(self._fd, piece)
        except OSError as error:
            raise storage_error(self.camera, self._media, error) from error

    def place(self, sha256: str) -> Received:
        """Check it and give it its place. `sha256`: what its sender hashed it to, hexadecimal."""
        if self._taken != self._size:
            raise _refused(self.camera, f"{self._taken} of {self._size} bytes came")
        if self._digest.hexdigest() != sha256:
            raise StorageError(f"stream '{self.camera}': {self.path} arrived damaged; send it again", code="corrupt")
        try:
            os.fsync(self._fd)
            row = describe(self._stage, self.path, complete=True)
            if row is None or row.size != self._size:
                raise _refused(self.camera, "this is no segment of ours, or not a whole one")
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
            found = file_sha256(self._file)
            if found != sha256:
                raise StorageError(f"stream '{self.camera}': {self.path} was damaged by this disk", code="corrupt")
            return self._settle(row, sha256)
        except OSError as error:
            raise storage_error(self.camera, self._media, error) from error

    def discard(self) -> None:
        """Close, and remove whatever has not got its place."""
        with suppress(OSError):
            os.close(self._fd)
        self._sweep()

    def _settle(self, row: SegmentRow, sha256: str) -> Received:
        final = self._media / self.path
        final.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        try:
            _give_place(self._file, final)
        except FileExistsError:
            if file_sha256(final) != sha256:
                raise StorageError(
                    f"stream '{self.camera}': another segment of the name {final.name} is there already",
                    code="conflict",
                    camera=self.camera,
                ) from None
            return Received(read_sidecar(self._media, self.path) or row, sha256, new=False)
        write_sidecar(self._media, row)
        folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Received(row, sha256, new=True)

    def _sweep(self) -> None:
        shutil.rmtree(self._stage, ignore_errors=True)


def _give_place(file: Path, final: Path) -> None:
    """By a link, not by renaming: it refuses where there is one already. Raises OSError (FileExistsError)."""
    try:
        os.link(file, final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Recordings lie on a file system of their own.
        beside = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
        try:
            shutil.copyfile(file, beside)
            with open(beside, "rb") as copied:
                os.fsync(copied.fileno())
            os.link(beside, final)
        finally:
            beside.unlink(missing_ok=True)


def sweep_incoming(media: Path) -> None:
    """Remove what was being received when the last run ended."""
    shutil.rmtree(media / INCOMING, ignore_errors=True)


def file_sha256(path: Path) -> str:
    """Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def receive(media: Path, camera: str, name: str, pieces: Iterable[bytes], size: int, sha256: str) -> Received:
    """All of it at once, for callers that have the bytes."""
    reception = Reception(media, camera, name, size)
    try:
        for piece in pieces:
            reception.take(piece)
        return reception.place(sha256)
    finally:
        reception.discard()


def _refused(camera: str, reason: str) -> StorageError:
    return StorageError(
        f"stream '{camera[:80]}': segment not taken: {reason}", code="not_a_segment", camera=camera[:80]
    )

"""Copies in a folder: another disk of this host, or a mounted network share that may vanish.

A mount that is gone leaves an empty folder of the root disk behind. Writing there would fill that disk with footage
that nobody finds again, so a folder counts only while it bears our mark, and everything is done relative to an open
handle of the folder in which the mark was just seen: what is unmounted half-way takes its bytes with it.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget
from perishield.recording.storage.target import PIECE, Pace, Source, Space, failure
from perishield.streams.layout import sidecar_path, write_all

MARK = ".perishield-storage"
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_GONE = frozenset((errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ENOTDIR))
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


def prepare_folder(spec: StorageTarget) -> str:
    """Mark the folder as ours and return its identity; a mark that is there stays. Raises StorageError."""
    folder = Path(spec.path)
    mark = folder / MARK
    with _explained(spec):
        if not folder.is_dir():
            raise failure(spec, "storage_missing", "there is no such folder")
        if not mark.exists():
            text = json.dumps({"id": uuid.uuid4().hex, "name": spec.name})
            temporary = folder / f"{MARK}.{secrets.token_hex(4)}"
            temporary.write_text(text)
            os.replace(temporary, mark)  # noqa: PTH105
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return _identity(spec, folder_fd)
        finally:
            os.close(folder_fd)


class FolderTarget:
    """One folder. `identity`: what its mark must say; empty takes whichever mark it finds first."""

    def __init__(self, spec: StorageTarget, identity: str = "") -> None:
        self.spec = spec
        self.identity = identity

    def check(self) -> Space:
        with self._folder() as folder:
            probe = f"{MARK}.{secrets.token_hex(4)}"
            fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o640, dir_fd=folder)
            os.close(fd)
            os.unlink(probe, dir_fd=folder)
            status = os.fstatvfs(folder)
            return Space(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize, self.identity)

    def put(self, row: SegmentRow, source: Source, sha256: str, pace: Pace) -> bool:
        with self._folder() as root:
            folder = _open_below(root, row.path.split("/")[:-1], make=True)
            name = row.path.rsplit("/", 1)[-1]
            temporary = f".{name}.{secrets.token_hex(4)}.part"
            try:
                _sweep_parts(folder, name)
                fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o640, dir_fd=folder)
                try:
                    for piece in source.pieces():
                        pace(len(piece))
                        write_all(fd, piece)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                self._describe(folder, row)
                os.fsync(folder)
            finally:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                os.close(folder)
        return False

    def pieces(self, row: SegmentRow) -> Iterator[bytes]:
        with self._opened(row) as fd:
            # Read back what the disk has, not what memory still holds of the writing.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            while piece := os.read(fd, PIECE):
                yield piece

    def read(self, row: SegmentRow, offset: int, length: int) -> bytes:
        with self._opened(row) as fd:
            return os.pread(fd, length, offset)

    def size(self, row: SegmentRow) -> int | None:
        try:
            with self._opened(row) as fd:
                return os.fstat(fd).st_size
        except StorageError as error:
            if error.code == "missing":
                return None
            raise

    def remove(self, row: SegmentRow) -> None:
        parts = row.path.split("/")
        with self._folder() as root:
            try:
                folder = _open_below(root, parts[:-1], make=False)
            except FileNotFoundError:
                return
            try:
                for name in (parts[-1], sidecar_path(parts[-1])):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=folder)
            finally:
                os.close(folder)
            # The empty hour and day go as well; a folder with something in it refuses.
            with suppress(OSError):
                os.rmdir("/".join(parts[:-1]), dir_fd=root)
                os.rmdir("/".join(parts[:-2]), dir_fd=root)

    def link(self, row: SegmentRow, expires_s: int) -> str:
        del row, expires_s
        return ""

    def close(self) -> None:
        """Nothing is held open between calls, or the share could not be unmounted."""

    def _describe(self, folder: int, row: SegmentRow) -> None:
        """The sidecar beside the copy, so that its folder alone tells what it holds."""
        name = sidecar_path(row.path.rsplit("/", 1)[-1])
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o640, dir_fd=folder)
        try:
            write_all(fd, msgspec.json.encode(row))
            os.fsync(fd)
        finally:
            os.close(fd)

    @contextmanager
    def _opened(self, row: SegmentRow) -> Iterator[int]:
        with self._folder() as root:
            try:
                fd = _open_below(root, row.path.split("/"), make=False, folder=False)
            except FileNotFoundError:
                raise failure(self.spec, "missing", f"{row.path} is not there") from None
            try:
                yield fd
            finally:
                os.close(fd)

    @contextmanager
    def _folder(self) -> Iterator[int]:
        """An open handle of the folder, in which the mark was seen through that very handle."""
        with _explained(self.spec):
            try:
                folder = os.open(self.spec.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in _GONE:
                    raise failure(self.spec, "mount_gone", f"the folder is gone: {os.strerror(error.errno)}") from error
                raise
            try:
                found = _identity(self.spec, folder)
                if self.identity and found != self.identity:
                    raise failure(self.spec, "mount_foreign", "another folder is mounted there than before")
                self.identity = found
                yield folder
            finally:
                os.close(folder)


def _identity(spec: StorageTarget, folder: int) -> str:
    try:
        fd = os.open(MARK, os.O_RDONLY | _FLAGS, dir_fd=folder)
    except FileNotFoundError:
        raise failure(
            spec, "mount_gone", "the folder does not bear our mark, so it is not mounted or was never prepared"
        ) from None
    try:
        found = json.loads(os.read(fd, 4096))["id"]
    except (ValueError, TypeError, KeyError):
        raise failure(spec, "mount_foreign", f"its {MARK} is not readable as ours") from None
    finally:
        os.close(fd)
    return str(found)


def _open_below(root: int, parts: list[str], *, make: bool, folder: bool = True) -> int:
    """A handle of root/parts, each step relative to the one before it and none through a link. Raises OSError."""
    at = os.dup(root)
    try:
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o750, dir_fd=at)
            kind = os.O_DIRECTORY if folder or not last else 0
            below = os.open(part, os.O_RDONLY | kind | _FLAGS, dir_fd=at)
            os.close(at)
            at = below
    except BaseException:
        os.close(at)
        raise
    return at


def _sweep_parts(folder: int, name: str) -> None:
    """Remove what a killed attempt at the same segment left."""
    for found in os.listdir(folder):
        if found.startswith(f".{name}.") and found.endswith(".part"):
            with suppress(OSError):
                os.unlink(found, dir_fd=folder)


@contextmanager
def _explained(spec: StorageTarget) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno in _FULL:
            raise failure(spec, "disk_full", "it is full") from error
        if error.errno in _GONE or error.errno == errno.EIO:
            raise failure(spec, "mount_gone", reason) from error
        raise failure(spec, "not_writable", reason, "check its owner and rights") from error

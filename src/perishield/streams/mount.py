"""Storage that may vanish: a share or disk that is not mounted must not be mistaken for the empty folder below it.

What is mounted is known by a file with a random name in it, `.perishield-media`, and by the device number, which spares
reading that file every time. Both are remembered in the data folder; what does not match is refused.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.streams.layout import write_all

log = Log("streams")

MARKER = ".perishield-media"
_MEMORY = "storage.json"


class Mount:
    """The folder `media/pool`, and what it should be. Blocks on the disk: not for the event loop.

    Storage on the data folder's own file system cannot vanish by itself and is taken as it is. Other storage is taken
    when it bears a mark that is known, when it bears an empty one (that is how an owner admits new storage), or when
    none was known yet.
    """

    def __init__(self, media: Path, pool: str, data: Path) -> None:
        self.folder = f"{media}/{pool}"
        self._media = media
        self._pool = pool
        self._data = data
        self._device: int | None = None
        self._gone = False

    def check(self) -> None:
        """Return where the folder is there and is the right one; make it where that is allowed.

        Raises StorageError (`mount_gone`, `not_writable`); OSError where the disk refuses.
        """
        try:
            device: int | None = os.stat(self.folder).st_dev  # noqa: PTH116
        except FileNotFoundError:
            device = None
        if device is not None and device == self._device:
            return
        try:
            self._device = self._recognise(device)
        except StorageError as error:
            self._device = None
            if not self._gone:
                self._gone = True
                log.error("storage.gone", folder=self.folder, code=error.code, message=error.message)
            raise
        if self._gone:
            self._gone = False
            log.info("storage.back", folder=self.folder)

    def belongs(self, fd: int) -> bool:
        """Whether a file just opened lies on the storage that `check` found: it may have gone in between."""
        return os.fstat(fd).st_dev == self._device

    def _recognise(self, device: int | None) -> int:
        known = self._known()
        mark = self._mark()
        if mark and mark in known:
            return self._here()
        separate = device is not None and device != os.stat(self._data).st_dev  # noqa: PTH116
        if known and (mark or mark is None):
            raise self._error("other storage is mounted there" if mark else "it is not mounted")
        if device is None:
            os.makedirs(self.folder, mode=0o750, exist_ok=True)  # noqa: PTH103
            separate = self._here() != os.stat(self._data).st_dev  # noqa: PTH116
        if separate:
            self._remember([*known, mark or self._leave_mark()])
            log.info("storage.known", folder=self.folder)
        return self._here()

    def _here(self) -> int:
        return os.stat(self.folder).st_dev  # noqa: PTH116

    def _mark(self) -> str | None:
        """What the marker says: None without one, empty where it is to be filled."""
        try:
            with open(f"{self.folder}/{MARKER}", "rb") as file:
                return file.read(64).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None

    def _leave_mark(self) -> str:
        mark = secrets.token_hex(8)
        fd = os.open(f"{self.folder}/{MARKER}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            write_all(fd, f"{mark}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        return mark

    def _known(self) -> list[str]:
        found = self._memory().get(self._pool)
        return [str(mark) for mark in found] if isinstance(found, list) else []

    def _memory(self) -> dict[str, Any]:
        try:
            found = msgspec.json.decode((self._data / _MEMORY).read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def _remember(self, marks: list[str]) -> None:
        """Raises OSError: storage that could not be told again is not used."""
        draft = self._data / f".{_MEMORY}.part"
        draft.write_bytes(msgspec.json.encode({**self._memory(), self._pool: marks}))
        draft.replace(self._data / _MEMORY)

    def _error(self, reason: str) -> StorageError:
        return StorageError(
            f"storage {self.folder}: {reason}; mount what was there, or admit what is there now by an empty file "
            f"{MARKER} in it",
            code="mount_gone",
            folder=self.folder,
            reason=reason,
        )

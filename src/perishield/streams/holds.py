"""Footage that must not be deleted, as the server publishes it: `{data}/holds.json`, a list of {camera, start, end}."""

from __future__ import annotations

from pathlib import Path

import msgspec

from perishield.log import Log

log = Log("streams")


class Hold(msgspec.Struct, frozen=True):
    """[start, end) in Unix seconds."""

    camera: str
    start: float
    end: float


class Holds:
    """The holds in force; `refresh` blocks on the disk.

    A file that cannot be read changes nothing, and where none was ever read, everything is held: what is deleted by
    mistake is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._by_camera: dict[str, list[Hold]] = {}
        self._unknown = False

    def refresh(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            # Nobody published any; or the server's data are gone, and its holds with them.
            self._stamp, self._by_camera, self._unknown = None, {}, False
            return
        except OSError as error:
            self._fail(error)
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=list[Hold])
        except (OSError, msgspec.DecodeError, ValueError) as error:
            self._fail(error)
            return
        self._stamp, self._unknown = stamp, False
        self._by_camera = {}
        for hold in found:
            self._by_camera.setdefault(hold.camera, []).append(hold)

    def covers(self, camera: str, start: float, end: float) -> bool:
        """Whether some of [start, end) of that camera is held."""
        if self._unknown:
            return True
        return any(hold.start < end and hold.end > start for hold in self._by_camera.get(camera, ()))

    def any_of(self, camera: str) -> bool:
        """Whether there may be holds on that camera at all."""
        return self._unknown or camera in self._by_camera

    def _fail(self, error: Exception) -> None:
        if not self._by_camera and self._stamp is None:
            if not self._unknown:
                log.error(
                    "holds.unreadable", path=str(self.path), message=f"{error}; nothing is deleted until it can be"
                )
            self._unknown = True

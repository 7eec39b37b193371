"""The privacy masks as the transcoding process reads them: a file that the server writes whenever they change.

Where it cannot be read nothing is shown: a mask that is forgotten is worse than a picture that is late.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from perishield.model.evidence import Polygon

MASKS = "masks.json"
"""Its name in the folder for what runs."""
Masks = tuple[Polygon, ...]


def write_masks(path: Path, masks: Mapping[str, Masks]) -> None:
    """Replace the file in one step; blocks. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_bytes(msgspec.json.encode(dict(masks)))
    draft.replace(path)


class MasksFile:
    """Read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._masks: dict[str, Masks] = {}

    def of(self, camera: str) -> Masks:
        """The camera's masks as they are now. Raises OSError where they are not known."""
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            try:
                self._masks = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Masks])
            except msgspec.DecodeError as error:
                raise OSError(f"{self._path.name}: cannot be read: {error}") from error
            self._stamp = stamp
        return self._masks.get(camera, ())

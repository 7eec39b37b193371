"""Numbers for claims on cameras: every epoch exceeds all former ones, also when the clock was set back."""

from __future__ import annotations

import os
import time
from pathlib import Path

from perishield.log import Log

log = Log("streams")


class Epochs:
    """Milliseconds since the Unix epoch, kept rising by a file that remembers the last one given out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = self._remembered()

    def next(self) -> int:
        """The number of a new claim."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        temporary = f"{self._path}.tmp"
        try:
            with open(temporary, "w", encoding="ascii") as file:
                file.write(str(self._last))
            os.replace(temporary, self._path)  # noqa: PTH105
        except OSError as error:
            log.warning("epoch.not_kept", path=str(self._path), message=str(error))
        return self._last

    def _remembered(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

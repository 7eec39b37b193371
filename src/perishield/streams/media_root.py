"""The folder that footage is written to, and whether it may be."""

from __future__ import annotations

from pathlib import Path

from perishield.streams.mount import Mount


class MediaRoot:
    """A media folder with its pools, which may lie on different file systems.

    `full`: pools that the free-space guard forbids to write to. `mounts`: what must be mounted for writing to a pool,
    by its name; pools without one are not watched.
    """

    def __init__(self, path: Path, mounts: dict[str, Mount] | None = None) -> None:
        self.path = str(path)
        self.full: set[str] = set()
        self.mounts = mounts or {}

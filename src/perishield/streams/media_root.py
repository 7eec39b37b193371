"""The folder that footage is written to, and whether it may be."""

from __future__ import annotations

from pathlib import Path

from perishield.streams.mount import Mount


class MediaRoot:
    """One media folder, or the pools of it that lie on one file system.

    `full`: the free-space guard forbids writing. `mounts`: what must be mounted for writing to a pool, by its name;
    pools without one are not watched.
    """

    def __init__(self, path: Path, mounts: dict[str, Mount] | None = None) -> None:
        self.path = str(path)
        self.full = False
        self.mounts = mounts or {}

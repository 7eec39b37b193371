"""File systems of their own for disks that fill, stall and vanish. All of it needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perishield.evaluation.faults.stand import FaultError

_TOOLS = ("mount", "umount", "mkfs.ext4", "fsfreeze")


def missing() -> str:
    """Why this machine cannot mount file systems, or empty."""
    if os.geteuid() != 0:
        return "needs root, to mount file systems"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        return f"needs {', '.join(absent)}"
    return "" if Path("/dev/loop-control").exists() else "needs loop devices"


@contextmanager
def small_disk(place: Path, mib: int) -> Iterator[Path]:
    """A disk in memory of that size, mounted at `place`."""
    place.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0750", "tmpfs", str(place))
    try:
        yield place
    finally:
        _run("umount", "-l", str(place))


class Disk:
    """An ext4 file system in a file, which can be frozen, taken away under way, and given back."""

    def __init__(self, image: Path, place: Path, mib: int) -> None:
        self.place = place
        self._image = image
        self._mounted = False
        self._frozen = False
        with image.open("wb") as file:
            file.truncate(mib << 20)
        _run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(image))
        place.mkdir(parents=True)

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.place))
        self._mounted = True

    def vanish(self) -> None:
        """As when a network drive goes: the folder is there, and empty."""
        _run("umount", "-l", str(self.place))
        self._mounted = False

    def freeze(self) -> None:
        """Writers wait, without end and without an error."""
        _run("fsfreeze", "-f", str(self.place))
        self._frozen = True

    def thaw(self) -> None:
        _run("fsfreeze", "-u", str(self.place))
        self._frozen = False

    def close(self) -> None:
        if self._frozen:
            self.thaw()
        if self._mounted:
            self.vanish()


@contextmanager
def disk(folder: Path, mib: int) -> Iterator[Disk]:
    """A mounted `Disk` of that size."""
    made = Disk(folder / "disk.img", folder / "disk", mib)
    try:
        made.mount()
        yield made
    finally:
        made.close()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode:
        raise FaultError(f"`{' '.join(command[:2])}` failed: {done.stderr.decode(errors='replace').strip()[-200:]}")

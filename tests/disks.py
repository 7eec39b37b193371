"""Real file systems that fill, stall, lose their power or vanish. Needs the right to mount."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


def _do(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        message = f"{command[0]}: {done.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"this test needs the right to mount: {message}")
        pytest.skip(f"cannot make a file system here: {message}")


@contextmanager
def memory_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A tmpfs of that size at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)


class Disk:
    """An ext4 file system in a file, mounted at `folder`."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image = image
        self.folder = folder

    def mount(self) -> None:
        _do("mount", "-o", "loop", self.image, self.folder)

    def unmount(self, *, at_once: bool = False) -> None:
        _do("umount", *(["-l"] if at_once else []), self.folder)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Every write waits until the end of the block."""
        subprocess.run(["fsfreeze", "-f", str(self.folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["fsfreeze", "-u", str(self.folder)], check=True)

    def cut_power(self) -> None:
        """What was not on the disk is lost: no cache and no journal is written any more (EXT4_IOC_SHUTDOWN)."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)


@contextmanager
def ext4_disk(image: Path, folder: Path, mib: int) -> Iterator[Disk]:
    """An ext4 file system of that size."""
    folder.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(mib << 20)
    _do("mkfs.ext4", "-q", "-F", image)
    disk = Disk(image, folder)
    disk.mount()
    try:
        yield disk
    finally:
        with suppress(OSError):
            subprocess.run(["umount", "-l", str(folder)], capture_output=True)

"""What was written shall survive a power cut: the file system is synced shortly after every batch.

syncfs(2) from a thread of its own, so that neither writing nor the event loop waits for the platters. It takes file
data, sizes, names and folders in one commit, where fdatasync would take one per camera, leave out new names, and do the
flusher's work on this process's account. ext4 and XFS make a file's data durable with its size.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from perishield.log import Log

log = Log("streams")


class Durability:
    """Syncs the file system of `folder` after `wrote` was called, at most every `every_s` seconds.

    `synced` is shared by those who may lie on one file system: device number to the moment of its last sync's start.
    """

    def __init__(self, folder: str, every_s: float, synced: dict[int, float] | None = None) -> None:
        self.folder = folder
        self.longest_s = 0.0
        """How long the slowest sync took."""
        self._every_s = every_s
        self._synced = {} if synced is None else synced
        self._dirty = threading.Event()
        self._since = 0.0
        self._last = 0.0
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._stopping = False

    @property
    def late_s(self) -> float:
        """For how long something written has waited to be made durable; 0 where nothing waits."""
        since = self._since
        return time.monotonic() - since if since else 0.0

    def wrote(self) -> None:
        """Something was written. Called by the writing thread."""
        self._last = now = time.monotonic()
        if not self._dirty.is_set():
            if not self._since:
                self._since = now
            self._dirty.set()
            if self._thread.ident is None:
                self._thread.start()

    def close(self) -> None:
        """End the thread after a last sync. One that hangs in the disk ends with the process."""
        self._stopping = True
        self._dirty.set()

    def _run(self) -> None:
        sync = _syncfs()
        while True:
            self._dirty.wait()
            self._dirty.clear()
            began = time.monotonic()
            try:
                self._sync(sync, began)
                self._failed = False
            except OSError as error:
                if not self._failed:
                    self._failed = True
                    log.error("storage.sync_failed", folder=self.folder, message=str(error))
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            self._since = time.monotonic() if self._dirty.is_set() else 0.0
            if self._stopping:
                return
            time.sleep(max(0.0, began + self._every_s - time.monotonic()))

    def _sync(self, sync: Callable[[int], None], began: float) -> None:
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            device = os.fstat(fd).st_dev
            # Another pool on the same disk may have done it meanwhile.
            if self._synced.get(device, 0.0) <= self._last:
                self._synced[device] = began
                sync(fd)
        finally:
            os.close(fd)


def _syncfs() -> Callable[[int], None]:
    # Imported here: the process is to start quickly, and this is its only use of foreign functions.
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return lambda fd: os.sync()

    def call(fd: int) -> None:
        if function(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return call

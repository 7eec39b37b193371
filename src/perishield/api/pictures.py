"""Pictures out of recordings, made when somebody asks: bounded in work, in waiting, and on disk."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from perishield.api.playback import Playback
from perishield.api.problems import ProblemError
from perishield.log import Log
from perishield.model.site import CAMERA_ID
from perishield.recording.sprites import SHEET_S, sheet, sheet_start
from perishield.recording.thumbnails import Thumbnail, thumbnail
from perishield.vision.still import StillDecoder

log = Log("pictures")

T = TypeVar("T")

_MOST_WAITING = 32
_MOST_KEPT = 256
_SETTLED_S = 20.0
_FLEETING_S = 10.0
"""A sheet whose ten minutes are not over yet is made anew after this long."""
_SEEK_S = 0.001


class Pictures:
    """Thumbnails and sprites by one worker thread. `folder`: where sheets are kept, up to `most_bytes`.

    While `pressure` is 1 or more, nothing is made: the recorder needs the disk.
    """

    def __init__(self, playback: Playback, folder: Path, *, most_bytes: int, hardware: str = "") -> None:
        self.pressure = 0
        self._playback = playback
        self._folder = folder
        self._most_bytes = most_bytes
        self._worker = ThreadPoolExecutor(1, "pictures")
        self._decoder = StillDecoder(hardware)
        self._waiting = 0
        self._thumbnails: OrderedDict[tuple[str, float, int, bool], Thumbnail] = OrderedDict()
        self._fleeting: dict[tuple[str, int], tuple[float, bytes]] = {}
        self._making: dict[tuple[str, int], asyncio.Task[bytes]] = {}
        self._bytes = -1

    async def thumbnail(self, camera: str, moment: float, width: int, *, exact: bool) -> Thumbnail:
        """Raises StorageError (`missing`, `corrupt`); ProblemError (503) while there is too much to do."""
        key = (camera, moment, width, exact)
        if key in self._thumbnails:
            self._thumbnails.move_to_end(key)
            return self._thumbnails[key]
        rows = await self._playback.rows(camera, moment, moment + _SEEK_S, keyframes=True)
        make = partial(thumbnail, self._playback.footage, self._decoder, camera, rows, moment, width=width, exact=exact)
        made = await self._work(make)
        if all(row.complete for row in rows):
            self._thumbnails[key] = made
            if len(self._thumbnails) > _MOST_KEPT:
                self._thumbnails.popitem(last=False)
        return made

    async def sprite(self, camera: str, start: int) -> bytes:
        """The sheet that begins at `start`. Errors as above."""
        path = self._path(camera, start)
        kept = await asyncio.to_thread(_read, path)
        if kept:
            return kept
        key = (camera, start)
        now = time.time()
        self._fleeting = {key: made for key, made in self._fleeting.items() if now - made[0] < _FLEETING_S}
        if key in self._fleeting:
            return self._fleeting[key][1]
        if key not in self._making:
            # Whoever asks for the same sheet meanwhile waits for the same work, also when the first asker leaves.
            task = self._making[key] = asyncio.create_task(self._make(camera, start, path))
            task.add_done_callback(lambda done: (self._making.pop(key, None), done.cancelled() or done.exception()))
        return await asyncio.shield(self._making[key])

    async def close(self) -> None:
        for task in self._making.values():
            task.cancel()
        await asyncio.to_thread(self._worker.shutdown, wait=True, cancel_futures=True)

    async def _make(self, camera: str, start: int, path: Path) -> bytes:
        rows = await self._playback.rows(camera, start, start + SHEET_S, keyframes=True)
        made = await self._work(partial(sheet, self._playback.footage, self._decoder, camera, rows, start))
        if start + SHEET_S < time.time() - _SETTLED_S:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._keep, path, made)
        else:
            self._fleeting[camera, start] = time.time(), made
        return made

    async def _work(self, make: Callable[[], T]) -> T:
        if self.pressure >= 1:
            raise _later("the recorder needs the disk; pictures are made again when it has caught up", "pressure")
        if self._waiting >= _MOST_WAITING:
            raise _later("too many pictures are asked for at once", "busy")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, make)
        finally:
            self._waiting -= 1

    def _path(self, camera: str, start: int) -> Path:
        return self._folder / camera / f"{start}.jpg"

    def _keep(self, path: Path, data: bytes) -> None:
        """Write a sheet; the oldest give way. What cannot be written is made again when it is asked for again."""
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(data)
            temporary.replace(path)
            self._bytes = self._bytes + len(data) if self._bytes >= 0 else _total(self._folder)
            if self._bytes > self._most_bytes:
                self._bytes = _prune(self._folder, self._most_bytes * 9 // 10)
        except OSError as error:
            log.warning("pictures.not_kept", message=str(error))

    def forget(self, camera: str, second: int) -> None:
        """Footage of that Unix second was deleted: no picture may outlive it."""
        gone = sheet_start(second)
        self._fleeting.pop((camera, gone), None)
        self._thumbnails = OrderedDict((key, kept) for key, kept in self._thumbnails.items() if key[0] != camera)
        if CAMERA_ID.fullmatch(camera):
            self._worker.submit(self._path(camera, gone).unlink, missing_ok=True)


def _later(message: str, code: str) -> ProblemError:
    return ProblemError(503, message, code=code, headers={"retry-after": "5"})


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _sheets(folder: Path) -> list[os.DirEntry[str]]:
    found = []
    with os.scandir(folder) as cameras:
        for camera in cameras:
            if camera.is_dir(follow_symlinks=False):
                with os.scandir(camera.path) as entries:
                    found += list(entries)
    return found


def _total(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in _sheets(folder))


def _prune(folder: Path, most_bytes: int) -> int:
    """Delete the sheets made first until the rest takes no more than that; returns what it takes."""
    sheets = sorted(_sheets(folder), key=lambda entry: entry.stat().st_mtime)
    total = sum(entry.stat().st_size for entry in sheets)
    for entry in sheets:
        if total <= most_bytes:
            break
        size = entry.stat().st_size
        Path(entry.path).unlink(missing_ok=True)
        total -= size
    return total

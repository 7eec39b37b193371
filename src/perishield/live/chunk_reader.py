"""Chunks out of segment files, for one viewer. What was just written is in the page cache and read without a thread."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

from perishield.model.media import ChunkRef
from perishield.streams.fmp4 import rewrite_decode_time

_NOT_NOW = {errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


class ChunkReader:
    """Keeps the file of the last chunk open, so that its deletion does not hurt who is reading it."""

    def __init__(self, media: Path) -> None:
        self._media = media
        self._path = ""
        self._fd = -1

    async def init_segment(self, ref: ChunkRef) -> bytes:
        """The init segment of the chunk's file. Raises OSError when the file is gone."""
        await self._turn_to(ref.path)
        return bytes(await self._read(0, ref.init_length))

    async def chunk(self, ref: ChunkRef) -> bytes:
        """moof+mdat with its decode time counted from the start of the epoch. Raises OSError."""
        await self._turn_to(ref.path)
        data = await self._read(ref.offset, ref.length)
        rewrite_decode_time(data, ref.stream_time)
        return bytes(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._path = ""

    async def _turn_to(self, path: str) -> None:
        if path != self._path:
            self.close()
            self._fd = await asyncio.to_thread(os.open, self._media / path, os.O_RDONLY | os.O_CLOEXEC)
            self._path = path

    async def _read(self, offset: int, length: int) -> bytearray:
        data = bytearray(length)
        try:
            done = os.preadv(self._fd, [data], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise
            done = 0
        if done < length:
            done += await asyncio.to_thread(os.preadv, self._fd, [memoryview(data)[done:]], offset + done)
        if done < length:
            raise OSError(errno.ENODATA, "the chunk is shorter than its reference says", self._path)
        return data

"""A line that breaks all the time: a TCP proxy that cuts every connection after a moment."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 65_536


class FlappingLink:
    """Forwards to `port` on this host. `cuts` counts connections that were cut; `calm` lets new ones live."""

    def __init__(self, port: int, shortest_s: float, longest_s: float, seed: int = 5) -> None:
        self.cuts = 0
        self.calm = False
        self.port = 0
        self._target = port
        self._life_s = (shortest_s, longest_s)
        self._random = random.Random(seed)

    @contextmanager
    def running(self) -> Iterator[FlappingLink]:
        """Listen on a free loopback port, in a thread of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), loop).result(10)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        life = None if self.calm else self._random.uniform(*self._life_s)
        ways = [asyncio.create_task(_pump(reader, behind[1])), asyncio.create_task(_pump(behind[0], writer))]
        done, _ = await asyncio.wait(ways, timeout=life, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self.cuts += 1
            # As when a cable is pulled and the other end resets what it no longer knows.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for side in (writer, behind[1]):
            side.transport.abort() if not done else side.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()


async def _close(server: asyncio.Server) -> None:
    server.close()
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()

"""The restream server's door: listens, counts its guests, and turns away those who are too many."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from perishield.live.line import Lines
from perishield.live.rtsp.entry import Find
from perishield.live.rtsp.guest import LARGEST_REQUEST, Guest
from perishield.log import Log
from perishield.model.errors import PortTakenError

log = Log("restream")


class RestreamServer:
    """`find` looks up a credential, `known` says whether there is such a camera, `most` bounds the connections."""

    def __init__(self, lines: Lines, find: Find, known: Callable[[str], bool], *, most: int = 64) -> None:
        self._lines = lines
        self._find = find
        self._known = known
        self._most = most
        self._guests: dict[asyncio.Task[None], Guest] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on, once started; 0 before."""
        found: int = self._server.sockets[0].getsockname()[1] if self._server and self._server.sockets else 0
        return found

    @property
    def guests(self) -> int:
        return len(self._guests)

    async def start(self, host: str, port: int) -> None:
        """Raises PortTakenError."""
        try:
            self._server = await asyncio.start_server(self._welcome, host, port, limit=LARGEST_REQUEST, backlog=128)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise PortTakenError(
                f"{host}:{port}: {reason}; end what uses it or set another port by [live] rtsp_port (0: none)",
                port=port,
            ) from error
        log.info("restream.listening", port=self.port)

    def drop(self, camera: str) -> None:
        """End the sessions of a camera that is no more, or whose viewers may no longer see it."""
        for task, guest in self._guests.items():
            if guest.camera == camera:
                task.cancel()

    async def sweep(self) -> None:
        """End the sessions whose credential has been revoked or has expired since. Raises ConfigError."""
        for task, guest in tuple(self._guests.items()):
            if guest.camera and not await asyncio.to_thread(guest.entry.still_admits, guest.camera):
                log.info("restream.revoked", camera=guest.camera)
                task.cancel()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._guests):
            task.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._guests) >= self._most:
            log.warning("restream.full", most=self._most)
            writer.write(b"RTSP/1.0 503 Service Unavailable\r\nRetry-After: 30\r\n\r\n")
            writer.close()
            return
        guest = self._guests[task] = Guest(reader, writer, self._lines, self._find, self._known)
        try:
            await guest.serve()
        except asyncio.CancelledError:
            # Only we end a guest like this; passed on, asyncio's streams would log it as a failure.
            log.debug("restream.dropped", camera=guest.camera)
        finally:
            self._guests.pop(task, None)

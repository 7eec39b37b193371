"""A TCP proxy that breaks HTTP on purpose: it stands before a real store and refuses, stalls, cuts or delays.

It changes no byte of what it lets through, so that signed requests stay valid. The mode may change at any moment and
holds for connections that are open, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum

_PIECE = 64 * 1024
_MOST_HEAD = 64 * 1024
_BUSY_BODY = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"
)
_BUSY = (
    b"HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_BUSY_BODY), _BUSY_BODY)
)


class Fault(StrEnum):
    PASS = "pass"  # noqa: S105
    BUSY = "503"
    """Every request is answered 503, whatever it asks; the store never hears of it."""
    STALL = "stall"
    """Bytes are taken and go nowhere; nothing is answered."""
    DROP = "drop"
    """The connection is reset once `drop_after` bytes came from the client on it."""
    LATENCY = "latency"
    """Every piece waits `latency_s`, either way."""


class FaultyProxy:
    """Listens on a free loopback port and forwards to `host:port`. Counts what came: connections, refusals, bytes."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self.mode = Fault.PASS
        self.drop_after = 0
        self.latency_s = 0.0
        self.connections = 0
        self.refused = 0
        self.dropped = 0
        self.stalled = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        """At work in a thread with its own event loop, for callers that block."""
        serving, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            async with self.serving():
                serving.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="faulty-proxy", daemon=True)
        thread.start()
        if not serving.wait(10):
            raise TimeoutError("the proxy does not come up")
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultyProxy]:
        """At work on the running loop."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=_MOST_HEAD)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # An aborted transport closes its socket a turn of the loop later.
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            # Cancelled only at the end, and asyncio's streams complain about a handler that is.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(_PIECE)
        if not first:
            return
        if self.mode is Fault.BUSY:
            await self._refuse(first, reader, writer)
            return
        upstream, store = await asyncio.open_connection(*self._upstream)
        back = asyncio.create_task(self._answers(upstream, writer))
        forth = asyncio.create_task(self._requests(first, reader, store))
        try:
            await asyncio.wait({back, forth}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (back, forth):
                task.cancel()
            await asyncio.gather(back, forth, return_exceptions=True)
            store.transport.abort()

    async def _requests(self, first: bytes, reader: asyncio.StreamReader, store: asyncio.StreamWriter) -> None:
        taken, piece = 0, first
        while piece:
            taken += len(piece)
            self.bytes_up += len(piece)
            if self.mode is Fault.BUSY:
                # A kept-alive connection: the next request finds it closed and comes by a new one.
                return
            if self.mode is Fault.DROP and taken > self.drop_after:
                self.dropped += 1
                return
            if self.mode is Fault.STALL:
                self.stalled += 1
                await self._swallow(reader)
                return
            if self.mode is Fault.LATENCY:
                await asyncio.sleep(self.latency_s)
            store.write(piece)
            await store.drain()
            piece = await reader.read(_PIECE)

    async def _answers(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await upstream.read(_PIECE):
            while self.mode is Fault.STALL:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            if self.mode is Fault.LATENCY:
                await asyncio.sleep(self.latency_s)
            self.bytes_down += len(piece)
            writer.write(piece)
            await writer.drain()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        """Take bytes until the client gives up, or until the fault is over: then the connection is cut."""
        while self.mode is Fault.STALL:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    if not await reader.read(_PIECE):
                        return

    async def _refuse(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the whole request before answering, or a client that is still sending sees a reset and no 503."""
        head = first
        while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD:
            more = await reader.read(_PIECE)
            if not more:
                return
            head += more
        fields, _, body = head.partition(b"\r\n\r\n")
        left = _content_length(fields) - len(body)
        while left > 0 and (piece := await reader.read(min(left, _PIECE))):
            left -= len(piece)
        self.refused += 1
        writer.write(_BUSY)
        await writer.drain()
        writer.write_eof()
        await reader.read(_PIECE)


def _content_length(fields: bytes) -> int:
    for line in fields.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0

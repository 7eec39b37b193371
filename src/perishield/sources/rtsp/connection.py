"""One TCP connection to an RTSP server: requests matched with answers, packets handed on as they are read."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import cast

from perishield.model.errors import PeriShieldError, SourceError
from perishield.sources.rtsp.auth import Credentials
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.framing import Framer, Message
from perishield.sources.rtsp.observer import NOBODY, Observer
from perishield.sources.rtsp.rtp import RtpTrack

USER_AGENT = "PyPeriShield"
_BUFFER_SIZE = 262_144
_buffers = threading.local()


def _shared_buffer() -> memoryview:
    """One buffer for every connection of a thread's event loop: what is read is cut up before the next read."""
    view: memoryview | None = getattr(_buffers, "view", None)
    if view is None:
        view = _buffers.view = memoryview(bytearray(_BUFFER_SIZE))
    return view


class Connection(asyncio.BufferedProtocol):
    """`closed` is done when the connection has ended: with the error that ended it, or with None when the server
    closed it.
    """

    def __init__(self, credentials: Credentials, delivery: Delivery, observer: Observer = NOBODY) -> None:
        self.framer = Framer(self._message)
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        self.session = ""
        self._latest_session = ""
        self._credentials = credentials
        self._delivery = delivery
        self._observer = observer
        self._track: RtpTrack | None = None
        self._transport: asyncio.Transport | None = None
        self._view = _shared_buffer()
        self._number = 0
        self._pending: dict[int, asyncio.Future[Message]] = {}
        self._failure: BaseException | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise SourceError("not connected", code="gone")
        return self._transport

    @property
    def scheme(self) -> str:
        """The authentication in use, or empty."""
        return self._credentials.scheme

    def attach(self, track: RtpTrack) -> None:
        """Bound this track's memory after every read."""
        self._track = track

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        delivery = self._delivery
        delivery.arrival = time.time()
        delivery.monotonic = time.monotonic()
        try:
            self.framer.feed(self._view[:nbytes])
        except PeriShieldError as error:
            self.fail(error)
            return
        if self._track is not None:
            self._track.bound()
            delivery.rest()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        failure = self._failure or exc
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(failure or SourceError("the server closed the connection", code="gone"))
                answer.exception()
        self._pending.clear()
        if not self.closed.done():
            if failure is None:
                self.closed.set_result(None)
            else:
                self.closed.set_exception(failure)
                self.closed.exception()

    def fail(self, error: BaseException) -> None:
        """End the connection because of `error`."""
        if self._failure is None:
            self._failure = error
        self.transport.abort()

    def send(self, method: str, url: str, headers: dict[str, str] | None = None) -> asyncio.Future[Message]:
        """Write a request; the future is its answer, whatever its status."""
        self._number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._number}", f"User-Agent: {USER_AGENT}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        authorization = self._credentials.authorization(method, url)
        if authorization is not None:
            lines.append(f"Authorization: {authorization}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._pending[self._number] = answer
        if self.closed.done() or self._transport is None:
            answer.set_exception(self._failure or SourceError("the server closed the connection", code="gone"))
        else:
            self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return answer

    async def request(self, method: str, url: str, headers: dict[str, str] | None = None) -> Message:
        """Send, answering challenges; a final 401 is returned like any other answer."""
        while True:
            message = await self.send(method, url, headers)
            if message.status == 401:
                self._observer.challenged(message)
            if message.status != 401 or not self.renew(message):
                if message.status < 400:
                    self._credentials.accepted()
                return message

    def renew(self, message: Message) -> bool:
        """Take up the challenge of a 401 that nobody waited for; False when there is nothing left to try."""
        return self._credentials.challenge(message.headers.get("www-authenticate", []))

    def adopt_session(self) -> bool:
        """Some servers change the session's id on their way and know only the newest; False where there is no other."""
        if self._latest_session in ("", self.session):
            return False
        self.session = self._latest_session
        return True

    def write_packet(self, channel: int, packet: bytes) -> None:
        """An interleaved packet to the server."""
        if not self.transport.is_closing():
            self.transport.write(b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet)

    def _message(self, message: Message) -> None:
        number = (message.header("cseq") or "").strip()
        if message.method:
            self.transport.write(f"RTSP/1.0 200 OK\r\nCSeq: {number or 0}\r\n\r\n".encode())
            return
        key = int(number) if number.isdecimal() and len(number) < 10 else -1
        if key not in self._pending:
            if number or not self._pending:
                return
            key = min(self._pending)
        answer = self._pending.pop(key)
        named = (message.header("session") or "").split(";", 1)[0].strip()
        if named:
            self._latest_session = named
        if not answer.done():
            answer.set_result(message)

"""Keeping a session alive (RFC 2326 section 12.37) by what the server understands, which is remembered per server.

Most cameras take OPTIONS, some want GET_PARAMETER, some refuse it, some swallow it, and some end the connection on it.
Nobody waits for an answer: a server that does not answer but sends packets is alive.
"""

from __future__ import annotations

import asyncio
import re

from perishield.log import Log
from perishield.sources.rtsp.connection import Connection
from perishield.sources.rtsp.framing import Message

log = Log("rtsp")

_TIMEOUT = re.compile(r"timeout\s*=\s*\"?\s*(\d{1,9})", re.IGNORECASE)
_DEFAULT_TIMEOUT_S = 60.0
_MOST_S = 25.0
_REFUSED = (400, 404, 405, 451, 501, 551)
_OTHER = {"OPTIONS": "GET_PARAMETER", "GET_PARAMETER": "OPTIONS"}
_MOST_REMEMBERED = 4_096
_SOON_S = 2.0
_known: dict[str, str] = {}
"""Method that works, by `host:port`; in the order in which they were learned."""


class KeepAlive:
    """For one session. `server` is its `host:port`."""

    __slots__ = ("_answer", "_asked", "_last", "_server", "_url", "every_s", "method")

    def __init__(self, server: str, url: str, public: frozenset[str]) -> None:
        self.every_s = _MOST_S
        self.method = _known.get(server) or ("GET_PARAMETER" if "GET_PARAMETER" in public else "OPTIONS")
        self._server = server
        self._url = url
        self._answer: asyncio.Future[Message] | None = None
        self._asked = 0.0
        self._last = 0.0

    def session(self, header: str) -> None:
        """Take over the timeout of a Session header; none, 0 and nonsense mean 60 s."""
        found = _TIMEOUT.search(header)
        lasts = float(found[1]) if found is not None else 0.0
        self.every_s = min((lasts or _DEFAULT_TIMEOUT_S) / 2, _MOST_S)

    def tick(self, now: float, wire: Connection) -> None:
        """Send when it is time; `now` is monotonic seconds."""
        if self._last == 0.0:
            self._last = now
        if now - self._last < self.every_s:
            return
        self._last = now
        if self._answer is not None and not self._answer.done():
            self._switch("silence")
        self._send(now, wire)

    def ended(self, now: float) -> None:
        """The server broke off: if our request had just gone out, that was why."""
        answer = self._answer
        if answer is not None and now - self._asked < _SOON_S and _unanswered(answer):
            self._switch("end")

    def _send(self, now: float, wire: Connection) -> None:
        self._asked = now
        self._answer = wire.send(self.method, self._url)
        self._answer.add_done_callback(lambda answer: self._answered(answer, wire))

    def _answered(self, answer: asyncio.Future[Message], wire: Connection) -> None:
        if answer.cancelled() or answer.exception() is not None:
            return
        message = answer.result()
        status = message.status
        if (status == 401 and wire.renew(message)) or (status == 454 and wire.adopt_session()):
            wire.send(self.method, self._url).add_done_callback(forget)
        elif status in _REFUSED:
            self._switch(str(status))
            wire.send(self.method, self._url).add_done_callback(forget)

    def _switch(self, reason: str) -> None:
        self.method = _OTHER[self.method]
        log.info("rtsp.keep_alive", server=self._server, reason=reason, method=self.method)
        _known.pop(self._server, None)
        _known[self._server] = self.method
        while len(_known) > _MOST_REMEMBERED:
            del _known[next(iter(_known))]


def _unanswered(answer: asyncio.Future[Message]) -> bool:
    return not answer.done() or (not answer.cancelled() and answer.exception() is not None)


def forget(answer: asyncio.Future[Message]) -> None:
    """Nobody waits for this one."""
    if not answer.cancelled():
        answer.exception()

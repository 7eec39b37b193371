"""One client's connection to the simulator: answers its requests, sends it frames."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote

from perishield.sources.rtsp.framing import Message, parse_head
from perishield.sources.simulator.faults import Faults, PacketMangler
from perishield.sources.simulator.gatekeeper import Gatekeeper
from perishield.sources.simulator.timeline import Timeline

_NAME = re.compile(r"rtsp://[^/]*/([^/?]+)", re.IGNORECASE)
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})")
_REPORT_PAUSES = (0.4, 0.6)
_REPORT_EVERY_S = 5.0
_MOST_WAITING = 4 << 20
_LONGEST_REQUEST = 65_536
_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    453: "Not Enough Bandwidth",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}


class SimulatorClient(asyncio.Protocol):
    """A frame goes out whole or, while the client does not read, not at all: then it sees a gap."""

    def __init__(
        self,
        timelines: dict[str, Timeline],
        faults: Callable[[], Faults],
        gatekeeper: Callable[[], Gatekeeper],
        register: Callable[[SimulatorClient, bool], None],
    ) -> None:
        self.requests: list[str] = []
        self._timelines = timelines
        self._faults = faults()
        self._gatekeeper = gatekeeper()
        self._register = register
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._timeline: Timeline | None = None
        self._channels = (0, 1)
        self._session = secrets.token_hex(4)
        self._mangler: PacketMangler | None = None
        self._playing = False
        self._started = False
        self._congested = False
        self._timers: list[asyncio.TimerHandle] = []
        self._last_request = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MOST_WAITING)
        self._register(self, True)
        if self._faults.enforce_timeout:
            self._later(0.2, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._register(self, False)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False

    def close(self) -> None:
        """Break off."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    def frame(self, data: bytes, frames: tuple[int, ...], *, key: bool) -> None:
        if self._transport is None or self._congested:
            return
        if not self._started:
            if not key:
                return
            self._started = True
        if self._mangler is not None:
            data = self._mangler.mangle(data, frames)
            if self._mangler.ended:
                self._transport.write(data)
                self._stop()
                self._transport.close()
                return
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while buffer:
            if buffer[0] == 0x24:
                if len(buffer) < 4 or len(buffer) < (size := 4 + int.from_bytes(buffer[2:4], "big")):
                    return
                del buffer[:size]
                continue
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > _LONGEST_REQUEST:
                    self.close()
                return
            head = bytes(buffer[:end])
            del buffer[: end + 4]
            if not head.startswith(b"RTSP/"):
                self._answer(head)

    def _answer(self, head: bytes) -> None:
        request = parse_head(head)
        self._last_request = time.monotonic()
        words = head.split(b"\r\n", 1)[0].decode("utf-8", "replace").split()
        if len(words) != 3:
            self._respond(request, 400)
            return
        method, url = words[0], words[1]
        self.requests.append(method)
        if method not in ("OPTIONS", "TEARDOWN") and not self._admitted(request, method, url):
            self._respond(request, 401, *(f"WWW-Authenticate: {text}" for text in self._gatekeeper.challenges()))
            return
        handler = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "GET_PARAMETER": self._keep_alive,
            "TEARDOWN": self._teardown,
        }.get(method)
        if handler is None:
            self._respond(request, 405)
        else:
            handler(request, url)

    def _admitted(self, request: Message, method: str, url: str) -> bool:
        if self._faults.always_401:
            return False
        return self._gatekeeper.admits(request.header("authorization") or "", method, url)

    def _options(self, request: Message, url: str) -> None:
        self._respond(request, 200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")

    def _keep_alive(self, request: Message, url: str) -> None:
        self._respond(request, 405 if self._faults.no_get_parameter else 200)

    def _describe(self, request: Message, url: str) -> None:
        match = _NAME.match(url)
        timeline = self._timelines.get(unquote(match[1])) if match else None
        faults = self._faults
        if faults.redirect_to:
            self._respond(request, 302, f"Location: {faults.redirect_to}")
        elif timeline is None:
            self._respond(request, 404)
        else:
            self._timeline = timeline
            text = faults.sdp
            if text is None:
                text = timeline.clip.description(with_parameter_sets=not faults.no_parameter_sets)
            headers = ["Content-Type: application/sdp"]
            base = f"{url.rstrip('/')}/" if faults.content_base is None else faults.content_base
            if base:
                headers.insert(0, f"Content-Base: {base}")
            self._respond(request, 200, *headers, body=text.encode())

    def _setup(self, request: Message, url: str) -> None:
        transport = request.header("transport") or ""
        asked = _INTERLEAVED.search(transport)
        if self._timeline is None or not url.endswith("trackID=0"):
            self._respond(request, 404)
        elif self._faults.busy:
            self._respond(request, 453)
        elif "RTP/AVP/TCP" not in transport or asked is None:
            self._respond(request, 461)
        else:
            self._channels = self._faults.channels or (int(asked[1]), int(asked[2]))
            pair = str(self._channels[0]) if self._faults.single_channel else "{}-{}".format(*self._channels)
            seconds = self._faults.session_timeout_s
            self._respond(
                request,
                200,
                f"Transport: RTP/AVP/TCP;unicast;interleaved={pair};ssrc={self._timeline.clip.source:08X}",
                f"Session: {self._session}" + (f";timeout={seconds}" if seconds else ""),
            )

    def _play(self, request: Message, url: str) -> None:
        if self._timeline is None or (request.header("session") or "") != self._session:
            self._respond(request, 455)
            return
        if self._faults.touches_packets:
            self._mangler = PacketMangler(self._faults, self._channels[0])
        early = self._faults.data_before_play_answer
        if early:
            self._report(list(_REPORT_PAUSES))
        self._respond(request, 200, f"Session: {self._session}", "Range: npt=0.000-")
        if self._faults.server_options and self._transport is not None:
            self._transport.write(f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        if not self._playing:
            self._playing = True
            self._timeline.join(self)
            if not early:
                self._report(list(_REPORT_PAUSES))
            if self._faults.close_after_s:
                self._later(self._faults.close_after_s, self.close)

    def _teardown(self, request: Message, url: str) -> None:
        self._stop()
        self._respond(request, 200)
        if self._transport is not None:
            self._transport.close()

    def _respond(self, request: Message, status: int, *headers: str, body: bytes = b"") -> None:
        lines = [f"CSeq: {request.header('cseq') or 0}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if self._faults.lower_case_headers:
            lines = [f"{name.lower()}:{value}" for name, _, value in (line.partition(":") for line in lines)]
        head = "\r\n".join((f"RTSP/1.0 {status} {_REASONS[status]}", *lines)) + "\r\n\r\n"
        if self._transport is not None:
            self._transport.write(head.encode() + body)

    def _report(self, pauses: list[float]) -> None:
        if self._timeline is None or self._transport is None or self._faults.no_sender_reports:
            return
        packet = self._timeline.report()
        head = b"$" + bytes((self._channels[1],)) + len(packet).to_bytes(2, "big")
        silent = self._faults.silent_after_packets and self._started
        if not silent and not self._congested:
            self._transport.write(head + packet)
        self._later(pauses.pop(0) if pauses else _REPORT_EVERY_S, self._report, pauses)

    def _expire(self) -> None:
        if time.monotonic() - self._last_request > self._faults.session_timeout_s:
            self.close()
        else:
            self._later(0.2, self._expire)

    def _later(self, delay: float, call: Callable[..., None], *arguments: object) -> None:
        now = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now.time()]
        self._timers.append(now.call_later(delay, call, *arguments))

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._timeline is not None:
            self._timeline.leave(self)

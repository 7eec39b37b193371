"""One connection to the restream server: its requests, its session, and the pictures it is sent."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from perishield.live.line import Lines, Seat
from perishield.live.piece import Piece
from perishield.live.rtsp.datagrams import DatagramPair, open_pair
from perishield.live.rtsp.entry import Entry, Find
from perishield.live.rtsp.sdp import SOUND_CONTROL, VIDEO_CONTROL, describe_session
from perishield.log import Log
from perishield.model.errors import ConfigError, SourceError
from perishield.model.site import CAMERA_ID
from perishield.sources.rtsp.framing import Message, parse_head

log = Log("restream")

LARGEST_REQUEST = 16_384
_LARGEST_BODY = 4_096
_PATIENCE_S = 15.0
"""For a request's rest, for a stranger's next request, and for a viewer that does not read."""
_TIMEOUT_S = 60
_REPORT_EVERY_S = 5.0
_FIRST_REPORTS = 3
"""Come closer together: a client may trust our clock only after some."""
_MOST_REFUSALS = 6
_WRITE_BUFFER = 1 << 20
_TRACKS = {VIDEO_CONTROL: False, SOUND_CONTROL: True}
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})")
_CLIENT_PORT = re.compile(r"client_port=(\d{1,5})(?:-(\d{1,5}))?")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    413: "Request Entity Too Large",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


@dataclass(slots=True)
class _Session:
    """What a client has set up. Keys of the tables: whether the track is the sound."""

    camera: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    channels: dict[bool, tuple[int, int]] = field(default_factory=dict)
    datagrams: dict[bool, DatagramPair] = field(default_factory=dict)


class Guest:
    """`known`: whether there is such a camera. Ends by itself; `serve` never raises but for cancellation."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lines: Lines,
        find: Find,
        known: Callable[[str], bool],
    ) -> None:
        self.camera = ""
        self._reader = reader
        self._writer = writer
        self._lines = lines
        self.entry = Entry(find)
        self._known = known
        self._session: _Session | None = None
        self._sending: asyncio.Task[None] | None = None
        self._last_request = time.monotonic()
        peer = writer.get_extra_info("peername") or ("", 0)
        own = writer.get_extra_info("sockname") or ("127.0.0.1", 0)
        self._peer, self._own = str(peer[0]), str(own[0])

    async def serve(self) -> None:
        link = self._writer.get_extra_info("socket")
        if link is not None and link.family in (socket.AF_INET, socket.AF_INET6):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        try:
            while await self._request():
                pass
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, SourceError) as error:
            log.debug("restream.gone", peer=self._peer, message=str(error))
        finally:
            if self._sending is not None:
                self._sending.cancel()
                await asyncio.gather(self._sending, return_exceptions=True)
            self._leave()
            self._writer.close()
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), 1)

    async def _request(self) -> bool:
        """Hear one request, or one of the packets that a player may send back; False where the connection is to end."""
        first = await self._first_byte()
        if first == b"$":
            async with asyncio.timeout(_PATIENCE_S):
                head = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(head[1:], "big"))
            return True
        if first in b"\r\n":
            return True
        async with asyncio.timeout(_PATIENCE_S):
            head = first + await self._reader.readuntil(b"\r\n\r\n")
            self._last_request = time.monotonic()
            message = parse_head(head[:-4])
            length = message.header("content-length") or "0"
            if not (length.isascii() and length.isdecimal() and len(length) < 6 and int(length) <= _LARGEST_BODY):
                self._respond(message, 413)
                return False
            await self._reader.readexactly(int(length))
        words = head.split(b"\r\n", 1)[0].decode("utf-8", "replace").split()
        if len(words) != 3 or not words[2].startswith("RTSP/1."):
            self._respond(message, 400)
            return False
        going_on = await self._answer(message, words[0], words[1])
        async with asyncio.timeout(_PATIENCE_S):
            await self._writer.drain()
        return going_on

    async def _first_byte(self) -> bytes:
        """Waits as long as the viewer is sent pictures over TCP, which tells when it is gone."""
        while True:
            session, sending = self._session, self._sending
            if sending is not None and sending.done():
                raise EOFError("the stream has ended")
            waits = asyncio.ensure_future(self._reader.readexactly(1))
            others = {sending} if sending is not None else set()
            try:
                await asyncio.wait({waits, *others}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
                if waits.done():
                    return waits.result()
            finally:
                if not waits.done():
                    waits.cancel()
                    await asyncio.gather(waits, return_exceptions=True)
            if sending is None:
                raise TimeoutError("no request came")
            if session is not None and session.datagrams:
                alive = max(self._last_request, *(pair.heard for pair in session.datagrams.values()))
                if time.monotonic() - alive > _TIMEOUT_S + _PATIENCE_S:
                    raise TimeoutError("no sign of life came")

    async def _answer(self, request: Message, method: str, url: str) -> bool:
        if method == "OPTIONS":
            self._respond(request, 200, f"Public: {_METHODS}")
            return True
        camera, control = _parts(url)
        if not camera:
            self._respond(request, 404)
            return True
        try:
            admitted = await asyncio.to_thread(
                self.entry.admits, request.header("authorization") or "", method, url, camera
            )
        except ConfigError as error:
            log.error("restream.credentials", message=str(error))
            admitted = False
        if not admitted:
            self._respond(request, 401, *(f"WWW-Authenticate: {text}" for text in self.entry.challenges()))
            return self.entry.refused < _MOST_REFUSALS
        if method == "DESCRIBE":
            await self._describe(request, url, camera)
        elif method == "SETUP":
            await self._setup(request, camera, control)
        elif method in ("PLAY", "GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"):
            return self._in_session(request, method)
        else:
            self._respond(request, 501, f"Public: {_METHODS}")
        return True

    async def _describe(self, request: Message, url: str, camera: str) -> None:
        if not self._known(camera):
            self._respond(request, 404)
            return
        try:
            description = await self._lines.description(camera)
        except SourceError as error:
            log.info("restream.no_picture", camera=camera, peer=self._peer, message=str(error))
            self._respond(request, 503, "Retry-After: 10")
            return
        text = describe_session(description, camera, self._own).encode()
        base = url.rstrip("/") + "/"
        self._respond(request, 200, f"Content-Base: {base}", "Content-Type: application/sdp", body=text)

    async def _setup(self, request: Message, camera: str, control: str) -> None:
        session = self._session
        if not self._known(camera):
            self._respond(request, 404)
        elif control not in _TRACKS:
            self._respond(request, 459 if not control else 404)
        elif self._sending is not None or (session is not None and session.camera != camera):
            self._respond(request, 455)
        else:
            if session is None:
                session = self._session = _Session(camera)
            transport = await self._transport(request.header("transport") or "", session, sound=_TRACKS[control])
            if transport:
                self._respond(request, 200, f"Transport: {transport}", f"Session: {session.id};timeout={_TIMEOUT_S}")
            else:
                self._respond(request, 461)

    async def _transport(self, offers: str, session: _Session, *, sound: bool) -> str:
        """The first of the client's offers that we can do, set up; empty where there is none."""
        for offer in offers.split(","):
            words = offer.strip()
            if words.upper().startswith("RTP/AVP/TCP"):
                asked = _INTERLEAVED.search(words)
                pair = (int(asked[1]), int(asked[2])) if asked else (2 * sound, 2 * sound + 1)
                taken = {number for other, used in session.channels.items() if other != sound for number in used}
                if max(pair) < 256 and not taken & set(pair) and not session.datagrams:
                    session.channels[sound] = pair
                    return f"RTP/AVP/TCP;unicast;interleaved={pair[0]}-{pair[1]}"
            elif words.upper().startswith(("RTP/AVP;", "RTP/AVP/UDP")) and "multicast" not in words:
                wanted = _CLIENT_PORT.search(words)
                if wanted is None or session.channels:
                    continue
                ports = (int(wanted[1]), int(wanted[2] or int(wanted[1]) + 1))
                if not all(1024 <= port < 65536 for port in ports):
                    continue
                with suppress(OSError):
                    opened = await open_pair(self._own, self._peer, ports)
                    if (before := session.datagrams.pop(sound, None)) is not None:
                        before.close()
                    session.datagrams[sound] = opened
                    return (
                        f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]};server_port={opened.port}-{opened.port + 1}"
                    )
        return ""

    def _in_session(self, request: Message, method: str) -> bool:
        session = self._session
        given = (request.header("session") or "").partition(";")[0].strip()
        if session is None or (given and given != session.id) or (method in ("PLAY", "TEARDOWN") and not given):
            # A keep-alive before SETUP is harmless, and some clients send it.
            self._respond(request, 200 if method.endswith("PARAMETER") and not given else 454)
            return True
        mark = f"Session: {session.id};timeout={_TIMEOUT_S}"
        if method == "TEARDOWN":
            self._respond(request, 200, mark)
            return False
        if method == "PLAY":
            if not (session.channels or session.datagrams):
                self._respond(request, 455)
                return True
            self._respond(request, 200, mark, "Range: npt=now-")
            if self._sending is None:
                self.camera = session.camera
                self._sending = asyncio.create_task(self._send(session))
            return True
        self._respond(request, 200, mark)
        return True

    async def _send(self, session: _Session) -> None:
        """Until the line closes or the client does not read."""
        reports, reported = 0, 0.0
        try:
            async with self._lines.seat(session.camera) as seat:
                log.info("restream.viewer", camera=session.camera, peer=self._peer, udp=bool(session.datagrams))
                while True:
                    piece = await seat.next()
                    if time.monotonic() - reported >= (0.5 if reports < _FIRST_REPORTS else _REPORT_EVERY_S):
                        self._report(session, seat)
                        reports, reported = reports + 1, time.monotonic()
                    if session.datagrams:
                        await _spread(session.datagrams, piece)
                        continue
                    video, sound = session.channels.get(False), session.channels.get(True)
                    self._writer.write(piece.on_channels(video and video[0], sound and sound[0]))
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._writer.drain()
        except SourceError as error:
            log.info("restream.ended", camera=session.camera, peer=self._peer, message=str(error))
        except (OSError, TimeoutError) as error:
            log.info("restream.lost", camera=session.camera, peer=self._peer, message=str(error) or "does not read")

    def _report(self, session: _Session, seat: Seat) -> None:
        for sound, pair in session.datagrams.items():
            if packet := seat.line.report(sound=sound):
                pair.report(packet)
        for sound, (_, channel) in session.channels.items():
            if packet := seat.line.report(sound=sound):
                self._writer.write(b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet)

    def _respond(self, request: Message, status: int, *headers: str, body: bytes = b"") -> None:
        sequence = request.header("cseq") or ""
        lines = [f"RTSP/1.0 {status} {_REASONS[status]}"]
        if sequence.isascii() and sequence.isdecimal() and len(sequence) < 12:
            lines.append(f"CSeq: {sequence}")
        lines += headers
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def _leave(self) -> None:
        if self._session is not None:
            for pair in self._session.datagrams.values():
                pair.close()


async def _spread(datagrams: dict[bool, DatagramPair], piece: Piece) -> None:
    """A chunk's datagrams, with a breath after each picture: a burst would overrun the receiver's buffer."""
    for unit in piece.units:
        pair = datagrams.get(unit.sound)
        if pair is not None:
            for packet in piece.packets(unit):
                pair.send(packet)
            await asyncio.sleep(0.001)


def _parts(url: str) -> tuple[str, str]:
    """Camera and track of a request's URL; empty where it names none."""
    try:
        path = unquote(urlsplit(url).path).strip("/")
    except ValueError:
        return "", ""
    camera, _, control = path.partition("/")
    return (camera, control.strip("/")) if CAMERA_ID.fullmatch(camera) else ("", "")

"""From a TCP connection to a playing stream (RFC 2326 appendix A), and what keeps it playing.

OPTIONS, DESCRIBE, SETUP of one video track, PLAY; then a tick twice a second for the low-water mark, receiver reports,
keep-alives and silence.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator

from perishield.log import Log
from perishield.model.errors import SourceError, mask_url
from perishield.model.site import Transport
from perishield.sources.pulse import every
from perishield.sources.reception import Reception
from perishield.sources.rtsp.audio_delivery import AudioDelivery
from perishield.sources.rtsp.auth import Credentials
from perishield.sources.rtsp.connection import Connection
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.dial import Terms, dial
from perishield.sources.rtsp.framing import Framer, Message
from perishield.sources.rtsp.keep_alive import KeepAlive, forget
from perishield.sources.rtsp.low_water import LowWater
from perishield.sources.rtsp.observer import NOBODY, Observer
from perishield.sources.rtsp.refusal import Patience, Redirected, accept
from perishield.sources.rtsp.sdp import Track, parse_sdp
from perishield.sources.rtsp.sound_line import SoundLine, choose_sound
from perishield.sources.rtsp.transport import over_tcp, over_udp, read_transport
from perishield.sources.rtsp.udp import UdpPair
from perishield.sources.rtsp.url import Endpoint, base_url, control_candidates, resolve_control
from perishield.sources.rtsp.video_line import SilenceError, VideoLine, choose_video

__all__ = ["Patience", "Redirected", "Session", "SilenceError", "Terms"]

log = Log("rtsp")

_REPORT_EVERY_S = 5.0
_FAREWELL_S = 0.3


class Session:
    """One playing stream. `low_delay` may be changed while it runs."""

    def __init__(
        self,
        endpoint: Endpoint,
        delivery: Delivery,
        patience: Patience,
        *,
        low_delay: bool,
        observer: Observer = NOBODY,
        terms: Terms | None = None,
        reception: Reception | None = None,
        sound: AudioDelivery | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._delivery = delivery
        self._patience = patience
        self._low_delay = low_delay
        self._terms = terms or Terms()
        self._reception = reception or Reception()
        self._sound = sound
        self._line: SoundLine | None = None
        self._observer = observer
        self._connection: Connection | None = None
        self._low_water: LowWater | None = None
        self._video: VideoLine | None = None
        self._datagrams = Framer(_no_message)
        self._base = endpoint.url
        self._keep_alive: KeepAlive | None = None
        self._ssrc = random.getrandbits(32)

    @property
    def low_delay(self) -> bool:
        return self._low_delay

    @low_delay.setter
    def low_delay(self, wanted: bool) -> None:
        self._low_delay = wanted
        if self._low_water is not None:
            self._low_water.low_delay = wanted
            if wanted:
                self._low_water.at_once()
            self._set_delay()

    def _set_delay(self) -> None:
        for line in (self._video, self._line):
            if line is not None and line.udp is not None:
                line.udp.low_delay = self._low_delay

    @property
    def _wire(self) -> Connection:
        if self._connection is None:
            raise SourceError("not connected", code="gone")
        return self._connection

    async def open(self) -> None:
        """Until PLAY is answered. Raises SourceError, OSError, TimeoutError and Redirected."""
        endpoint, terms = self._endpoint, self._terms
        credentials = Credentials(endpoint.username, endpoint.password)
        self._connection = await dial(
            endpoint, terms, self._patience, lambda: Connection(credentials, self._delivery, self._observer)
        )
        self._reception.transport = "tls" if endpoint.tls else "tcp"
        options = await self._ask("OPTIONS", self._endpoint.url)
        public = ",".join(options.headers.get("public", []))
        methods = frozenset(word.strip().upper() for word in public.split(","))
        described = self._accept(
            await self._ask("DESCRIBE", self._endpoint.url, {"Accept": "application/sdp"}), "DESCRIBE"
        )
        self._base = base_url(self._endpoint, described.header("content-base"), described.header("content-location"))
        server = f"{self._endpoint.host}:{self._endpoint.port}"
        self._keep_alive = keep_alive = KeepAlive(server, self._base, methods)
        description = parse_sdp(described.body)
        media, codec = choose_video(description.videos)
        self._video = video = VideoLine(media, codec, self._delivery, self._reception, self._observer)
        set_up = await self._setup(video)
        keep_alive.session(set_up.header("session") or "")
        video.listen(self._wire.framer, self._datagrams)
        self._wire.attach(video.track)
        if self._sound is not None:
            await self._set_up_sound(self._sound, description.sounds, video)
        await self._play(resolve_control(self._endpoint, self._base, description.control))
        if self._line is not None and self._sound is not None:
            self._sound.granted()

    async def _setup(self, video: VideoLine) -> Message:
        """Agree on a transport: by TCP, or by UDP where that is wanted or the only one granted."""
        if self._terms.transport is not Transport.UDP:
            answer = await self._ask_setup(video.media, over_tcp(0))
            granted = read_transport(answer.header("transport") or "")
            refused = answer.status == 461 or (answer.status < 300 and granted.udp)
            if not refused or self._terms.transport is Transport.TCP or self._endpoint.tls:
                if refused and answer.status < 300:
                    answer = Message(status=461, reason="Unsupported Transport")
                self._accept(answer, "SETUP")
                video.channels = granted.channels or video.channels
                return answer
            log.info("rtsp.transport", url=mask_url(self._endpoint.url), refused="tcp")
        pair = video.udp = self._open_pair()
        answer = self._accept(await self._ask_setup(video.media, over_udp(pair.port)), "SETUP")
        granted = read_transport(answer.header("transport") or "")
        if granted.multicast:
            raise SourceError("the device sends by multicast only: switch on unicast or TCP there", code="protocol")
        if granted.channels is not None:
            video.channels = granted.channels
            video.udp = None
            pair.close()
            return answer
        self._reception.transport = "udp"
        pair.begin(self._peer()[0], _literal(granted.source), granted.ports)
        return answer

    def _peer(self) -> tuple[str, socket.AddressFamily]:
        """The server's address, and its family."""
        address = self._wire.transport.get_extra_info("peername")
        return address[0], socket.AF_INET6 if ":" in address[0] else socket.AF_INET

    async def _set_up_sound(self, sound: AudioDelivery, tracks: list[Track], video: VideoLine) -> None:
        """Sound is worth asking for, and its failure costs nothing but sound."""
        line = choose_sound(tracks, sound) if sound.wanted else None
        if line is None:
            sound.silence()
            return
        sound.asked()
        first = max(video.channels) + 1 & 0xFE
        try:
            if video.udp is not None:
                line.udp = self._open_pair(first, Reception())
            wish = over_udp(line.udp.port) if line.udp is not None else over_tcp(first)
            answer = await self._ask_setup(line.media, wish)
        except SourceError as error:
            if self._wire.closed.done():
                raise
            answer = Message(reason=error.message)
        granted = read_transport(answer.header("transport") or "")
        elsewhere = granted.udp if line.udp is None else granted.channels is not None or granted.multicast
        if not 200 <= answer.status < 300 or elsewhere:
            log.info("rtsp.no_sound", url=mask_url(self._endpoint.url), status=answer.status, reason=answer.reason)
            line.close()
            sound.silence()
            return
        if line.udp is not None:
            line.udp.begin(self._peer()[0], _literal(granted.source), granted.ports)
        channels = granted.channels if line.udp is None else None
        line.listen(channels or (first, first + 1), self._wire.framer, self._datagrams)
        self._line = line

    def _open_pair(self, channel: int = 0, reception: Reception | None = None) -> UdpPair:
        return UdpPair(
            self._wire.transport.get_extra_info("sockname")[0],
            self._peer()[1],
            channel=channel,
            feed=self._feed_datagrams,
            on_error=self._wire.fail,
            reception=reception or self._reception,
        )

    def _feed_datagrams(self, view: memoryview | bytes) -> None:
        """Framed datagrams, as `Connection.buffer_updated` takes what came over TCP."""
        delivery = self._delivery
        delivery.arrival = time.time()
        delivery.monotonic = time.monotonic()
        self._datagrams.feed(view)
        if self._video is not None:
            self._video.track.bound()

    async def _ask_setup(self, media: Track, transport: str) -> Message:
        answer = Message()
        for url in control_candidates(self._endpoint, self._base, media.control):
            answer = await self._ask("SETUP", url, {"Transport": transport})
            if answer.status not in (404, 454):
                break
        if answer.status < 300 and not self._wire.session:
            self._wire.session = (answer.header("session") or "").split(";", 1)[0].strip()
        return answer

    async def _play(self, aggregate: str) -> None:
        played = await self._ask("PLAY", aggregate, {"Range": "npt=0.000-"})
        if played.status == 457:
            played = await self._ask("PLAY", aggregate)
        if played.status == 454 and self._wire.adopt_session():
            played = await self._ask("PLAY", aggregate, {"Range": "npt=0.000-"})
        if played.status in (404, 454, 455) and aggregate != self._base:
            played = await self._ask("PLAY", self._base, {"Range": "npt=0.000-"})
        self._accept(played, "PLAY")
        self._observer.playing()

    async def _ask(self, method: str, url: str, headers: dict[str, str] | None = None) -> Message:
        self._observer.asking(method, url)
        try:
            async with asyncio.timeout(self._patience.response_s):
                answer = await self._wire.request(method, url, headers)
            self._observer.answered(method, answer, self._wire.scheme)
            return answer
        except TimeoutError:
            raise SourceError(
                f"no answer to {method} within {self._patience.response_s:g} s: the device hangs or is overloaded",
                code="timeout",
            ) from None

    def _accept(self, answer: Message, method: str) -> Message:
        return accept(answer, method, self._endpoint, self._patience)

    async def stream(self) -> None:
        """Until the stream ends, which always raises: SourceError or OSError."""
        wire = self._wire
        self._low_water = LowWater(wire.transport, low_delay=self._low_delay)
        self._set_delay()
        ticks = self._ticks(wire, self._low_water)
        next(ticks)
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tick() -> None:
            try:
                next(ticks)
            except SourceError as error:
                if not failed.done():
                    failed.set_exception(error)

        with every(self._patience.tick_s, tick):
            await asyncio.wait((failed, wire.closed), return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        if self._keep_alive is not None:
            self._keep_alive.ended(time.monotonic())
        wire.closed.result()
        raise SourceError("the server ended the stream", code="truncated")

    def _ticks(self, wire: Connection, low_water: LowWater) -> Iterator[None]:
        """Goes on at every tick of the pulse. Raises SourceError where the stream must end."""
        before = last_report = time.monotonic()
        video, keep_alive = self._video, self._keep_alive
        if video is None or keep_alive is None:
            raise SourceError("nothing plays", code="gone")
        video.began()
        while True:
            yield
            now = time.monotonic()
            low_water.tick(wire.received, now - before)
            before = now
            video.check(now, self._patience)
            if now - last_report >= _REPORT_EVERY_S:
                last_report = now
                video.report(self._ssrc, wire.write_packet)
                if self._line is not None:
                    self._line.report(self._ssrc, wire.write_packet)
            keep_alive.tick(now, wire)

    async def leave(self) -> None:
        """Close, and see the door closed: a peer that does not let go is given a moment, then no more."""
        self.close()
        wire = self._connection
        if wire is None or wire.closed.done():
            return
        await asyncio.wait((wire.closed,), timeout=_FAREWELL_S)
        if not wire.closed.done():
            wire.transport.abort()

    def close(self) -> None:
        """Leave politely: cameras keep the sessions of those who just vanish."""
        for line in (self._video, self._line):
            if line is not None:
                line.close()
        wire = self._connection
        if wire is None or wire.closed.done() or wire.transport.is_closing():
            return
        if wire.session:
            wire.send("TEARDOWN", self._base).add_done_callback(forget)
        wire.transport.close()


def _no_message(message: Message) -> None:
    """Datagrams carry no RTSP."""


def _literal(source: str) -> str:
    """The address that a server says it sends from, where it is one: names are not looked up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, source)
        except OSError:
            continue
        return source
    return ""

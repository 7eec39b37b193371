"""From a TCP connection to a playing stream (RFC 2326 appendix A), and what keeps it playing.

OPTIONS, DESCRIBE, SETUP of one video track over TCP, PLAY; then a tick twice a second for the low-water mark, receiver
reports, keep-alives and silence.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass

from perishield.log import Log
from perishield.model.errors import SourceError, mask_url
from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.auth import Credentials
from perishield.sources.rtsp.connection import Connection
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.depacketizer import Depacketizer
from perishield.sources.rtsp.framing import Message
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.low_water import LowWater
from perishield.sources.rtsp.observer import NOBODY, Observer
from perishield.sources.rtsp.rtcp import read_sender_report, receiver_report
from perishield.sources.rtsp.rtp import RtpTrack
from perishield.sources.rtsp.sdp import Track, parse_sdp
from perishield.sources.rtsp.url import Endpoint, base_url, resolve_control, resolve_control_strictly

log = Log("rtsp")

TICK_S = 0.5
_REPORT_EVERY_S = 5.0
_INTERLEAVED = re.compile(r"interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?", re.IGNORECASE)
_TIMEOUT = re.compile(r"timeout\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_REFUSED_SESSIONS = (453, 503)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for TCP, for an answer, without any packet, for the first key frame; and before the next try
    after a refused password, a wrong path, a camera without a free session.
    """

    connect_s: float = 5.0
    response_s: float = 10.0
    idle_s: float = 10.0
    key_frame_s: float = 30.0
    after_auth_failed_s: float = 60.0
    after_not_found_s: float = 30.0
    after_busy_s: float = 70.0
    tick_s: float = TICK_S


class Redirected(Exception):  # noqa: N818
    """The server sends us elsewhere."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


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
    ) -> None:
        self._endpoint = endpoint
        self._observer = observer
        self._delivery = delivery
        self._patience = patience
        self._low_delay = low_delay
        self._connection: Connection | None = None
        self._low_water: LowWater | None = None
        self._track: RtpTrack | None = None
        self._public: frozenset[str] = frozenset()
        self._base = endpoint.url
        self._keep_alive_every_s = 25.0
        self._keep_alive_method = "OPTIONS"
        self._session_lasts_s = 60.0
        self._channels = (0, 1)
        self._ssrc = random.getrandbits(32)
        self._last_report: tuple[bytes, int, float] = (b"", 0, 0.0)
        self._lost = 0
        self._reported = (0, 0)

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

    @property
    def _wire(self) -> Connection:
        if self._connection is None:
            raise SourceError("not connected", code="gone")
        return self._connection

    async def open(self) -> None:
        """Until PLAY is answered. Raises SourceError, OSError, TimeoutError and Redirected."""
        loop = asyncio.get_running_loop()
        credentials = Credentials(self._endpoint.username, self._endpoint.password)
        async with asyncio.timeout(self._patience.connect_s):
            _, self._connection = await loop.create_connection(
                lambda: Connection(credentials, self._delivery, self._observer),
                self._endpoint.host,
                self._endpoint.port,
            )
        options = await self._ask("OPTIONS", self._endpoint.url)
        self._public = frozenset(word.strip().upper() for word in (options.header("public") or "").split(","))
        if "GET_PARAMETER" in self._public:
            self._keep_alive_method = "GET_PARAMETER"
        described = self._require(
            await self._ask("DESCRIBE", self._endpoint.url, {"Accept": "application/sdp"}), "DESCRIBE"
        )
        self._base = base_url(self._endpoint, described.header("content-base"), described.header("content-location"))
        description = parse_sdp(described.body)
        media, codec = _choose(description.videos)
        track, sets = self._prepare(media, codec)
        await self._setup(media)
        take = self._observer.tap(track.packet)
        # Runs of fragments would pass an observer by.
        carry_on = track.carry_on if take == track.packet else None
        self._wire.framer.attach(self._channels, take, self._control_packet, track.lose, carry_on)
        self._wire.attach(track)
        self._delivery.connect(sets, media.rate)
        aggregate = resolve_control(self._endpoint, self._base, description.control)
        played = await self._ask("PLAY", aggregate, {"Range": "npt=0.000-"})
        if played.status == 457:
            played = await self._ask("PLAY", aggregate)
        if played.status in (404, 454, 455) and aggregate != self._base:
            played = await self._ask("PLAY", self._base, {"Range": "npt=0.000-"})
        self._require(played, "PLAY")
        self._observer.playing()

    def _prepare(self, media: Track, codec: Codec) -> tuple[RtpTrack, ParameterSets]:
        sets = ParameterSets(codec)
        for nal in media.parameter_sets:
            sets.offer(nal)
        depacketizer: Depacketizer = (
            H264Depacketizer(sets) if codec is Codec.H264 else H265Depacketizer(sets, ordered=media.ordered)
        )
        track = RtpTrack(media.payload_type, depacketizer, self._delivery.unit, self._packets_lost)
        self._track = track
        return track, sets

    async def _setup(self, media: Track) -> None:
        transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        url = resolve_control(self._endpoint, self._base, media.control)
        answer = await self._ask("SETUP", url, transport)
        strict = resolve_control_strictly(self._endpoint, self._base, media.control)
        if answer.status in (404, 454) and strict != url:
            answer = await self._ask("SETUP", strict, transport)
        self._require(answer, "SETUP")
        channels = _INTERLEAVED.search(answer.header("transport") or "")
        if channels is not None:
            first = int(channels[1]) & 0xFF
            self._channels = (first, int(channels[2]) & 0xFF if channels[2] else (first + 1) & 0xFF)
        session = answer.header("session") or ""
        self._wire.session = session.split(";", 1)[0].strip()
        lasts = _TIMEOUT.search(session)
        if lasts is not None and int(lasts[1]) > 0:
            self._session_lasts_s = float(lasts[1])
        self._keep_alive_every_s = min(self._session_lasts_s / 2, 25.0)

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

    def _require(self, answer: Message, method: str) -> Message:
        """The answer, if it is a good one. Otherwise raises SourceError or Redirected."""
        status = answer.status
        if status < 300:
            return answer
        if status in (301, 302, 303, 307, 308) and answer.header("location"):
            raise Redirected(answer.header("location") or "")
        address = mask_url(self._endpoint.url)
        said = f"{status} {answer.reason}".strip()
        if status in (401, 403):
            wanted = "check user and password" if self._endpoint.username else "it wants a user and a password"
            raise SourceError(
                f"{said} from {address}: {wanted}",
                code="auth_failed",
                retry_after_s=self._patience.after_auth_failed_s,
                status=status,
            )
        if status in (404, 410) or (status == 454 and method != "PLAY"):
            raise SourceError(
                f"{said} from {address}: there is no such stream, check the path",
                code="not_found",
                retry_after_s=self._patience.after_not_found_s,
                status=status,
            )
        if status in _REFUSED_SESSIONS:
            raise SourceError(
                f"{said} from {address}: the device has no free session, close another viewer",
                code="busy",
                retry_after_s=self._patience.after_busy_s,
                status=status,
            )
        if status == 461:
            raise SourceError(
                f"{said} from {address}: the device refuses RTP over TCP, switch that on there",
                code="protocol",
                status=status,
            )
        raise SourceError(f"{method} answered {said} by {address}", code="protocol", status=status)

    async def stream(self) -> None:
        """Until the stream ends, which always raises: SourceError or OSError."""
        wire = self._wire
        self._low_water = LowWater(wire.transport, low_delay=self._low_delay)
        ticker = asyncio.create_task(self._tick_on(wire, self._low_water))
        try:
            await asyncio.wait((ticker, wire.closed), return_when=asyncio.FIRST_COMPLETED)
            if ticker.done():
                ticker.result()
            wire.closed.result()
            raise SourceError("the server ended the stream", code="truncated")
        finally:
            ticker.cancel()

    async def _tick_on(self, wire: Connection, low_water: LowWater) -> None:
        before = began = last_data = last_report = last_keep_alive = time.monotonic()
        received = wire.received
        while True:
            await asyncio.sleep(self._patience.tick_s)
            now = time.monotonic()
            low_water.tick(wire.received, now - before)
            before = now
            if wire.received != received:
                received, last_data = wire.received, now
            elif now - last_data >= self._patience.idle_s:
                raise SourceError(
                    f"no packet for {self._patience.idle_s:g} s: the device or the network stalled", code="timeout"
                )
            if self._delivery.waiting:
                self._check_key_frame(now - began)
            else:
                began = now
            if now - last_report >= _REPORT_EVERY_S:
                last_report = now
                self._report(wire)
            if now - last_keep_alive >= self._keep_alive_every_s:
                last_keep_alive = now
                self._keep_alive(wire)

    def _check_key_frame(self, waited_s: float) -> None:
        if waited_s >= self._patience.key_frame_s:
            raise SourceError(
                f"no key frame within {self._patience.key_frame_s:g} s: set a shorter key frame interval on the device",
                code="timeout",
            )

    def _packets_lost(self, missing: int) -> None:
        self._lost += missing
        self._delivery.lost(missing)

    def _control_packet(self, data: bytes, start: int, end: int) -> None:
        report = read_sender_report(data[start:end])
        track = self._track
        if report is None or track is None or (track.source and report.source != track.source):
            return
        self._observer.report(report)
        delivery = self._delivery
        self._last_report = (report.source, report.middle, delivery.monotonic)
        delivery.report(report.wall, report.timestamp)

    def _report(self, wire: Connection) -> None:
        """A receiver report (RFC 3550 section 6.4.2): some cameras stop without any."""
        track = self._track
        if track is None or not track.source:
            return
        source, middle, at = self._last_report
        packets, lost = track.packets - self._reported[0], self._lost - self._reported[1]
        self._reported = (track.packets, self._lost)
        known = source == track.source
        report = receiver_report(
            self._ssrc,
            track.source,
            lost_share=256 * lost // max(1, packets + lost),
            lost=self._lost,
            highest=track.highest,
            middle=middle if known else 0,
            delay=time.monotonic() - at if known else 0.0,
        )
        wire.write_packet(self._channels[1], report)

    def _keep_alive(self, wire: Connection) -> None:
        """Nobody waits for the answer: a server that does not answer but sends packets is alive."""
        answer = wire.send(self._keep_alive_method, self._base)
        answer.add_done_callback(self._kept_alive)

    def _kept_alive(self, answer: asyncio.Future[Message]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            return
        message = answer.result()
        if message.status == 401 and self._wire.renew(message):
            self._wire.send(self._keep_alive_method, self._base).add_done_callback(_forget)
        elif message.status in (400, 405, 501, 551):
            other = "OPTIONS" if self._keep_alive_method == "GET_PARAMETER" else "GET_PARAMETER"
            log.info("rtsp.keep_alive", url=mask_url(self._endpoint.url), status=message.status, method=other)
            self._keep_alive_method = other
            self._wire.send(other, self._base).add_done_callback(_forget)

    def close(self) -> None:
        """Leave politely: cameras keep the sessions of those who just vanish."""
        wire = self._connection
        if wire is None or wire.closed.done() or wire.transport.is_closing():
            return
        if wire.session:
            wire.send("TEARDOWN", self._base).add_done_callback(_forget)
        wire.transport.close()


def _forget(answer: asyncio.Future[Message]) -> None:
    if not answer.cancelled():
        answer.exception()


def _choose(videos: list[Track]) -> tuple[Track, Codec]:
    """The first video track that we can read. Raises SourceError."""
    if not videos:
        raise SourceError("the stream has no video track: check the path", code="not_a_video")
    codec = videos[0].codec
    if codec is None:
        names = ", ".join(sorted({track.encoding or "unknown" for track in videos}))
        raise SourceError(
            f"the stream's video is {names}, which cannot be recorded: set the device to H.264 or H.265",
            code="unsupported_codec",
            codec=names,
        )
    return videos[0], codec

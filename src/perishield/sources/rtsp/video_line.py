"""The video of a session: its packets, its reports, and what is wrong when nothing comes of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from perishield.model.errors import SourceError
from perishield.model.media import Codec
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.reception import Reception
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.depacketizer import Depacketizer
from perishield.sources.rtsp.framing import Framer
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.observer import Observer
from perishield.sources.rtsp.refusal import Patience
from perishield.sources.rtsp.rtcp import read_sender_report, receiver_report
from perishield.sources.rtsp.rtp import RtpTrack
from perishield.sources.rtsp.sdp import Track
from perishield.sources.rtsp.udp import UdpPair


class SilenceError(SourceError):
    """No datagram has ever come: a router or firewall in between may let none through."""

    code = "timeout"


class VideoLine:
    """One video track. `channels` (RTP, RTCP) and `udp` tell how it travels."""

    def __init__(
        self, media: Track, codec: Codec, delivery: Delivery, reception: Reception, observer: Observer
    ) -> None:
        self.media = media
        self.channels = (0, 1)
        self.udp: UdpPair | None = None
        self._delivery = delivery
        self._reception = reception
        self._observer = observer
        self._sets = sets = ParameterSets(codec)
        for nal in media.parameter_sets:
            sets.offer(nal)
        depacketizer: Depacketizer = (
            H264Depacketizer(sets) if codec is Codec.H264 else H265Depacketizer(sets, ordered=media.ordered)
        )
        self.track = RtpTrack(media.payload_type, depacketizer, delivery.unit, self._packets_lost)
        self._last_report: tuple[bytes, int, float] = (b"", 0, 0.0)
        self._lost = 0
        self._reported = (0, 0)
        self._packets = -1
        self._source = b""
        self._last_data = self._last_key = time.monotonic()

    def listen(self, *framers: Framer) -> None:
        """From here on packets are taken in from these."""
        track = self.track
        take = self._observer.tap(track.packet)
        # Runs of fragments would pass an observer by.
        carry_on = track.carry_on if take == track.packet else None
        for framer in framers:
            framer.attach(self.channels, take, self._control_packet, track.lose, carry_on)
        self._delivery.connect(self._sets, self.media.rate)

    def began(self) -> None:
        """The server plays: from here on silence counts."""
        self._last_data = self._last_key = time.monotonic()

    def check(self, now: float, patience: Patience) -> None:
        """Call at every tick. Raises SourceError where the stream has nothing to give any more."""
        track = self.track
        if track.packets != self._packets:
            self._packets, self._last_data = track.packets, now
            if track.source != self._source:
                # Over UDP the sequence shows it, and is counted there.
                self._reception.sources += bool(self._source) and self.udp is None
                self._source = track.source
        else:
            self._check_silence(now - self._last_data, patience)
        if self._delivery.waiting:
            self._check_key_frame(now - self._last_key, patience)
        else:
            self._last_key = now
        self._delivery.steer()

    def _check_silence(self, silent_s: float, patience: Patience) -> None:
        if self.udp is not None and not self.track.packets and silent_s >= patience.datagram_s:
            raise SilenceError(
                f"no UDP packet within {patience.datagram_s:g} s: a firewall or router keeps them back, "
                "or the device sends them elsewhere; set the transport to TCP"
            )
        if silent_s >= patience.idle_s:
            raise SourceError(f"no packet for {patience.idle_s:g} s: the device or the network stalled", code="timeout")

    def _check_key_frame(self, waited_s: float, patience: Patience) -> None:
        if waited_s < patience.key_frame_s:
            return
        reason = f"no key frame within {patience.key_frame_s:g} s"
        if self._lost:
            reason += f", and {self._lost} packets were lost: check the network"
            reason += ", or set the transport to TCP" if self.udp is not None else ""
        else:
            reason += ": set a shorter key frame interval on the device"
        raise SourceError(reason, code="timeout")

    def _packets_lost(self, missing: int) -> None:
        self._lost += missing
        self._reception.lost += missing
        self._delivery.lost(missing)

    def _control_packet(self, data: bytes, start: int, end: int) -> None:
        report = read_sender_report(data[start:end])
        if report is None or (self.track.source and report.source != self.track.source):
            return
        self._observer.report(report)
        delivery = self._delivery
        self._last_report = (report.source, report.middle, delivery.monotonic)
        delivery.report(report.wall, report.timestamp)

    def report(self, own: int, write: Callable[[int, bytes], None]) -> None:
        """A receiver report (RFC 3550 section 6.4.2): some cameras stop without any. `write(channel, packet)` sends
        over TCP.
        """
        track = self.track
        if not track.source:
            return
        source, middle, at = self._last_report
        packets, lost = track.packets - self._reported[0], self._lost - self._reported[1]
        self._reported = (track.packets, self._lost)
        known = source == track.source
        report = receiver_report(
            own,
            track.source,
            lost_share=256 * lost // max(1, packets + lost),
            lost=self._lost,
            highest=track.highest,
            middle=middle if known else 0,
            delay=time.monotonic() - at if known else 0.0,
        )
        if self.udp is not None:
            self.udp.send_control(report)
        else:
            write(self.channels[1], report)

    def close(self) -> None:
        if self.udp is not None:
            self.udp.close()


def choose_video(videos: list[Track]) -> tuple[Track, Codec]:
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

"""One connection's track of sound: its packets, its RTCP, its ports."""

from __future__ import annotations

import time
from collections.abc import Callable

from perishield.sources.rtsp.audio import AudioPayload, payload_for, rate_of
from perishield.sources.rtsp.audio_delivery import AudioDelivery
from perishield.sources.rtsp.audio_track import AudioTrack
from perishield.sources.rtsp.framing import Framer
from perishield.sources.rtsp.rtcp import read_sender_report, receiver_report
from perishield.sources.rtsp.sdp import Track
from perishield.sources.rtsp.udp import UdpPair

Write = Callable[[int, bytes], None]


class SoundLine:
    """`media` is the track asked for. `udp` is its pair of ports where it travels by datagrams."""

    def __init__(self, sound: AudioDelivery, media: Track, payload: AudioPayload) -> None:
        self.media = media
        self.udp: UdpPair | None = None
        self._sound = sound
        self._payload = payload
        self._track = AudioTrack(media.payload_type, payload, sound.frames)
        self._control_channel = -1
        self._last_report: tuple[bytes, int, float] = (b"", 0, 0.0)
        self._reported = (0, 0)

    def listen(self, channels: tuple[int, int], *framers: Framer) -> None:
        """Take what comes on these channels (RTP, RTCP)."""
        self._sound.connect(self._payload, rate_of(self.media))
        self._control_channel = channels[1]
        for framer in framers:
            framer.also(channels[0], self._track.packet)
            framer.also(channels[1], self._control)

    def _control(self, data: bytes, start: int, end: int) -> None:
        report = read_sender_report(data[start:end])
        if report is None or (self._track.source and report.source != self._track.source):
            return
        self._last_report = (report.source, report.middle, time.monotonic())
        self._sound.report(report.wall, report.timestamp)

    def report(self, own: int, write: Write) -> None:
        """Send a receiver report (RFC 3550 section 6.4.2)."""
        track = self._track
        if not track.source:
            return
        source, middle, at = self._last_report
        packets, lost = track.packets - self._reported[0], track.lost - self._reported[1]
        self._reported = (track.packets, track.lost)
        known = source == track.source
        packet = receiver_report(
            own,
            track.source,
            lost_share=256 * lost // max(1, packets + lost),
            lost=track.lost,
            highest=track.highest,
            middle=middle if known else 0,
            delay=time.monotonic() - at if known else 0.0,
        )
        if self.udp is not None:
            self.udp.send_control(packet)
        else:
            write(self._control_channel, packet)

    def close(self) -> None:
        if self.udp is not None:
            self.udp.close()


def choose_sound(sounds: list[Track], sound: AudioDelivery) -> SoundLine | None:
    """The first track that we can read, if any."""
    for media in sounds:
        payload = payload_for(media)
        if payload is not None:
            return SoundLine(sound, media, payload)
    return None

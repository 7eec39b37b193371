"""What real cameras and networks do to an RTSP stream, on request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Every field is one deviation; the default is a good server.

    `content_base`: sent as it stands instead of the right one (empty: the header is left out).
    `session_timeout_s`: 0 leaves the parameter out. `enforce_timeout`: close when no request came for so long.
    `channels`: the pair that SETUP answers, whatever was asked. `single_channel`: only its first number is told.
    `rotate_nonce_after`: a digest nonce goes stale after so many requests.
    `drop_every_n_packets`, `silent_after_packets`, `truncate_after_packets` (cut inside a packet, then close),
    `garbage_every_n_packets` (three bytes before a packet), `newline_before_packets`, `stray_packets` (channel 9),
    `close_after_s` and `data_before_play_answer` concern the packets; `timestamp_jump` in ticks is added once after
    `jump_after_frames`.
    """

    drop_every_n_packets: int = 0
    silent_after_packets: int = 0
    truncate_after_packets: int = 0
    garbage_every_n_packets: int = 0
    newline_before_packets: bool = False
    stray_packets: bool = False
    close_after_s: float = 0.0
    timestamp_jump: int = 0
    jump_after_frames: int = 25
    marker: str = "right"
    """`right`, `never` or `always`."""
    data_before_play_answer: bool = False
    no_sender_reports: bool = False
    content_base: str | None = None
    session_timeout_s: int = 60
    enforce_timeout: bool = False
    lower_case_headers: bool = False
    no_parameter_sets: bool = False
    no_get_parameter: bool = False
    always_401: bool = False
    rotate_nonce_after: int = 0
    busy: bool = False
    redirect_to: str = ""
    channels: tuple[int, int] | None = None
    single_channel: bool = False
    server_options: bool = False
    """The server itself sends an OPTIONS request after PLAY."""
    sdp: str | None = None
    """Sent instead of the clip's own description."""

    @property
    def touches_packets(self) -> bool:
        return bool(
            self.drop_every_n_packets
            or self.silent_after_packets
            or self.truncate_after_packets
            or self.garbage_every_n_packets
            or self.newline_before_packets
            or self.stray_packets
            or self.timestamp_jump
            or self.marker != "right"
            or self.channels
        )


class PacketMangler:
    """Applies the packet faults of one client. After `ended` nothing more is to be sent and the connection closed."""

    __slots__ = ("_channel", "_faults", "_frames", "_packets", "ended")

    def __init__(self, faults: Faults, channel: int) -> None:
        self.ended = False
        self._faults = faults
        self._channel = channel
        self._packets = 0
        self._frames = 0

    def mangle(self, data: bytes, frames: tuple[int, ...]) -> bytes:
        """One access unit's interleaved packets, as this client gets to see them."""
        faults = self._faults
        self._frames += 1
        out = bytearray()
        for begin, end in zip(frames, (*frames[1:], len(data)), strict=True):
            self._packets += 1
            if faults.silent_after_packets and self._packets > faults.silent_after_packets:
                break
            if faults.drop_every_n_packets and self._packets % faults.drop_every_n_packets == 0:
                continue
            packet = bytearray(data[begin:end])
            packet[1] = self._channel
            self._mark(packet)
            if faults.truncate_after_packets and self._packets > faults.truncate_after_packets:
                self.ended = True
                return bytes(out + packet[: len(packet) // 2])
            if faults.newline_before_packets:
                out += b"\r\n"
            if faults.stray_packets:
                out += b"$\x09\0\4abcd"
            if faults.garbage_every_n_packets and self._packets % faults.garbage_every_n_packets == 0:
                out += b"\xff$\x07"
            out += packet
        return bytes(out)

    def _mark(self, packet: bytearray) -> None:
        faults = self._faults
        if faults.timestamp_jump and self._frames > faults.jump_after_frames:
            moved = int.from_bytes(packet[8:12], "big") + faults.timestamp_jump
            packet[8:12] = (moved & 0xFFFFFFFF).to_bytes(4, "big")
        if faults.marker == "never":
            packet[5] &= 0x7F
        elif faults.marker == "always":
            packet[5] |= 0x80

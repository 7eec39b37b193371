"""What happens to one client's packets on their way out."""

from __future__ import annotations

import random
from collections.abc import Iterator

from perishield.model.media import TIMESCALE, Codec
from perishield.sources.simulator.faults import Faults
from perishield.sources.simulator.oddities import nal_units, repackage

_STRANGE_TYPE = 50
_GARBAGE = b"\xff$\x07"
_STRAY = b"$\x09\0\4abcd"


class PacketMangler:
    """Applies the packet faults of one client. After `ended` nothing more is to be sent and the connection closed."""

    def __init__(self, faults: Faults, codec: Codec, channel: int) -> None:
        self.ended = False
        self._faults = faults
        self._codec = codec
        self._channel = channel
        self._packets = 0
        self._frames = 0
        self._number: int | None = None
        self._source = b""
        self._first = -1
        self._last = -1
        self._before = 0
        self._shift = 0
        self._random = random.Random(faults.seed)  # noqa: S311 - losses that come again the same

    def switched(self, codec: Codec) -> None:
        """From here on another clip's frames come, as if they were the same stream's."""
        self._codec = codec
        self._before, self._last = self._last, -1

    def interleaved(self, data: bytes, frames: tuple[int, ...]) -> bytes:
        """One access unit's packets as this client gets to see them over TCP."""
        faults = self._faults
        out = bytearray()
        for packet in self._packets_of(data, frames):
            if faults.truncate_after_packets and self._packets > faults.truncate_after_packets:
                self.ended = True
                head = b"$" + bytes((self._channel,)) + len(packet).to_bytes(2, "big")
                return bytes(out + head + packet[: len(packet) // 2])
            if faults.newline_before_packets:
                out += b"\r\n"
            if faults.stray_packets:
                out += _STRAY
            if faults.garbage_every_n_packets and self._packets % faults.garbage_every_n_packets == 0:
                out += _GARBAGE
            out += b"$" + bytes((self._channel,)) + len(packet).to_bytes(2, "big") + packet
        return bytes(out)

    def datagrams(self, data: bytes, frames: tuple[int, ...]) -> list[bytes]:
        """The same over UDP: some are lost, some come late, some come twice."""
        faults = self._faults
        packets = [bytes(packet) for packet in self._packets_of(data, frames)]
        if faults.udp_loss:
            packets = [packet for packet in packets if self._random.random() * 100 >= faults.udp_loss]
        if faults.udp_duplicate_every_n:
            every = faults.udp_duplicate_every_n
            packets = [copy for n, packet in enumerate(packets, 1) for copy in [packet] * (1 + (n % every == 0))]
        if faults.udp_reorder:
            places = {id(packet): n + self._random.uniform(0, faults.udp_reorder) for n, packet in enumerate(packets)}
            packets.sort(key=lambda packet: places[id(packet)])
        return packets

    def _packets_of(self, data: bytes, frames: tuple[int, ...]) -> Iterator[bytearray]:
        faults = self._faults
        self._frames += 1
        whole = [data[begin + 4 : end] for begin, end in zip(frames, (*frames[1:], len(data)), strict=True)]
        if faults.packaging:
            payloads = repackage(
                self._codec, nal_units(self._codec, [packet[12:] for packet in whole]), faults.packaging
            )
            last = len(payloads) - 1
            heads = [whole[0][:1] + bytes((96 | (0x80 if n == last else 0),)) + whole[0][2:12] for n in range(last + 1)]
            whole = [head + payload for head, payload in zip(heads, payloads, strict=True)]
        for packet in whole:
            self._packets += 1
            if faults.silent_after_packets and self._packets > faults.silent_after_packets:
                return
            changed = bytearray(packet)
            self._renumber(changed)
            self._stamp(changed)
            if faults.drop_every_n_packets and self._packets % faults.drop_every_n_packets == 0:
                continue
            if faults.undeclared_packets:
                strange = bytearray(changed[:12] + b"\x65\x88strange")
                strange[1] = _STRANGE_TYPE
                yield strange
            yield changed

    def _renumber(self, packet: bytearray) -> None:
        faults = self._faults
        number = self._number
        if number is None:
            number = int.from_bytes(packet[2:4], "big") if faults.first_number < 0 else faults.first_number
            self._source = bytes(packet[8:12])
        if faults.restart_numbers_after and self._packets == faults.restart_numbers_after:
            number += 20_000
        if faults.new_source_after and self._packets == faults.new_source_after:
            self._source = bytes(byte ^ 0x5A for byte in self._source)
            number += 7_777
        packet[2:4] = (number & 0xFFFF).to_bytes(2, "big")
        packet[8:12] = self._source
        self._number = number + 1
        if faults.marker == "never":
            packet[1] &= 0x7F
        elif faults.marker == "always":
            packet[1] |= 0x80

    def _stamp(self, packet: bytearray) -> None:
        faults = self._faults
        stamp = int.from_bytes(packet[4:8], "big")
        if self._first < 0:
            self._first = stamp
            if faults.wrap_after_s:
                self._shift = (-round(faults.wrap_after_s * TIMESCALE) - stamp) & 0xFFFFFFFF
        elif self._last < 0:
            # One frame after the last of the clip before.
            self._shift = (self._before + TIMESCALE // 25 - stamp) & 0xFFFFFFFF
        moved = stamp + self._shift
        if faults.timestamp_rate != 1:
            moved = self._first + round(((moved - self._first) & 0xFFFFFFFF) * faults.timestamp_rate)
        self._last = moved & 0xFFFFFFFF
        if faults.timestamp_jump and self._frames > faults.jump_after_frames:
            moved += faults.timestamp_jump
        if faults.freeze_after_frames and self._frames > faults.freeze_after_frames:
            moved = self._first
        packet[4:8] = (moved & 0xFFFFFFFF).to_bytes(4, "big")

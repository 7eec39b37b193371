"""RTP packets of one video track (RFC 3550 section 5.1): losses, access unit boundaries, tolerance of odd firmware.

An access unit ends where the timestamp changes, or at a marker once it holds a slice: some cameras set the marker on
parameter sets, some never set it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from perishield.sources.rtsp.depacketizer import Depacketizer

_STRANGERS: Final = 16
"""Packets in a row of another source or payload type after which that is taken for the stream itself."""

OnUnit = Callable[[list[bytes], int, bool, bool, int], None]
"""(slices, size, key, recovery point, RTP timestamp)"""


_HEAD: Final = struct.Struct("!HHHHQB")
"""`$` and channel, length; flags with payload type, number, timestamp and SSRC; the payload's first byte."""
_SHORTEST: Final = 16
"""Bytes of an RTP packet that `carry_on` reads."""


class Run:
    """How to cut interleaved packets of one length that differ in nothing but number and payload: `unpack` gives their
    first 6 bytes, their number, the `tail` bytes behind it, and the `body` bytes that remain.
    """

    __slots__ = ("body", "length", "stride", "unpack")

    def __init__(self, length: int, tail: int) -> None:
        self.length = length
        self.body = length - 4 - tail
        layout = struct.Struct(f"!6sH{tail}s{self.body}s")
        self.stride = layout.size
        self.unpack: Callable[[memoryview], Iterator[tuple[Any, ...]]] = layout.iter_unpack


class RtpTrack:
    """Feeds a depacketizer and hands out access units; `on_loss` is told how many packets are missing.

    After a loss, the damaged access unit is dropped; waiting for a key frame is the receiver's business.
    """

    __slots__ = (
        "_damaged",
        "_depacketizer",
        "_expected",
        "_on_loss",
        "_on_unit",
        "_payload",
        "_payload_type",
        "_run",
        "_stamp",
        "_strangers",
        "_strangers_since",
        "malformed",
        "packets",
    )

    def __init__(
        self, payload_type: int, depacketizer: Depacketizer, on_unit: OnUnit, on_loss: Callable[[int], None]
    ) -> None:
        self.malformed = 0
        self.packets = 0
        self._payload_type = payload_type
        self._depacketizer = depacketizer
        self._payload = depacketizer.payload
        self._on_unit = on_unit
        self._on_loss = on_loss
        self._stamp = b""
        self._expected = -1
        self._run: Run | None = None
        self._damaged = False
        self._strangers = 0
        self._strangers_since = -1

    @property
    def source(self) -> bytes:
        """The sender's SSRC, four bytes, or empty before the first packet."""
        return self._stamp[4:]

    @property
    def highest(self) -> int:
        """The last sequence number, or 0."""
        return (self._expected - 1) & 0xFFFF if self._expected >= 0 else 0

    def packet(self, data: bytes, start: int, end: int) -> None:
        """Take in the RTP packet data[start:end]. Never raises."""
        if end - start < 12 or data[start] & 0xC0 != 0x80:
            self.malformed += 1
            return
        second = data[start + 1]
        stamp = data[start + 4 : start + 12]
        previous = self._stamp
        fresh = stamp != previous
        if (second & 0x7F != self._payload_type or (fresh and stamp[4:] != previous[4:])) and not self._admit(
            second & 0x7F, stamp
        ):
            return
        payload = start + 12
        if data[start] != 0x80:
            payload, end = payload_bounds(data, start, end)
        number = data[start + 2] << 8 | data[start + 3]
        gap = number != self._expected
        if gap and not self._take_gap(number, data, payload, end):
            return
        self._expected = (number + 1) & 0xFFFF
        if fresh:
            if not gap:
                if self._depacketizer.video:
                    self._finish()
                self._damaged = False
            self._stamp = stamp
        self.packets += 1
        self._payload(data, payload, end)
        if second & 0x80 and self._depacketizer.video:
            self._finish()

    def carry_on(self, data: bytes, position: int, end: int, channel: int) -> int:
        """Take in the interleaved packets from `position` on as long as they are of the usual sort: slices of pictures,
        fragmented or whole, without a gap.

        Returns where the first other packet begins. `packet` would do the same with them at three times the cost.
        """
        depacketizer = self._depacketizer
        if self._damaged or not depacketizer.plain or not self._stamp:
            return position
        unit, size, key, opening = depacketizer.unit, depacketizer.size, depacketizer.key, depacketizer.open
        video, at, fragment = depacketizer.video, depacketizer.fragment_at, depacketizer.fragment_size
        slices, openings, trusted = depacketizer.slices, depacketizer.openings, depacketizer.trusted
        on_unit, unpack, begins = self._on_unit, _HEAD.unpack_from, data.startswith
        wire, plain, marked = 0x2400 | channel, 0x8000 | self._payload_type, 0x8080 | self._payload_type
        # Of the bytes in front of a fragment's payload: `$`, channel, length, RTP, and the fragment's own head.
        before = 16 + depacketizer.fragment_head
        current = int.from_bytes(self._stamp, "big")
        expected, packets = self._expected, self.packets
        view, last = memoryview(data), end - 4 - _SHORTEST
        while position <= last:
            sign, length, flags, number, stamp, first = unpack(data, position)
            following = position + 4 + length
            if number != expected or sign != wire or flags | 0x80 != marked or following > end or length < _SHORTEST:
                break
            if opening is not None:
                if stamp != current:
                    break
                if begins(opening.middle, position + 16) and flags == plain:
                    # Packets of a run are of one length: all of their heads but the number are the same bytes.
                    run = self._run
                    if run is None or run.length != length:
                        run = self._run = Run(length, before - 8)
                    had = len(unit)
                    same, tail = data[position : position + 6], data[position + 8 : position + before]
                    for head, number, place, body in run.unpack(view[position : end - (end - position) % run.stride]):
                        if place != tail or number != expected or head != same:
                            break
                        unit.append(body)
                        expected = (expected + 1) & 0xFFFF
                    had = len(unit) - had
                    packets += had
                    fragment += had * run.body
                    position += had * run.stride
                    continue
                if not begins(opening.ending, position + 16) or not (opening.ordinary or (trusted and opening.key)):
                    break
                unit.append(data[position + before : following])
                fragment += following - position - before
                unit[at] = fragment.to_bytes(4, "big")
                size += fragment + 4
                if opening.key:
                    key = True
                opening = None
            elif stamp != current and (unit or (stamp ^ current) & 0xFFFFFFFF):
                break
            elif first in slices:
                unit += ((length - 12).to_bytes(4, "big"), data[position + 16 : following])
                size += length - 8
            else:
                opening = openings.get(data[position + 16 : position + before])
                if opening is None or flags != plain or not (opening.ordinary or (trusted and opening.key)):
                    opening = None
                    break
                at = len(unit)
                unit += (b"", opening.header, data[position + before : following])
                fragment = len(opening.header) + following - position - before
                current = stamp
                expected = (expected + 1) & 0xFFFF
                packets += 1
                position = following
                continue
            current = stamp
            expected = (expected + 1) & 0xFFFF
            packets += 1
            position = following
            video = True
            if flags == marked:
                on_unit(unit, size, key, False, current >> 32)
                unit, size, key, video = [], 0, False, False
        depacketizer.unit, depacketizer.size, depacketizer.key, depacketizer.open = unit, size, key, opening
        depacketizer.video, depacketizer.fragment_at, depacketizer.fragment_size = video, at, fragment
        self._stamp = current.to_bytes(8, "big")
        self._expected, self.packets = expected, packets
        return position

    def bound(self) -> None:
        """Throw away an access unit that grows without end."""
        if self._depacketizer.oversized:
            self._depacketizer.reset()
            self._damaged = True
            self._on_loss(0)

    def lose(self) -> None:
        """Bytes went missing below RTP."""
        self._depacketizer.reset()
        self._damaged = True
        self._on_loss(0)

    def _take_gap(self, number: int, data: bytes, payload: int, end: int) -> bool:
        """False for the repetition of the last packet; else what is unfinished is lost."""
        missing = (number - self._expected) & 0xFFFF
        if self._expected >= 0:
            if missing == 0xFFFF:
                return False
            self._depacketizer.reset()
            self._on_loss(missing if missing < 0x8000 else 1)
        self._damaged = not self._depacketizer.begins_unit(data, payload, end)
        return True

    def _admit(self, payload_type: int, stamp: bytes) -> bool:
        """Whether to take a packet of another payload type or SSRC than the stream's so far.

        Stale sessions of some servers leak into new ones, and a few cameras send what their SDP does not tell; but
        a stream may also change its SSRC, or have a wrong payload type in its SDP.
        """
        same_type = payload_type == self._payload_type
        if same_type and not self._stamp:
            return True
        if self._strangers_since != self.packets:
            self._strangers_since = self.packets
            self._strangers = 0
        self._strangers += 1
        if self._strangers < _STRANGERS:
            return False
        self._strangers = 0
        self._payload_type = payload_type
        if self._stamp:
            self._depacketizer.reset()
            self._stamp = b""
            self._expected = -1
            self._on_loss(0)
        return True

    def _finish(self) -> None:
        depacketizer = self._depacketizer
        if self._damaged:
            self._damaged = False
            depacketizer.reset()
            return
        key, recovery = depacketizer.key, depacketizer.recovery
        unit, size = depacketizer.take()
        self._on_unit(unit, size, key, recovery, int.from_bytes(self._stamp[:4], "big"))


def payload_bounds(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the payload lies behind CSRC list and extension, and before the padding; (end, end) where there is none."""
    first = data[start]
    payload = start + 12 + 4 * (first & 15)
    if first & 0x10:
        if payload + 4 > end:
            return end, end
        payload += 4 + 4 * (data[payload + 2] << 8 | data[payload + 3])
    if first & 0x20:
        end -= data[end - 1]
    return (payload, end) if payload <= end else (end, end)

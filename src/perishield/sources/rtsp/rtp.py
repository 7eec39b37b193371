"""RTP packets of one video track (RFC 3550 section 5.1): losses, access unit boundaries, tolerance of odd firmware.

An access unit ends where the timestamp changes, or at a marker once it holds a slice: some cameras set the marker on
parameter sets, some never set it.
"""

from __future__ import annotations

from collections.abc import Callable

from perishield.sources.rtsp.depacketizer import Depacketizer

_STRANGERS = 16
"""Packets in a row of another source or payload type after which that is taken for the stream itself."""

OnUnit = Callable[[list[bytes], int, bool, bool, int], None]
"""(slices, size, key, recovery point, RTP timestamp)"""


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
        """Take in the interleaved packets from `position` on that merely carry on an open fragmented NAL unit, and the
        one that ends it.

        Returns where the first other one begins. Most packets of a stream are such: `packet` would do the same with
        them at twice the cost.
        """
        depacketizer = self._depacketizer
        middle = depacketizer.middle
        if not middle:
            return position
        # A run's packets are of one length: all of their heads but the sequence number are the same bytes.
        keep = depacketizer.unit.append
        before, expected = position, self._expected
        tail = self._stamp + middle
        skip = 8 + len(tail)
        head = data[position : position + 4] + bytes((0x80, self._payload_type))
        length = head[2] << 8 | head[3] if len(head) == 6 else 0
        following = position + 4 + length
        if length > skip - 4 and head[0] == 0x24 and head[1] == channel:
            while (
                following <= end
                and data.startswith(tail, position + 8)
                and data.startswith(head, position)
                and data[position + 6] << 8 | data[position + 7] == expected
            ):
                keep(data[position + skip : following])
                expected = (expected + 1) & 0xFFFF
                position = following
                following += length + 4
        taken = (position - before) // (length + 4)
        if taken:
            depacketizer.fragment_size += taken * (length + 4 - skip)
            self._expected = expected
            self.packets += taken
        return self._end(data, position, end, channel)

    def _end(self, data: bytes, position: int, end: int, channel: int) -> int:
        """Take in the packet at `position` if it ends the open fragmented NAL unit in the plainest way."""
        depacketizer = self._depacketizer
        ending = self._stamp + depacketizer.ending
        body = position + 8 + len(ending)
        if (
            body >= end
            or not data.startswith(ending, position + 8)
            or data[position] != 0x24
            or data[position + 1] != channel
            or data[position + 4] != 0x80
            or data[position + 5] & 0x7F != self._payload_type
            or data[position + 6] << 8 | data[position + 7] != self._expected
        ):
            return position
        following = position + 4 + (data[position + 2] << 8 | data[position + 3])
        if not body < following <= end:
            return position
        depacketizer.unit.append(data[body:following])
        depacketizer.fragment_size += following - body
        self._expected = (self._expected + 1) & 0xFFFF
        self.packets += 1
        depacketizer.end_fragment()
        if data[position + 5] & 0x80 and depacketizer.video:
            self._finish()
        return following

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

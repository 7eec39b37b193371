"""What a stream's RTP packets tell before anything can be decoded: losses, jitter, and which NAL units there are.

H.264 payloads: RFC 6184 section 5.2. H.265 payloads: RFC 7798 section 4.4. Jitter: RFC 3550 section 6.4.1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from perishield.model.media import TIMESCALE, Codec

_KEYS = {Codec.H264: frozenset((5,)), Codec.H265: frozenset(range(16, 22))}
_SETS = {Codec.H264: frozenset((7, 8)), Codec.H265: frozenset((32, 33, 34))}
_KNOWN = {
    Codec.H264: frozenset((*range(1, 13), 14, 15, 19, 20)),
    Codec.H265: frozenset((*range(10), *range(16, 22), *range(32, 41))),
}
_MOST_NALS = 64


@dataclass(slots=True)
class Census:
    """Counts one track's packets in the order in which they are handed on. `rate`: RTP clock, ticks a second."""

    codec: Codec
    rate: int = TIMESCALE
    packets: int = 0
    lost: int = 0
    late: int = 0
    """Repeated packets, and those that came after their place was given up."""
    jitter_s: float = 0.0
    sources: set[bytes] = field(default_factory=set)
    nals: Counter[int] = field(default_factory=Counter)
    _expected: int = -1
    _transit: float | None = None

    @property
    def keys(self) -> int:
        """NAL units of key frames."""
        return sum(self.nals[kind] for kind in _KEYS[self.codec])

    @property
    def slices(self) -> int:
        """NAL units of pictures, key frames among them."""
        pictures = range(1, 6) if self.codec is Codec.H264 else range(22)
        return sum(self.nals[kind] for kind in pictures)

    @property
    def missing_sets(self) -> tuple[int, ...]:
        """Kinds of parameter sets that never stood in the stream."""
        return tuple(sorted(kind for kind in _SETS[self.codec] if not self.nals[kind]))

    @property
    def strange(self) -> float:
        """The share of NAL units of kinds that no standard knows, 0 to 1: near a half where payloads are noise."""
        total = self.nals.total()
        return 0.0 if not total else 1 - sum(self.nals[kind] for kind in _KNOWN[self.codec]) / total

    def packet(self, data: bytes, start: int, end: int, arrival: float) -> None:
        """Count the RTP packet data[start:end] that came at monotonic `arrival`. Never raises."""
        if end - start < 12 or data[start] & 0xC0 != 0x80:
            return
        number = data[start + 2] << 8 | data[start + 3]
        ahead = (number - self._expected) & 0xFFFF if self._expected >= 0 else 0
        if ahead >= 0x8000:
            self.late += 1
            return
        self.lost += ahead
        self._expected = (number + 1) & 0xFFFF
        self.packets += 1
        if len(self.sources) < _MOST_NALS:
            self.sources.add(bytes(data[start + 8 : start + 12]))
        self._time(int.from_bytes(data[start + 4 : start + 8], "big"), arrival)
        payload = start + 12 + 4 * (data[start] & 15)
        if data[start] & 0x10 and payload + 4 <= end:
            payload += 4 + 4 * (data[payload + 2] << 8 | data[payload + 3])
        if payload + 2 < end:
            self._payload(data, payload, end)

    def _time(self, timestamp: int, arrival: float) -> None:
        wrap = 2**32 / self.rate
        transit = (arrival - timestamp / self.rate) % wrap
        if self._transit is not None:
            apart = abs(transit - self._transit)
            apart = min(apart, wrap - apart)
            if apart < 10:
                self.jitter_s += (apart - self.jitter_s) / 16
        self._transit = transit

    def _payload(self, data: bytes, start: int, end: int) -> None:
        if self.codec is Codec.H264:
            kind, header, single, aggregate, fragment = data[start] & 31, 1, range(24), 24, 28
        else:
            kind, header, single, aggregate, fragment = data[start] >> 1 & 63, 2, range(48), 48, 49
        if kind in single:
            self.nals[kind] += 1
        elif kind == aggregate:
            self._aggregate(data, start + header, end)
        elif kind == fragment:
            mark = data[start + header]
            if mark & 0x80:
                self.nals[mark & (31 if self.codec is Codec.H264 else 63)] += 1
        else:
            self.nals[-kind] += 1

    def _aggregate(self, data: bytes, position: int, end: int) -> None:
        for _ in range(_MOST_NALS):
            if position + 3 > end:
                return
            size = data[position] << 8 | data[position + 1]
            if not size or position + 2 + size > end:
                return
            first = data[position + 2]
            self.nals[first & 31 if self.codec is Codec.H264 else first >> 1 & 63] += 1
            position += 2 + size

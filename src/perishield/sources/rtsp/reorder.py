"""RTP packets back in the order in which they were sent (RFC 3550 appendix A.1), for transports that shuffle.

Bounded in packets and in seconds: what has not come by then is given up, and what comes after that is thrown away, so
that whoever reads the packets sees gaps but never a step back.
"""

from __future__ import annotations

from perishield.sources.reception import Reception

_MOST_PACKETS = 128
_LONGEST_S = 0.1
_FARTHEST_AHEAD = 3_000
"""MAX_DROPOUT of RFC 3550; farther off, it is another sequence."""
_FARTHEST_BACK = 500
_STRANGERS = 16
"""As `rtp.RtpTrack`: so many packets of another source in a row are the stream itself."""
_MOST_GIVEN_UP = 4_096
_HEADER = 4


class Reorder:
    """Takes and gives packets behind a four-byte header of the caller's (`$`, channel, length).

    A sequence that restarts is believed when two packets of it follow each other.
    """

    __slots__ = (
        "_given_up",
        "_held",
        "_longest_s",
        "_most",
        "_oddity",
        "_reception",
        "_strangers",
        "expected",
        "source",
    )

    def __init__(self, reception: Reception, *, most: int = _MOST_PACKETS, longest_s: float = _LONGEST_S) -> None:
        self._reception = reception
        self._most = most
        self._longest_s = longest_s
        self.expected = -1
        """The number that comes next, or -1 before the first packet."""
        self.source = b""
        self._held: dict[int, tuple[bytes, float]] = {}
        self._given_up: dict[int, None] = {}
        self._oddity: tuple[int, bytes] | None = None
        self._strangers = 0

    @property
    def waiting(self) -> bool:
        """Packets are held back: `expire` wants to be called."""
        return bool(self._held)

    @property
    def due(self) -> float:
        """Monotonic seconds at which the oldest held packet has waited long enough."""
        return min(since for _, since in self._held.values()) + self._longest_s if self._held else 0.0

    def followed(self, expected: int) -> None:
        """The caller passed packets on by itself, each the next of `source`; `expected` comes after them."""
        self.expected = expected
        self._strangers = 0

    def take(self, packet: bytes, now: float) -> list[bytes]:
        """What may be passed on, in order, after `packet` came at monotonic `now`."""
        number = packet[_HEADER + 2] << 8 | packet[_HEADER + 3]
        source = packet[_HEADER + 8 : _HEADER + 12]
        if source != self.source and not self._adopt(number, source):
            return [packet]
        self._strangers = 0
        ahead = (number - self.expected) & 0xFFFF
        if ahead == 0:
            out = [packet]
            self.expected = (number + 1) & 0xFFFF
            if self._held:
                self._reception.reordered += 1
                self._run(out)
            return out
        if ahead < _FARTHEST_AHEAD:
            return self._hold(number, packet, now)
        if ahead > 0x10000 - _FARTHEST_BACK:
            self._behind(number)
            return []
        return self._restart(number, packet)

    def expire(self, now: float) -> list[bytes]:
        """What may be passed on because it has waited long enough for what lies before it."""
        out: list[bytes] = []
        while self._held and now >= self.due:
            self._skip(out)
        return out

    def _adopt(self, number: int, source: bytes) -> bool:
        """Whether `source` is, or from here on is, the stream's. Strangers pass: the track knows what to do."""
        if self.source:
            self._strangers += 1
            if self._strangers < _STRANGERS:
                return False
            self._reception.sources += 1
        self._begin(number, source)
        return True

    def _begin(self, number: int, source: bytes) -> None:
        self.source, self.expected = source, number
        self._held.clear()
        self._given_up.clear()
        self._strangers = 0
        self._oddity = None

    def _hold(self, number: int, packet: bytes, now: float) -> list[bytes]:
        if number in self._held:
            self._reception.duplicates += 1
            return []
        if self._held and self._distance(number) < max(self._distance(held) for held in self._held):
            self._reception.reordered += 1
        self._held[number] = (packet, now)
        out: list[bytes] = []
        while len(self._held) > self._most:
            self._skip(out)
        return out

    def _behind(self, number: int) -> None:
        if number in self._given_up:
            del self._given_up[number]
            self._reception.late += 1
        else:
            self._reception.duplicates += 1

    def _restart(self, number: int, packet: bytes) -> list[bytes]:
        """A number from nowhere: the first of two is kept until the second proves it."""
        oddity = self._oddity
        if oddity is None or number != oddity[0]:
            self._oddity = ((number + 1) & 0xFFFF, packet)
            return []
        out = [held for _, (held, _) in sorted(self._held.items(), key=lambda item: self._distance(item[0]))]
        self._reception.sources += 1
        self._begin((number + 1) & 0xFFFF, self.source)
        return [*out, oddity[1], packet]

    def _skip(self, out: list[bytes]) -> None:
        """Give up what lies before the nearest held packet."""
        nearest = min(self._held, key=self._distance)
        for number in range(self.expected, self.expected + self._distance(nearest)):
            self._given_up[number & 0xFFFF] = None
        while len(self._given_up) > _MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
        self.expected = nearest
        self._run(out)

    def _run(self, out: list[bytes]) -> None:
        """Append what now follows without a gap."""
        while (held := self._held.pop(self.expected, None)) is not None:
            out.append(held[0])
            self.expected = (self.expected + 1) & 0xFFFF

    def _distance(self, number: int) -> int:
        return (number - self.expected) & 0xFFFF

"""Cuts the bytes of an RTSP connection into interleaved packets and messages (RFC 2326 sections 10.12 and 4).

Runs for every byte of every camera: one loop over what was read, slices only of what is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from perishield.model.errors import SourceError

_DOLLAR: Final = 0x24
_LARGEST_HEAD: Final = 65_536
_LARGEST_BODY: Final = 1 << 20
_MOST_RESYNCS: Final = 10
_METHODS: Final = (
    b"OPTIONS ",
    b"SET_PARAMETER ",
    b"GET_PARAMETER ",
    b"ANNOUNCE ",
    b"REDIRECT ",
    b"TEARDOWN ",
    b"PLAY_NOTIFY ",
)
_STARTS: Final = (b"RTSP/", *_METHODS)


@dataclass(slots=True)
class Message:
    """A response (`status` above 0) or a request of the server's (`method`). Header names are lower case."""

    status: int = 0
    reason: str = ""
    method: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        values = self.headers.get(name)
        return values[0] if values else None


OnPacket = Callable[[bytes, int, int], None]
OnRun = Callable[[bytes, int, int, int], int]


class Framer:
    """`on_rtp(data, start, end)` gets packets of the RTP channel, `on_control` those of the RTCP channel; both within
    `data`, whose bytes stay valid. Other channels are counted in `stray`. `on_desync` hears of skipped bytes.
    """

    __slots__ = (
        "_carry_on",
        "_heard",
        "_on_control",
        "_on_desync",
        "_on_message",
        "_on_rtp",
        "_others",
        "_rest",
        "_resyncs",
        "_synced",
        "channels",
        "stray",
    )

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        self.channels = (-1, -1)
        self.stray = 0
        self._on_message = on_message
        self._on_rtp: OnPacket = _ignore
        self._carry_on: OnRun = _none
        self._others: dict[int, OnPacket] = {}
        self._on_control: OnPacket = _ignore
        self._on_desync: Callable[[], None] = lambda: None
        self._rest = b""
        self._heard = False
        self._synced = True
        self._resyncs = 0

    def attach(
        self,
        channels: tuple[int, int],
        on_rtp: OnPacket,
        on_control: OnPacket,
        on_desync: Callable[[], None],
        carry_on: OnRun | None = None,
    ) -> None:
        """From here on, packets of these channels (RTP, RTCP) are wanted.

        `carry_on(data, position, end, channel)` may take in a run of packets itself; it returns where the run ends.
        """
        self.channels = channels
        self._on_rtp, self._on_control, self._on_desync = on_rtp, on_control, on_desync
        self._carry_on = carry_on or _none

    def also(self, channel: int, on_packet: OnPacket) -> None:
        """Packets of another track's channel are wanted too."""
        self._others[channel] = on_packet

    def feed(self, view: memoryview | bytes) -> None:
        """Take in what was read; `view` may be overwritten afterwards.

        Raises SourceError where the peer does not speak RTSP, or speaks it beyond recovery.
        """
        rest = self._rest
        data = b"".join((rest, view)) if rest else bytes(view)
        rtp, control = self.channels
        on_rtp, carry_on = self._on_rtp, self._carry_on
        position = 0
        end = len(data)
        if not self._synced:
            position = self._resync(data, 0)
        while position < end:
            if data[position] == _DOLLAR:
                if position + 4 > end:
                    break
                start = position + 4
                following = start + (data[position + 2] << 8 | data[position + 3])
                if following > end:
                    break
                channel = data[position + 1]
                if channel == rtp:
                    on_rtp(data, start, following)
                    position = carry_on(data, following, end, rtp)
                    continue
                if channel == control:
                    self._on_control(data, start, following)
                elif (on_other := self._others.get(channel)) is not None:
                    on_other(data, start, following)
                else:
                    self.stray += 1
                position = following
                continue
            following = self._text(data, position)
            if following < 0:
                break
            position = following
            rtp, control = self.channels
            on_rtp, carry_on = self._on_rtp, self._carry_on
        self._rest = data[position:] if position < end else b""

    def _text(self, data: bytes, position: int) -> int:
        """Where the next frame begins after what is no interleaved packet at `position`; -1 to wait for more bytes."""
        if data[position] in b"\r\n \0":
            return position + 1
        if data.startswith(_STARTS, position):
            return self._message(data, position)
        some = data[position : position + 16]
        if any(start.startswith(some) for start in _STARTS):
            return -1
        if self.channels == (-1, -1) and self._heard:
            # The rest of a body whose length was told too small, or not at all.
            found = data.find(b"RTSP/", position)
            return found if found >= 0 else len(data)
        if self.channels == (-1, -1):
            raise SourceError("the answer is not RTSP", code="not_a_video")
        self._resyncs += 1
        if self._resyncs > _MOST_RESYNCS:
            raise SourceError("the stream is garbled", code="protocol")
        self._on_desync()
        self._synced = False
        return self._resync(data, position)

    def _resync(self, data: bytes, position: int) -> int:
        """The next place that looks like a packet of ours; len(data) less what may be one's beginning otherwise."""
        while True:
            found = data.find(b"$", position)
            if found < 0:
                return len(data)
            if found + 6 > len(data):
                return found
            channel = data[found + 1]
            if (channel in self.channels or channel in self._others) and data[found + 4] & 0xC0 == 0x80:
                self._synced = True
                return found
            position = found + 1

    def _message(self, data: bytes, position: int) -> int:
        head_end, body = _head_end(data, position)
        if head_end < 0:
            if len(data) - position > _LARGEST_HEAD:
                raise SourceError("the server's answer has no end", code="protocol")
            return -1
        message = parse_head(data[position:head_end])
        length = message.header("content-length") or ""
        if length.isdecimal() and len(length) < 10:
            size = int(length)
        else:
            size = _undeclared(data, body) if message.status else 0
        if size > _LARGEST_BODY:
            raise SourceError(f"the server announces {size} bytes of description", code="protocol")
        if body + size > len(data):
            return -1
        message.body = data[body : body + size]
        self._heard = True
        self._on_message(message)
        return body + size


def _ignore(data: bytes, start: int, end: int) -> None:
    pass


def _none(data: bytes, position: int, end: int, channel: int) -> int:
    return position


def _undeclared(data: bytes, body: int) -> int:
    """Bytes of a description that follows without having been announced."""
    if not data.startswith((b"v=", b"m="), body):
        return 0
    end = data.find(b"\nRTSP/", body)
    return (end + 1 if end >= 0 else len(data)) - body


def _head_end(data: bytes, position: int) -> tuple[int, int]:
    """End of a message's head and start of its body; bare line feeds are taken as well."""
    strict = data.find(b"\r\n\r\n", position)
    bare = data.find(b"\n\n", position, strict if strict >= 0 else len(data))
    if bare >= 0:
        return bare, bare + 2
    return (strict, strict + 4) if strict >= 0 else (-1, -1)


def parse_head(head: bytes) -> Message:
    """Start line and headers. Raises SourceError where there is no status in a response."""
    lines = head.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    message = Message()
    first = lines[0].split(None, 2)
    if lines[0].startswith("RTSP/"):
        if len(first) < 2 or not (first[1].isascii() and first[1].isdecimal() and len(first[1]) == 3):
            raise SourceError("the server's answer has no status", code="protocol")
        message.status = int(first[1])
        message.reason = first[2].strip() if len(first) > 2 else ""
    else:
        message.method = first[0] if first else ""
    for line in lines[1:]:
        name, separator, value = line.partition(":")
        if separator:
            message.headers.setdefault(name.strip().lower(), []).append(value.strip())
    return message

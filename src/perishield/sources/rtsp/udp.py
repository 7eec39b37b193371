"""RTP in datagrams (RFC 3550 section 11): a pair of ports, who may send to them, and reading without waste.

Datagrams get the four-byte header of interleaved packets (RFC 2326 section 10.12), so that all that follows reads both
transports alike, many packets at a time. While nobody needs low delay, the socket rests between two reads.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable

from perishield.model.errors import SourceError
from perishield.sources.reception import Reception
from perishield.sources.rtsp.reorder import Reorder

_BUFFER_SIZE = 1 << 18
_LARGEST = 65_536
_WANTED_RECEIVE_BUFFER = 4 << 20
_SO_RCVBUFFORCE = 33
_FASTEST_CAMERA = 12_500_000
"""Bytes a second of a 100 Mbit/s network socket, at which a camera sends its key frames."""
_OVERHEAD = 2
"""The kernel counts about twice a datagram's bytes against the receive buffer."""
_LONGEST_REST_S = 0.12
_TRIES = 64
_MOST_AT_ONCE = 4_096
"""Datagrams in a row; the rest waits for the event loop's next turn."""
_STRANGERS = 16
_HEADER = struct.Struct("!BBH")
_PUNCH = struct.pack("!BBHII", 0x80, 96, 0, 0, 0)
_buffers = threading.local()

Feed = Callable[[memoryview | bytes], None]


def _shared_buffer() -> bytearray:
    """One for every stream of a thread's event loop: what is read is passed on before the next read."""
    buffer: bytearray | None = getattr(_buffers, "buffer", None)
    if buffer is None:
        buffer = _buffers.buffer = bytearray(_BUFFER_SIZE)
    return buffer


def _bind_pair(local: str, family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    """An even port and the next one. Raises SourceError where none are free."""
    for _ in range(_TRIES):
        pair = [socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)]
        try:
            pair[0].bind((local, 0))
            port = pair[0].getsockname()[1]
            if port % 2 == 0 and port < 65_535:
                pair[1].bind((local, port + 1))
                for one in pair:
                    one.setblocking(False)
                return pair[0], pair[1]
        except OSError:
            pass
        for one in pair:
            one.close()
    raise SourceError("no two free UDP ports: too many streams, or a firewall of this host's", code="unreachable")


def _widen(one: socket.socket) -> int:
    """A receive buffer that holds a key frame; returns the bytes granted."""
    try:
        one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WANTED_RECEIVE_BUFFER)
    except OSError:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WANTED_RECEIVE_BUFFER)
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


class UdpPair:
    """Ports `port` (RTP) and the next (RTCP) for one track. `feed` gets interleaved packets of `channel` and the next;
    what it raises ends up in `on_error`.

    Only the server may send: its address on the control connection, or the one that it names. Another's packets are
    believed where the server is silent and sixteen have come. From then on the kernel lets in no other's.
    """

    def __init__(
        self,
        local: str,
        family: socket.AddressFamily,
        *,
        channel: int,
        feed: Feed,
        on_error: Callable[[Exception], None],
        reception: Reception,
    ) -> None:
        self.received = 0
        """Bytes of all datagrams that were taken."""
        self.refused = 0
        """Datagrams that are no RTP, or of others."""
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._feed = feed
        self._on_error = on_error
        self._rtp, self._control = _bind_pair(local, family)
        self.port: int = self._rtp.getsockname()[1]
        self._rest_s = min(_LONGEST_REST_S, _widen(self._rtp) / _OVERHEAD / 2 / _FASTEST_CAMERA)
        self._reorder = Reorder(reception)
        self._buffer = _shared_buffer()
        self._view = memoryview(self._buffer)
        self._low_delay = True
        self._reading = False
        self._timer: asyncio.TimerHandle | None = None
        self._hosts: frozenset[str] = frozenset()
        self._server: tuple[str, tuple[int, int]] = ("", (0, 0))
        self._learned: tuple[str, int] | None = None
        self._learned_control: tuple[str, int] | None = None
        self._strangers: dict[str, int] = {}
        self._closed = False

    @property
    def low_delay(self) -> bool:
        return self._low_delay

    @low_delay.setter
    def low_delay(self, wanted: bool) -> None:
        self._low_delay = wanted
        if wanted and not self._closed:
            self._listen(True)

    def begin(self, host: str, source: str, ports: tuple[int, int]) -> None:
        """Listen to the server at `host`, which names `source` (may be empty) and `ports` (may be 0), and open the way
        through a NAT router by sending there.
        """
        self._hosts = frozenset(_plain(one) for one in (host, source) if one)
        self._server = (source or host, ports)
        self._loop.add_reader(self._control, self._guarded, self._read_control)
        self._listen(True)
        for one, port, packet in ((self._rtp, ports[0], _PUNCH), (self._control, ports[1], b"\x80\xc9\0\1\0\0\0\0")):
            if port:
                _send(one, packet, (self._server[0], port))

    def send_control(self, packet: bytes) -> None:
        """An RTCP packet to where the server's came from, or should."""
        target = self._learned_control
        if target is None:
            host, ports = self._server
            if ports[1]:
                target = (host, ports[1])
            elif self._learned is not None:
                target = (self._learned[0], self._learned[1] + 1)
        if target is not None and not self._closed:
            _send(self._control, packet, target)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._listen(False)
        self._loop.remove_reader(self._control)
        if self._timer is not None:
            self._timer.cancel()
        self._rtp.close()
        self._control.close()

    def _listen(self, wanted: bool) -> None:
        wanted = wanted and not self._closed
        if wanted and not self._reading:
            self._loop.add_reader(self._rtp, self._guarded, self._read)
        elif self._reading and not wanted:
            self._loop.remove_reader(self._rtp)
        self._reading = wanted

    def _guarded(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception as error:  # noqa: BLE001 - what a protocol's callback raises ends its connection: so here
            self._on_error(error)

    def _wake(self) -> None:
        self._timer = None
        self._guarded(self._read)

    def _read(self) -> None:
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        before = self.received
        self._drain()
        reorder = self._reorder
        rest = 0.0
        if reorder.waiting:
            now = time.monotonic()
            if ready := reorder.expire(now):
                self._feed(b"".join(ready))
            if reorder.waiting:
                rest = max(0.002, reorder.due - now)
        calm = not self._low_delay and self.received != before
        if calm:
            rest = min(rest or self._rest_s, self._rest_s)
        self._listen(not calm)
        if rest:
            self._timer = self._loop.call_later(rest, self._wake)

    def _drain(self) -> None:
        """All datagrams that lie ready; a run of those that follow each other is passed on in one go."""
        buffer, view, reorder = self._buffer, self._view, self._reorder
        channel = self._channel
        learned = self._learned is not None
        read = self._rtp.recv_into
        position = 0
        expected, source, in_order = reorder.expected, reorder.source, not reorder.waiting
        try:
            for _ in range(_MOST_AT_ONCE):
                if position + 4 + _LARGEST > _BUFFER_SIZE:
                    reorder.followed(expected)
                    self._feed(view[:position])
                    position = 0
                start = position + 4
                try:
                    if learned:
                        size = read(view[start:])
                    else:
                        size, sender = self._rtp.recvfrom_into(view[start:])
                        if not self._admits(sender[:2], view[start : start + size]):
                            continue
                        learned = True
                except BlockingIOError:
                    break
                except OSError:
                    # An ICMP message about an earlier packet of ours: the control connection tells if it is serious.
                    continue
                if size < 12 or buffer[start] & 0xC0 != 0x80:
                    self.refused += 1
                    continue
                self.received += size
                if 200 <= buffer[start + 1] <= 207:
                    _HEADER.pack_into(buffer, position, 0x24, channel + 1, size)
                    position = start + size
                    continue
                _HEADER.pack_into(buffer, position, 0x24, channel, size)
                if (
                    in_order
                    and buffer[start + 2] << 8 | buffer[start + 3] == expected
                    and buffer.startswith(source, start + 8)
                ):
                    expected = (expected + 1) & 0xFFFF
                    position = start + size
                    continue
                if position:
                    if in_order and expected != reorder.expected:
                        reorder.followed(expected)
                    self._feed(view[:position])
                ready = reorder.take(bytes(view[position : start + size]), time.monotonic())
                if ready:
                    self._feed(b"".join(ready))
                position = 0
                expected, source, in_order = reorder.expected, reorder.source, not reorder.waiting
        finally:
            if in_order and expected != reorder.expected:
                reorder.followed(expected)
        if position:
            self._feed(view[:position])

    def _admits(self, sender: tuple[str, int], packet: memoryview) -> bool:
        """Whether this datagram is the server's; if so, no other's will be read from here on."""
        host = _plain(sender[0])
        if len(packet) < 12 or packet[0] & 0xC0 != 0x80:
            self.refused += 1
            return False
        if host not in self._hosts:
            seen = self._strangers.get(host, 0) + 1
            if seen < _STRANGERS:
                self.refused += 1
                if seen > 1 or len(self._strangers) < _STRANGERS:
                    self._strangers[host] = seen
                return False
        self._learned = sender
        try:
            self._rtp.connect(sender)
        except OSError:
            self.refused += 1
            self._learned = None
            return False
        return True

    def _read_control(self) -> None:
        view = self._view
        for _ in range(_MOST_AT_ONCE):
            try:
                size, sender = self._control.recvfrom_into(view[4:])
            except BlockingIOError:
                return
            except OSError:
                continue
            host = _plain(sender[0])
            if host not in self._hosts and (self._learned is None or host != _plain(self._learned[0])):
                self.refused += 1
                continue
            self._learned_control = sender[:2]
            _HEADER.pack_into(self._buffer, 0, 0x24, self._channel + 1, min(size, 65_535))
            self._feed(view[: 4 + size])


def _plain(host: str) -> str:
    """Without zone, and IPv4 as such where it is mapped into IPv6 (RFC 4291 section 2.5.5.2)."""
    host = host.partition("%")[0].lower()
    return host.removeprefix("::ffff:") if "." in host else host


def _send(one: socket.socket, packet: bytes, target: tuple[str, int]) -> None:
    """Best effort: what the network does not take, nobody misses."""
    try:
        one.sendto(packet, target)
    except (OSError, UnicodeError):
        return

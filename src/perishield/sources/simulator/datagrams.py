"""The farm's UDP side: two ports for all clients, and one more that nobody is told of."""

from __future__ import annotations

import asyncio
import socket

_SEND_BUFFER = 4 << 20
_TRIES = 64


class Datagrams:
    """`port` is for RTP, the next for RTCP. What the network does not take at once is lost, as from any camera."""

    def __init__(self, host: str) -> None:
        self.dropped = 0
        self.reports = 0
        """Receiver reports and other RTCP packets that came in."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
        rtp, control, other = self._sockets
        for _ in range(_TRIES):
            rtp.bind((host, 0))
            self.port: int = rtp.getsockname()[1]
            try:
                if self.port % 2 == 0:
                    control.bind((host, self.port + 1))
                    break
            except OSError:
                pass
            rtp.close()
            rtp = self._sockets[0] = socket.socket(family, socket.SOCK_DGRAM)
        other.bind((host, 0))
        for one in self._sockets:
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._rtp, self._control, self._other = rtp, control, other
        self._loop = asyncio.get_running_loop()
        for one in (rtp, control):
            self._loop.add_reader(one, self._read, one)

    def send(self, packet: bytes | memoryview, target: tuple[str, int], *, other: bool = False) -> None:
        """RTP; `other`: from a port that was never named."""
        try:
            (self._other if other else self._rtp).sendto(packet, target)
        except OSError:
            self.dropped += 1

    def send_control(self, packet: bytes, target: tuple[str, int]) -> None:
        try:
            self._control.sendto(packet, target)
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        for one in (self._rtp, self._control):
            self._loop.remove_reader(one)
        for one in self._sockets:
            one.close()

    def _read(self, one: socket.socket) -> None:
        for _ in range(64):
            try:
                one.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.reports += one is self._control

"""One session's packets over UDP (RFC 2326 section 12.39): two ports a track, to the client's address only."""

from __future__ import annotations

import asyncio
import time

_TRIES = 20


class _Port(asyncio.DatagramProtocol):
    """Hears receiver reports, which are signs of life."""

    def __init__(self, peer: str) -> None:
        self.heard = 0.0
        self._peer = peer

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0] == self._peer:
            self.heard = time.monotonic()


class DatagramPair:
    """RTP and RTCP ports of one track."""

    def __init__(
        self, rtp: asyncio.DatagramTransport, control: asyncio.DatagramTransport, ear: _Port, peer: tuple[str, int, int]
    ) -> None:
        self._rtp = rtp
        self._control = control
        self._ear = ear
        self._to_rtp, self._to_control = (peer[0], peer[1]), (peer[0], peer[2])

    @property
    def port(self) -> int:
        found: int = self._rtp.get_extra_info("sockname")[1]
        return found

    @property
    def heard(self) -> float:
        """Monotonic seconds of the client's last report; 0 before the first."""
        return self._ear.heard

    def send(self, packet: bytes) -> None:
        self._rtp.sendto(packet, self._to_rtp)

    def report(self, packet: bytes) -> None:
        self._control.sendto(packet, self._to_control)

    def close(self) -> None:
        self._rtp.close()
        self._control.close()


async def open_pair(own: str, peer: str, ports: tuple[int, int]) -> DatagramPair:
    """An even port and the next one on our address `own`, towards the client's `ports`. Raises OSError."""
    loop = asyncio.get_running_loop()
    for _ in range(_TRIES):
        ear = _Port(peer)
        rtp, _ = await loop.create_datagram_endpoint(lambda: _Port(peer), (own, 0))
        port = rtp.get_extra_info("sockname")[1]
        if port % 2 == 0:
            try:
                control, _ = await loop.create_datagram_endpoint(lambda ear=ear: ear, (own, port + 1))  # type: ignore[misc]
            except OSError:
                rtp.close()
                continue
            return DatagramPair(rtp, control, ear, (peer, *ports))
        rtp.close()
    raise OSError(f"no free pair of UDP ports on {own}")

"""All WebRTC viewers: a bounded number, each cleared away when it is gone."""

from __future__ import annotations

import asyncio

from perishield.live.line import Lines
from perishield.live.webrtc.offers import check_camera, check_offer, teach_profiles
from perishield.live.webrtc.peer import Peer
from perishield.log import Log
from perishield.model.errors import SourceError

log = Log("webrtc")


def ice_servers(addresses: tuple[str, ...]) -> list[dict[str, str]]:
    """`stun:host:port`, `turn:user:password@host:port` as browsers and aiortc name them."""
    found = []
    for address in addresses:
        scheme, _, rest = address.partition(":")
        pair, at, host = rest.rpartition("@")
        server = {"urls": f"{scheme}:{host}"}
        if at:
            name, _, password = pair.partition(":")
            server |= {"username": name, "credential": password}
        found.append(server)
    return found


class Peers:
    """`most` bounds the viewers."""

    def __init__(self, lines: Lines, servers: tuple[str, ...] = (), *, most: int = 16) -> None:
        self.most = most
        self._lines = lines
        self._servers = ice_servers(servers)
        self._peers: dict[str, Peer] = {}
        self._taught = False

    def __len__(self) -> int:
        return len(self._peers)

    async def offer(self, camera: str, sdp: str) -> tuple[str, str]:
        """The new peer's id and the answer. Raises SourceError: `busy`, `gone`, `unsupported_codec`, `protocol`."""
        check_offer(sdp)
        if len(self._peers) >= self.most:
            raise SourceError(
                f"{self.most} viewers watch over WebRTC already; raise [live] webrtc_peers or use the usual player",
                code="busy",
            )
        peer = Peer(camera, self._lines, self._forget)
        self._peers[peer.id] = peer
        try:
            description = await self._lines.description(camera)
            check_camera(camera, description, reordered=self._lines.reordered(camera))
            if not self._taught:
                await asyncio.to_thread(__import__, "aiortc")
                teach_profiles()
                self._taught = True
            return peer.id, await peer.answer(sdp, self._servers)
        except BaseException:
            self._peers.pop(peer.id, None)
            await peer.ended()
            raise

    def find(self, name: str) -> Peer | None:
        return self._peers.get(name)

    def drop(self, camera: str) -> None:
        """End those who watch a camera that is no more."""
        for peer in tuple(self._peers.values()):
            if peer.camera == camera:
                peer.end()

    async def close(self) -> None:
        await asyncio.gather(*(peer.ended() for peer in tuple(self._peers.values())))

    def _forget(self, peer: Peer) -> None:
        self._peers.pop(peer.id, None)

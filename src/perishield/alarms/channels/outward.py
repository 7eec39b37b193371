"""HTTP to others: to the address that was judged, without redirects, in bounded time and memory."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from perishield.model.channels import Reach
from perishield.model.errors import ChannelError
from perishield.model.outward import Outward, checked

CONNECT_S = 3.0
_MOST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `body` is cut at 64 KiB."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


async def judged(url: str, reach: Reach) -> Outward:
    """Where to connect. Raises OutwardError."""
    return await checked(url, lan=reach != "internet", loopback=reach == "host", timeout_s=CONNECT_S)


def trusting(ca: str) -> ssl.SSLContext:
    """The usual authorities, and those in `ca` (PEM). Raises ChannelError."""
    context = ssl.create_default_context()
    if ca:
        try:
            context.load_verify_locations(cadata=ca)
        except ssl.SSLError as error:
            raise ChannelError(f"target.ca: no certificates in PEM: {error}", field="target.ca") from error
    return context


class Outbound:
    """Requests to one receiver, whose connections are kept for the next."""

    def __init__(self, reach: Reach, *, ca: str = "", timeout_s: float = 10.0) -> None:
        self._reach = reach
        self._timeout_s = timeout_s
        self._context = trusting(ca)
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def request(self, method: str, url: str, *, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises OutwardError where it may not be, httpx.HTTPError or TimeoutError where there is no answer."""
        async with asyncio.timeout(self._timeout_s):
            place = await judged(url, self._reach)
            address = httpx.URL(url)
            # By name of its own for each host: a connection kept for one must not serve another at the same address.
            client = self._clients.get(place.host) or self._open(place.host)
            request = client.build_request(
                method,
                address.copy_with(host=place.ip),
                content=body,
                headers={**headers, "host": address.netloc.decode("ascii").rpartition("@")[2]},
                extensions={"sni_hostname": place.host},
            )
            reply = await client.send(request, stream=True)
            try:
                found = b""
                async for piece in reply.aiter_raw(16 << 10):
                    found += piece
                    if len(found) >= _MOST_BYTES:
                        break
            finally:
                await reply.aclose()
        return Reply(reply.status_code, found[:_MOST_BYTES], reply.headers)

    def _open(self, host: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            verify=self._context,
            timeout=httpx.Timeout(self._timeout_s, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=20),
            follow_redirects=False,
            # A proxy from the environment would connect where we have not looked.
            trust_env=False,
            headers={"user-agent": "PyPeriShield", "accept-encoding": "identity"},
        )
        self._clients[host] = client
        return client

    async def close(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

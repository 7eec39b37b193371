"""HTTP to cameras and recorders: Digest or Basic as they ask for, to the address that was judged, in bounded memory.

One wrong password ends it: devices lock out whoever tries again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx

from perishield.model.device_reach import DeviceReach, judged
from perishield.model.errors import SourceError, mask_url
from perishield.model.outward import PORTS
from perishield.sources.rtsp.auth import Credentials

_CONNECT_S = 3.0
_ANSWER_S = 15.0
_MOST_TEXT = 4 << 20


class DeviceHttp:
    """Requests to one device. Raises SourceError with the codes of cameras.

    `reach`: where devices may be; `loopback`: this host, too (tests).
    """

    def __init__(
        self, url: str, username: str, password: str, *, reach: DeviceReach | None = None, loopback: bool = False
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials = Credentials(username, password)
        self._reach = reach or DeviceReach(allowed=("127.0.0.0/8", "::1") if loopback else ())
        # Devices sign their certificates themselves. The password travels only where nothing but Basic is offered.
        self._client = httpx.AsyncClient(
            verify=False,  # noqa: S501
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )

    async def text(self, method: str, target: str, body: str = "") -> str:
        """The answer's text. `target`: path and query, quoted."""
        reply = await self._request(method, target, body)
        try:
            found = b""
            async for piece in reply.aiter_raw(64 << 10):
                found += piece
                if len(found) > _MOST_TEXT:
                    raise SourceError(f"{self._shown}: answers more than {_MOST_TEXT} bytes", code="protocol")
        except httpx.HTTPError as error:
            raise self._failed(error) from error
        finally:
            await reply.aclose()
        return found.decode(errors="replace")

    async def file(self, method: str, target: str, body: str, path: Path, most_bytes: int) -> int:
        """Write the answer to a file; returns its size."""
        reply = await self._request(method, target, body)
        size = 0
        try:
            with path.open("wb") as file:
                async for piece in reply.aiter_raw(256 << 10):
                    size += len(piece)
                    if size > most_bytes:
                        raise SourceError(f"{self._shown}: sends more than {most_bytes} bytes", code="protocol")
                    await asyncio.to_thread(file.write, piece)
        except httpx.HTTPError as error:
            raise self._failed(error) from error
        finally:
            await reply.aclose()
        return size

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def _shown(self) -> str:
        return mask_url(self.url)

    async def _request(self, method: str, target: str, body: str) -> httpx.Response:
        while True:
            headers: dict[str, str] = {"content-type": "application/xml"} if body else {}
            authorization = self._credentials.authorization(method, target)
            if authorization:
                headers["authorization"] = authorization
            reply = await self._send(method, target, body, headers)
            if reply.status_code == 401:
                challenges = reply.headers.get_list("www-authenticate")
                await reply.aclose()
                if self._credentials.challenge(challenges):
                    continue
                raise SourceError(f"{self._shown}: refuses user and password", code="auth_failed", retry_after_s=1800.0)
            self._credentials.accepted()
            if reply.status_code >= 400:
                await reply.aclose()
                busy = reply.status_code in (403, 429, 503)
                raise SourceError(
                    f"{self._shown}: answers {reply.status_code}"
                    + ("; it may serve too many viewers at once" if busy else ""),
                    code="busy" if busy else "not_found" if reply.status_code == 404 else "protocol",
                )
            return reply

    async def _send(self, method: str, target: str, body: str, headers: Mapping[str, str]) -> httpx.Response:
        base = httpx.URL(self.url)
        try:
            async with asyncio.timeout(_CONNECT_S):
                ip = await judged(base.host, base.port or PORTS[base.scheme], self._reach)
        except SourceError as error:
            raise SourceError(f"{self._shown}: {error.message}", code="refused") from error
        except (OSError, UnicodeError, TimeoutError) as error:
            raise SourceError(f"{self._shown}: there is no such name; check its spelling", code="dns") from error
        # The target as the digest was made over it: it must not be quoted again.
        request = httpx.Request(
            method,
            base.copy_with(host=ip, raw_path=target.encode("ascii")),
            content=body.encode(),
            headers={**headers, "host": base.netloc.decode("ascii")},
            extensions={"sni_hostname": base.host, "timeout": self._client.timeout.as_dict()},
        )
        try:
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._failed(error) from error

    def _failed(self, error: httpx.HTTPError) -> SourceError:
        code = "timeout" if isinstance(error, httpx.TimeoutException) else "unreachable"
        return SourceError(f"{self._shown}: {str(error) or type(error).__name__}", code=code)

"""To a camera's door: TCP, and TLS where the address says so."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from perishield.model.device_reach import DeviceReach, judged
from perishield.model.errors import SourceError, mask_url
from perishield.model.site import Transport
from perishield.sources.rtsp import tls
from perishield.sources.rtsp.connection import Connection
from perishield.sources.rtsp.refusal import Patience
from perishield.sources.rtsp.url import Endpoint


@dataclass(frozen=True, slots=True)
class Terms:
    """What is wanted of a connection: as `Camera.transport` and `Camera.tls_fingerprint`.

    `reach`: where it may lead to; None: anywhere.
    """

    transport: Transport = Transport.AUTO
    fingerprint: str = ""
    reach: DeviceReach | None = None


async def dial(endpoint: Endpoint, terms: Terms, patience: Patience, made: Callable[[], Connection]) -> Connection:
    """Connect `made()`. Raises SourceError, OSError and TimeoutError; nothing was sent then."""
    if endpoint.tls and terms.transport is Transport.UDP:
        raise SourceError(
            "RTSPS protects what travels inside the connection, not UDP: set the transport to automatic or TCP",
            code="protocol",
        )
    host = endpoint.host
    pin = terms.fingerprint if endpoint.tls else ""
    try:
        async with asyncio.timeout(patience.connect_s):
            if terms.reach is not None:
                host = await judged(endpoint.host, endpoint.port, terms.reach)
            transport, connection = await asyncio.get_running_loop().create_connection(
                made,
                host,
                endpoint.port,
                ssl=tls.context(pinned=bool(pin)) if endpoint.tls else None,
                server_hostname=endpoint.host if endpoint.tls else None,
            )
    except ssl.SSLError as error:
        address = mask_url(endpoint.url)
        refused = await tls.refusal(error, endpoint.host, endpoint.port, address, patience.connect_s, at=host)
        refused.retry_after_s = patience.after_untrusted_s
        raise refused from None
    if pin:
        try:
            tls.check_pin(transport, pin, mask_url(endpoint.url))
        except SourceError as error:
            transport.abort()
            error.retry_after_s = patience.after_untrusted_s
            raise
    return connection

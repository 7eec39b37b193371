"""The HTTP server and the socket that it listens on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from perishield.api.app import create_app
from perishield.api.guard import Guard
from perishield.api.services import Services
from perishield.api.sockets import LARGEST_MESSAGE
from perishield.bus.process import say_ready
from perishield.model.errors import ConfigError, PortTakenError

_GRACE_S = 1


class _Listener(uvicorn.Server):
    """uvicorn without its signal handlers: this process has its own, and cleans up after them."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        say_ready()


def http_server(services: Services) -> uvicorn.Server:
    """Serves the app on sockets that are handed to its `serve`, and prints READY when it does."""
    return _Listener(
        uvicorn.Config(
            Guard(create_app(services)),
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            # Video does not shrink, and boxes are too small to be worth it.
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTakenError, or ConfigError for an address that this host does not have."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTakenError(
                f"{host}:{port}: {os.strerror(error.errno)}; end what uses it or set another port by [server] port",
                port=port,
            ) from error
        raise ConfigError(f"[server] host {host!r}: {error.strerror or error}; use an address of this host") from error

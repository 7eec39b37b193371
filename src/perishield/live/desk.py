"""Where the API asks the live process for things: a Unix socket, a line of JSON each way.

Only the node's own user reaches it; who may ask at all, the API has settled before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from perishield.bus.local import socket_folder
from perishield.log import Log
from perishield.model.errors import BusError, PeriShieldError, SourceError

log = Log("live")

_LARGEST = 512 * 1024
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """`offer` needs camera and text (SDP); `candidates` peer and text; `moment` and `end` peer; `status` nothing."""

    do: Literal["offer", "candidates", "moment", "end", "status"]
    camera: str = ""
    peer: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`code` is empty where it worked. `found` False: there is no such peer."""

    code: str = ""
    message: str = ""
    found: bool = True
    peer: str = ""
    text: str = ""
    epoch: int = -1
    stream_time: int = 0
    rtp: int = 0
    wall: float = 0.0
    restream_port: int = 0
    restream_viewers: int = 0
    webrtc_viewers: int = 0


Handler = Callable[[Ask], Awaitable[Told]]


def desk_path(run_dir: Path) -> Path:
    return socket_folder(run_dir) / "live.desk"


async def open_desk(run_dir: Path, handle: Handler) -> asyncio.Server:
    """Answer until the server is closed."""
    path = desk_path(run_dir)
    with suppress(FileNotFoundError):
        path.unlink()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readline()
                told = await _answer(line, handle)
                writer.write(msgspec.json.encode(told) + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("desk.lost", message=str(error))
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path, limit=_LARGEST)
    path.chmod(0o600)
    return server


async def _answer(line: bytes, handle: Handler) -> Told:
    try:
        return await handle(msgspec.json.decode(line, type=Ask))
    except PeriShieldError as error:
        return Told(code=error.code, message=error.message)
    except msgspec.DecodeError as error:
        return Told(code="protocol", message=f"not a request: {error}")


async def ask(run_dir: Path, question: Ask) -> Told:
    """What the live process answers. Raises BusError when it does not, SourceError for what it refuses."""
    try:
        async with asyncio.timeout(_PATIENCE_S + 2):
            reader, writer = await asyncio.open_unix_connection(desk_path(run_dir), limit=_LARGEST)
            try:
                writer.write(msgspec.json.encode(question) + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
        told = msgspec.json.decode(line, type=Told)
    except (OSError, TimeoutError, ValueError) as error:
        raise BusError(
            f"the live process does not answer ({str(error) or type(error).__name__}); it starts again by itself",
            code="bus_unavailable",
        ) from error
    if told.code:
        raise SourceError(told.message, code=told.code)
    return told

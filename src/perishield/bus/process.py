"""What every process of a node does the same way: take its configuration, say that it serves, stop when told."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from perishield.model.errors import ConfigError

T = TypeVar("T")

READY = "READY"
"""The one line that a process prints on stdout once it serves."""

EXIT_CONFIG = 2
EXIT_PORT_TAKEN = 4
FATAL_EXITS = frozenset({EXIT_CONFIG, EXIT_PORT_TAKEN})
"""Starting again would end the same way."""


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)


def _text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def encode_config(config: object) -> bytes:
    """A configuration as the JSON that `read_config` takes."""
    return msgspec.json.encode(config, enc_hook=_text)


def read_config(kind: type[T]) -> T:
    """The configuration that the supervisor wrote to stdin. Raises ConfigError."""
    try:
        return msgspec.json.decode(sys.stdin.buffer.read(), type=kind, dec_hook=_path)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{kind.__name__} on standard input: {error}; start processes by `perishield run`") from error


def say_ready() -> None:
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()


def stop_on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; call from the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop

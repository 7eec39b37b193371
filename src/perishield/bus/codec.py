"""How messages look on the wire: MessagePack of the model's dataclasses."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from perishield.model.errors import BusError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


def encode(message: object) -> bytes:
    """Bytes of a dataclass or plain value."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """The message again. Raises BusError when the bytes are not of that kind."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BusError(f"bus: not a {kind.__name__}: {error}", code="bus_garbled") from error

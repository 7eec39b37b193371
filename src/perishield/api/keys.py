"""The node's secret: made once, kept beside the data, never shown. Keys for single purposes are derived from it."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from perishield.model.errors import ConfigError

_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """`tokens` signs logins, `links` signs media addresses."""

    tokens: bytes = field(repr=False)
    links: bytes = field(repr=False)


def derive(secret: bytes) -> Keys:
    return Keys(
        tokens=hmac.digest(secret, b"perishield tokens v1", sha256),
        links=hmac.digest(secret, b"perishield links v1", sha256),
    )


def load_keys(path: Path) -> Keys:
    """Keys from the secret file, which is made when missing (0600). Raises ConfigError when it is unusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path.name}: {error.strerror}; check the rights of the data folder") from error
    if len(secret) != _LENGTH:
        raise ConfigError(f"{path.name}: is not a secret of {_LENGTH} bytes; remove it, then everybody logs in anew")
    return derive(secret)


def _make(path: Path) -> None:
    # Written whole under another name first: a crash must not leave half a secret.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_private(temporary, secrets.token_bytes(_LENGTH))
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

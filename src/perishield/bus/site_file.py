"""The published site: what the server writes and every worker reads, so that a node starts without its server."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from perishield.model.errors import ConfigError
from perishield.model.site import Site


def read_site(path: Path) -> Site | None:
    """The site, or None where none was published yet. Raises ConfigError (`config_unreadable`)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Site)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path.name}: cannot be read: {error}", code="config_unreadable") from error


def write_site(path: Path, site: Site) -> None:
    """Replace the file in one step; it holds camera passwords, so only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(site))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

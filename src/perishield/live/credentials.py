"""Names and passwords for the restream server: issued one by one, limited to cameras and in time, revocable.

Accounts' passwords are kept as Argon2 hashes, from which no Digest can be answered, and have no business in recorders
and players. What is stored here is HA1 (RFC 7616 section 3.4.2) of passwords that we made up ourselves, 144 bits long.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from perishield.log import Log
from perishield.model.errors import ConfigError

REALM = "PyPeriShield"
MOST = 256

log = Log("live")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`cameras` empty: all of them. `created`, `expires`: Unix seconds; `expires` 0: until revoked."""

    username: str
    note: str = ""
    cameras: tuple[str, ...] = ()
    created: float = 0.0
    expires: float = 0.0
    md5: str = field(default="", repr=False)
    sha256: str = field(default="", repr=False)

    def opens(self, camera: str, now: float) -> bool:
        return (not self.expires or now < self.expires) and (not self.cameras or camera in self.cameras)


def ha1(algorithm: str, username: str, password: str) -> str:
    """`algorithm`: md5 or sha256."""
    return hashlib.new(algorithm, f"{username}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()


def issue(note: str, cameras: tuple[str, ...], lifetime_s: float) -> tuple[Credential, str]:
    """A new credential and its password, which is not kept. `lifetime_s` 0: until revoked."""
    username, password = f"view-{secrets.token_hex(4)}", secrets.token_urlsafe(18)
    now = time.time()
    made = Credential(
        username=username,
        note=note,
        cameras=cameras,
        created=now,
        expires=now + lifetime_s if lifetime_s else 0.0,
        md5=ha1("md5", username, password),
        sha256=ha1("sha256", username, password),
    )
    return made, password


class CredentialBook:
    """The file that holds them: written by the server, read anew by whoever checks when it has changed. Blocking."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._known: dict[str, Credential] = {}

    def all(self) -> list[Credential]:
        """Those that have not expired, oldest first. Raises ConfigError where the file is broken."""
        self._refresh()
        now = time.time()
        return [known for known in self._known.values() if not known.expires or now < known.expires]

    def find(self, username: str) -> Credential | None:
        """Raises ConfigError."""
        self._refresh()
        return self._known.get(username)

    def add(self, credential: Credential) -> None:
        """Raises ConfigError: there are too many, or the file cannot be written."""
        known = self.all()
        if len(known) >= MOST:
            raise ConfigError(f"restream credentials: there are {MOST} already; revoke one first")
        self._write([*known, credential])

    def remove(self, username: str) -> bool:
        """False where there is none."""
        known = self.all()
        kept = [credential for credential in known if credential.username != username]
        if len(kept) == len(known):
            return False
        self._write(kept)
        return True

    def forget_camera(self, camera: str) -> None:
        """A later camera of the same name must not be open to those who could see this one."""
        known = self.all()
        kept = []
        for credential in known:
            cameras = tuple(name for name in credential.cameras if name != camera)
            if cameras or not credential.cameras:
                kept.append(replace(credential, cameras=cameras))
        if kept != known:
            self._write(kept)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                listed = msgspec.json.decode(self._path.read_bytes(), type=list[Credential])
                self._known = {credential.username: credential for credential in listed}
                self._stamp = stamp
        except FileNotFoundError:
            self._known, self._stamp = {}, (0, 0)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path.name}: {error}; remove it, then issue credentials anew") from error

    def _write(self, credentials: list[Credential]) -> None:
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(msgspec.json.encode(credentials))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise ConfigError(f"{self._path.name}: {error.strerror}; check the rights of the data folder") from error

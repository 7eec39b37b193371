"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key that does not lie in the database.

A sealed text is `s1:KEY:BYTES`: the id of its key, and 12 random bytes with what was encrypted, in URL-safe base64. The
place it belongs to is authenticated with it, so that nobody who writes to the database can make one camera's password
another's. What a migration found is `plain:TEXT` until the server seals it. An empty text stays empty.
"""

from __future__ import annotations

import base64
import os
import secrets
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.errors import ConfigError

KEY_FILE = "vault.key"
PLAIN = "plain:"
_SEALED = "s1:"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_INFO = "keyring"
_WAY_OUT = (
    f"bring {KEY_FILE} back from a backup, or name the key in [database] secret_keys; if it is lost for good, "
    "`perishield database rotate-key --forget-lost` empties what it sealed"
)


class Keyring:
    """The keys of one installation, newest first: the first seals, all open.

    They come from `given` (base64, separated by commas), else from the file, which is made at the first sealing and
    read anew whenever it has changed: it may be rotated while a server runs.
    """

    def __init__(self, path: Path | None = None, given: str = "") -> None:
        self._path = path
        self._given = _parsed(given.replace(",", "\n"), "[database] secret_keys") if given.strip() else {}
        self._read: dict[str, AESGCM] = {}
        self._seen: tuple[int, int, int] | None = None

    def seal(self, text: str, place: str) -> str:
        """Raises ConfigError where there is no key and none can be made."""
        if not text:
            return ""
        keys = self._keys() or self._made()
        name, key = next(iter(keys.items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + key.encrypt(nonce, text.encode(), place.encode())
        return f"{_SEALED}{name}:{base64.urlsafe_b64encode(sealed).decode()}"

    def unseal(self, sealed: str, place: str) -> str:
        """Raises ConfigError where the key is missing, or what was sealed is not of this place or was changed."""
        if not sealed.startswith(_SEALED):
            return sealed.removeprefix(PLAIN)
        name, _, content = sealed.removeprefix(_SEALED).partition(":")
        key = self._keys().get(name)
        if key is None:
            raise ConfigError(f"{place}: was sealed with key {name}, which is not here; {_WAY_OUT}")
        try:
            raw = base64.urlsafe_b64decode(content)
            return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise ConfigError(f"{place}: what is stored was changed, or belongs elsewhere; enter it anew") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it needs no sealing anew."""
        name = next(iter(self._keys()), None)
        return not sealed or (name is not None and sealed.startswith(f"{_SEALED}{name}:"))

    def rotate(self) -> str:
        """Put a new key before the others, and return its id. Of keys in the settings, the first is the new one."""
        return next(iter(self._given or self._made()))

    def retire(self) -> int:
        """Forget all keys but the newest; returns how many. The caller has made sure that they seal nothing."""
        if self._path is None or self._given:
            return 0
        keys = _lines(self._path)
        _write(self._path, keys[:1])
        return len(keys) - 1

    def _keys(self) -> dict[str, AESGCM]:
        if self._given or self._path is None:
            return self._given
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"{KEY_FILE}: {error.strerror}; check the rights of the data folder") from error
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            self._read, self._seen = _parsed("\n".join(_lines(self._path)), KEY_FILE), seen
        return self._read

    def _made(self) -> dict[str, AESGCM]:
        """With a new key in front. Of two that make the first at once, both use the one that came to lie there."""
        if self._path is None:
            raise ConfigError(
                "[database] secret_keys: there is none, and no data folder to keep one in; "
                "`openssl rand -base64 32` makes one"
            )
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            before = _lines(self._path) if self._path.exists() else []
            fresh = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
            _write(self._path, [fresh, *before], first=not before)
        except OSError as error:
            raise ConfigError(f"{KEY_FILE}: {error.strerror}; check the rights of the data folder") from error
        return self._keys()


def keyring_of(session: AsyncSession) -> Keyring:
    """The keys of the database that the session is of."""
    found = session.info.get(_INFO)
    return found if isinstance(found, Keyring) else Keyring()


def with_keyring(keyring: Keyring) -> dict[str, object]:
    """What a session must know to have these keys."""
    return {_INFO: keyring}


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: holds no keys; bring it back from a backup") from error
    except OSError as error:
        raise ConfigError(f"{path.name}: {error.strerror}; check the rights of the data folder") from error


def _parsed(lines: str, where: str) -> dict[str, AESGCM]:
    keys: dict[str, AESGCM] = {}
    for line in filter(None, (one.strip() for one in lines.splitlines())):
        try:
            raw = base64.b64decode(line, validate=True)
        except ValueError as error:
            raise ConfigError(
                f"{where}: a key is {_KEY_BYTES} bytes in base64, as `openssl rand -base64 32`"
            ) from error
        if len(raw) != _KEY_BYTES:
            raise ConfigError(f"{where}: a key has {_KEY_BYTES} bytes, not {len(raw)}")
        keys[sha256(b"perishield vault" + raw).hexdigest()[:12]] = AESGCM(raw)
    return keys


def _write(path: Path, keys: list[str], *, first: bool = False) -> None:
    """Whole or not at all, for its owner alone; `first`: never over one that is there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if first:
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        else:
            draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)

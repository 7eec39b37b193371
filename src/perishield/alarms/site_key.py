"""The site's signing key: Ed25519 (RFC 8032), made once, kept beside the data. Old public keys stay known.

A key's id is the SHA-256 of its 32 public bytes, in hexadecimal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from perishield.model.errors import ConfigError

PRIVATE_FILE = "site_key.pem"
PUBLIC_FOLDER = "site_keys"
_LARGEST = 8192


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`pem`: as OpenSSL reads it (SubjectPublicKeyInfo)."""

    id: str
    pem: bytes
    _key: Ed25519PublicKey = field(repr=False)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SiteKey:
    """The key that signs now."""

    public: PublicKey
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(data)


def read_public(pem: bytes, name: str = "the key") -> PublicKey:
    """Raises ConfigError for what is no Ed25519 public key in PEM."""
    try:
        # The loader would find a key anywhere, in the middle of an archive, too.
        if len(pem) > _LARGEST or not pem.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----"):
            raise ValueError("no key")
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: is no public key in PEM; `perishield evidence key` prints the site's") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{name}: is no Ed25519 key; `perishield evidence key` prints the site's")
    return _public(key)


class SiteKeys:
    """The keys in a data folder. Read anew at every use: they may be rotated while a server runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self) -> SiteKey:
        """The key that signs, made when there is none. Raises ConfigError when it cannot be used."""
        path = self._folder / PRIVATE_FILE
        try:
            if not path.exists():
                return self._make(path, replace=False)
            key = load_pem_private_key(path.read_bytes()[:_LARGEST], None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ConfigError(f"{path.name}: is no Ed25519 key; bring it back from a backup")
            return self._kept(SiteKey(_public(key.public_key()), key))
        except OSError as error:
            raise ConfigError(f"{path.name}: {error.strerror}; check the rights of the data folder") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{path.name}: is no private key in PEM; bring it back from a backup") from error

    def rotate(self) -> SiteKey:
        """Sign with a new key from now on; what the old one signed stays verifiable. Raises ConfigError."""
        self.current()
        try:
            return self._make(self._folder / PRIVATE_FILE, replace=True)
        except OSError as error:
            raise ConfigError(f"{PRIVATE_FILE}: {error.strerror}; check the rights of the data folder") from error

    def public_keys(self) -> list[PublicKey]:
        """All that this site ever signed with; the current one first. Raises ConfigError."""
        current = self.current().public
        return [current, *(key for key in self._stored() if key.id != current.id)]

    def find(self, key_id: str) -> PublicKey | None:
        return next((key for key in self.public_keys() if key.id == key_id), None)

    def _stored(self) -> Iterator[PublicKey]:
        folder = self._folder / PUBLIC_FOLDER
        for path in sorted(folder.glob("*.pem")):
            try:
                pem = path.read_bytes()
            except OSError as error:
                raise ConfigError(f"{PUBLIC_FOLDER}/{path.name}: {error.strerror}; check its rights") from error
            yield read_public(pem, path.name)

    def _make(self, path: Path, *, replace: bool) -> SiteKey:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        key = Ed25519PrivateKey.generate()
        made = SiteKey(_public(key.public_key()), key)
        # The public half first: nothing may be signed by a key that is not known later.
        self._kept(made)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        _write_private(temporary, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        try:
            if replace:
                temporary.replace(path)
                return made
            os.link(temporary, path)
        except FileExistsError:
            return self.current()
        finally:
            temporary.unlink(missing_ok=True)
        return made

    def _kept(self, key: SiteKey) -> SiteKey:
        path = self._folder / PUBLIC_FOLDER / f"{key.public.id}.pem"
        if not path.exists():
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_bytes(key.public.pem)
            draft.replace(path)
        return key


def _public(key: Ed25519PublicKey) -> PublicKey:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey(sha256(raw).hexdigest(), key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), key)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

"""Who may watch: Digest (RFC 7616; SHA-256 and MD5, with and without qop) and Basic (RFC 7617)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable

from perishield.live.credentials import REALM, Credential, ha1

Find = Callable[[str], Credential | None]

_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
_NOBODY = Credential(username="", md5=secrets.token_hex(16), sha256=secrets.token_hex(32))
"""Strangers' answers are computed too, so that time does not tell which names exist."""


class Entry:
    """Guards one connection. `username` is who came in last, `refused` counts failures.

    Its nonce is worth nothing on another. `find` looks a credential up by its username."""

    def __init__(self, find: Find) -> None:
        self.refused = 0
        self.username = ""
        self._find = find
        self._nonce = secrets.token_hex(16)
        self._counts: set[tuple[str, str]] = set()

    def challenges(self) -> list[str]:
        """WWW-Authenticate headers. MD5 comes behind SHA-256: FFmpeg takes the last Digest, and knows only that."""
        common = f'realm="{REALM}", nonce="{self._nonce}", qop="auth"'
        return [
            f"Digest {common}, algorithm=SHA-256",
            f"Digest {common}, algorithm=MD5",
            f'Basic realm="{REALM}"',
        ]

    def admits(self, authorization: str, method: str, uri: str, camera: str) -> bool:
        """Whether this Authorization header opens that camera."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "digest":
            credential = self._digest(rest, method, uri)
        elif scheme.lower() == "basic":
            credential = self._basic(rest)
        else:
            return False
        if credential is None or not credential.opens(camera, time.time()):
            self.refused += 1
            return False
        self.username = credential.username
        return True

    def still_admits(self, camera: str) -> bool:
        """Whether what opened that camera has been neither revoked nor has expired since."""
        credential = self._find(self.username)
        return credential is not None and credential.opens(camera, time.time())

    def _basic(self, text: str) -> Credential | None:
        try:
            name, _, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        credential = self._find(name)
        wanted = (credential or _NOBODY).sha256
        return credential if secrets.compare_digest(ha1("sha256", name, password), wanted) else None

    def _digest(self, text: str, method: str, uri: str) -> Credential | None:
        fields = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
            for name, quoted, plain in _FIELD.findall(text)
        }
        algorithm = _HASHES.get(fields.get("algorithm", "MD5").upper())
        qop = fields.get("qop", "")
        if algorithm is None or qop not in ("", "auth") or fields.get("nonce") != self._nonce:
            return None
        if fields.get("uri", "").rstrip("/") != uri.rstrip("/"):
            return None
        if qop:
            # A counted answer is good once (RFC 7616 section 3.4).
            count = (fields.get("nc", ""), fields.get("cnonce", ""))
            if count in self._counts or len(self._counts) > 4096:
                return None
            self._counts.add(count)
        name = fields.get("username", "")
        credential = self._find(name)
        known = credential or _NOBODY

        def hashed(*parts: str) -> str:
            text = ":".join(parts).encode(errors="replace")
            return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()

        secret = known.md5 if algorithm == "md5" else known.sha256
        request = hashed(method, fields.get("uri", ""))
        middle = (fields.get("nc", ""), fields.get("cnonce", ""), qop) if qop else ()
        wanted = hashed(secret, self._nonce, *middle, request)
        given = fields.get("response", "").lower()
        return credential if secrets.compare_digest(given.encode(errors="replace"), wanted.encode()) else None

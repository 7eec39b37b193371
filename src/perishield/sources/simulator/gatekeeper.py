"""The server's side of Basic and Digest authentication (RFC 7617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Literal

Scheme = Literal["basic", "md5", "md5-qop", "md5-sess", "sha256"]

_REALM = "camera"
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_ALGORITHMS = {"md5": "MD5", "md5-qop": "MD5", "md5-sess": "MD5-sess", "sha256": "SHA-256"}


class Gatekeeper:
    """Guards one connection: offers `schemes`, and lets a nonce go stale after `rotate_after` uses (0: never)."""

    def __init__(self, username: str, password: str, schemes: tuple[Scheme, ...], rotate_after: int = 0) -> None:
        self._username = username
        self._password = password
        self._schemes = schemes
        self._rotate_after = rotate_after
        self._nonce = secrets.token_hex(16)
        self._uses = 0
        self._stale = False

    @property
    def open(self) -> bool:
        """Nobody is asked for anything."""
        return not (self._username or self._password)

    def challenges(self) -> list[str]:
        """WWW-Authenticate headers."""
        headers = []
        for scheme in self._schemes:
            if scheme == "basic":
                headers.append(f'Basic realm="{_REALM}"')
                continue
            header = f'Digest realm="{_REALM}", nonce="{self._nonce}"'
            if scheme != "md5":
                header += f', algorithm={_ALGORITHMS[scheme]}, opaque="{self._nonce[:8]}"'
            if scheme in ("md5-qop", "md5-sess", "sha256"):
                header += ', qop="auth,auth-int"'
            headers.append(header + (", stale=TRUE" if self._stale else ""))
        return headers

    def admits(self, authorization: str, method: str, url: str) -> bool:
        """Whether this Authorization header opens the door for the request."""
        if self.open:
            return True
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "basic":
            wanted = base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
            return "basic" in self._schemes and secrets.compare_digest(rest.strip(), wanted)
        if scheme.lower() != "digest":
            return False
        fields = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(rest)}
        if fields.get("nonce") != self._nonce or fields.get("uri") != url:
            return False
        if not secrets.compare_digest(fields.get("response", ""), self._response(fields, method)):
            return False
        self._uses += 1
        self._stale = False
        if self._rotate_after and self._uses > self._rotate_after:
            self._uses, self._stale = 0, True
            self._nonce = secrets.token_hex(16)
            return False
        return True

    def _response(self, fields: dict[str, str], method: str) -> str:
        algorithm = fields.get("algorithm", "MD5").upper()
        name = "sha256" if algorithm == "SHA-256" else "md5"

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

        secret = hashed(f"{self._username}:{_REALM}:{self._password}")
        if algorithm == "MD5-SESS":
            secret = hashed(f"{secret}:{self._nonce}:{fields.get('cnonce', '')}")
        request = hashed(f"{method}:{fields.get('uri', '')}")
        if "qop" in fields:
            return hashed(
                f"{secret}:{self._nonce}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:{fields['qop']}:{request}"
            )
        return hashed(f"{secret}:{self._nonce}:{request}")

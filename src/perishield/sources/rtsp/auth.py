"""Basic and Digest authentication (RFC 7617, RFC 7616, and RFC 2069 for servers that offer no qop)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

_PARAMETER = re.compile(
    r"""(?P<name>[A-Za-z0-9_-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s,"]*))""", re.DOTALL
)
_SCHEME = re.compile(r"(?:^|,)\s*(?P<scheme>basic|digest)(?=[\s,]|$)", re.IGNORECASE)
_MOST_WAYS = 2
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA256": "sha256"}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of the ways in that a server offers. `scheme` is `basic` or `digest`, `algorithm` upper case."""

    scheme: str
    realm: str = ""
    nonce: str = ""
    opaque: str | None = None
    algorithm: str = "MD5"
    algorithm_named: bool = False
    qop: frozenset[str] = field(default_factory=frozenset)
    stale: bool = False

    @property
    def hash_name(self) -> str:
        """Name for hashlib, empty where unknown."""
        return _HASHES.get(self.algorithm.removesuffix("-SESS"), "")

    @property
    def usable(self) -> bool:
        if self.scheme == "basic":
            return True
        return bool(self.hash_name) and (not self.qop or "auth" in self.qop)

    @property
    def rank(self) -> int:
        """ONVIF's order: SHA-256 before MD5 before Basic."""
        return 0 if self.scheme == "basic" else 1 + (self.hash_name == "sha256")


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Every challenge of every WWW-Authenticate header. Never raises."""
    found = []
    for header in headers:
        quoted = [match.span("quoted") for match in _PARAMETER.finditer(header) if match["quoted"] is not None]
        starts = [
            match
            for match in _SCHEME.finditer(header)
            if not any(begin <= match.start("scheme") < end for begin, end in quoted)
        ]
        for index, start in enumerate(starts):
            end = starts[index + 1].start() if index + 1 < len(starts) else len(header)
            found.append(_challenge(start["scheme"].lower(), header[start.end() : end]))
    return found


def _challenge(scheme: str, text: str) -> Challenge:
    values: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        value = match["quoted"] if match["quoted"] is not None else match["token"]
        values.setdefault(match["name"].lower(), value or "")
    return Challenge(
        scheme,
        realm=values.get("realm", ""),
        nonce=values.get("nonce", ""),
        opaque=values.get("opaque"),
        algorithm=values.get("algorithm", "MD5").upper() or "MD5",
        algorithm_named="algorithm" in values,
        stale=values.get("stale", "").lower() == "true",
        qop=frozenset(word.strip().lower() for word in values.get("qop", "").split(",") if word.strip()),
    )


class Credentials:
    """Answers a server's challenges for one connection.

    The best two ways in are tried (Basic only where there is no other), and one once more when the server calls our
    nonce stale or gives out a new one after it had accepted us. Then `challenge` says False: cameras lock accounts
    that try again and again.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._chosen: Challenge | None = None
        self._tried: set[tuple[str, bool, bool]] = set()
        self._accepted = False
        self._legacy = False
        self._count = 0

    @property
    def given(self) -> bool:
        return bool(self._username or self._password)

    @property
    def scheme(self) -> str:
        """The way in that is used: `Basic`, `Digest MD5`, `Digest SHA-256`...; empty before a challenge."""
        if self._chosen is None:
            return ""
        return "Basic" if self._chosen.scheme == "basic" else f"Digest {self._chosen.algorithm}"

    def accepted(self) -> None:
        """A request with our credentials was answered."""
        if self._chosen is not None and not self._accepted:
            self._accepted = True
            self._tried.clear()

    def challenge(self, headers: Iterable[str]) -> bool:
        """A 401 came with these WWW-Authenticate headers; False when there is nothing left to try."""
        if not self.given:
            return False
        usable = sorted((c for c in parse_challenges(headers) if c.usable), key=lambda c: c.rank, reverse=True)
        offered = [challenge for challenge in usable if challenge.rank] or usable
        candidates = [(challenge, False) for challenge in offered]
        candidates += [(challenge, True) for challenge in offered if challenge.qop]
        for challenge, legacy in candidates[:_MOST_WAYS]:
            way = (challenge.algorithm, legacy, challenge.stale)
            if way not in self._tried:
                self._tried |= {way, (challenge.algorithm, legacy, False)}
                self._chosen, self._legacy, self._count = challenge, legacy, 0
                self._accepted = False
                return True
        return False

    def authorization(self, method: str, uri: str) -> str | None:
        """The Authorization header for a request, or None before the first challenge. `uri` as in the request line."""
        challenge = self._chosen
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        self._count += 1
        return _digest(challenge, self._username, self._password, method, uri, count=self._count, legacy=self._legacy)


def _digest(
    challenge: Challenge, username: str, password: str, method: str, uri: str, *, count: int, legacy: bool
) -> str:
    def hashed(text: str) -> str:
        return hashlib.new(challenge.hash_name, text.encode(), usedforsecurity=False).hexdigest()

    client_nonce = secrets.token_hex(8)
    secret = hashed(f"{username}:{challenge.realm}:{password}")
    if challenge.algorithm.endswith("-SESS"):
        secret = hashed(f"{secret}:{challenge.nonce}:{client_nonce}")
    request = hashed(f"{method}:{uri}")
    fields = [
        f'username="{_escaped(username)}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
    ]
    with_qop = bool(challenge.qop) and not legacy
    if with_qop:
        response = hashed(f"{secret}:{challenge.nonce}:{count:08x}:{client_nonce}:auth:{request}")
    else:
        response = hashed(f"{secret}:{challenge.nonce}:{request}")
    fields.append(f'response="{response}"')
    if challenge.algorithm_named:
        fields.append(f"algorithm={challenge.algorithm.replace('-SESS', '-sess')}")
    if with_qop:
        fields += ["qop=auth", f"nc={count:08x}"]
    if with_qop or challenge.algorithm.endswith("-SESS"):
        fields.append(f'cnonce="{client_nonce}"')
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    return "Digest " + ", ".join(fields)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

"""Hash chains: each link's hash covers its content and the hash before it, so that nothing can be changed or taken out
in silence. The encoding is fixed, since anyone must be able to compute it again from a file alone.

A link's hash is SHA-256 over the 32 bytes of the previous hash and the 32 bytes of the SHA-256 of its content. So
whoever may not see a content, or has deleted it, can still show that the link was there: the digest is enough.
Content is canonical JSON: UTF-8, object keys sorted by code point, no spaces, no NaN or infinity. Numbers are written
as Python's `repr` (shortest that reads back the same), so content that is read and encoded again gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""The hash before the first link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One record of a chain. `number` counts from 1 without gaps; `content` is its canonical JSON.

    Where the content is not at hand, it is empty and `digest` is its SHA-256 in hexadecimal.
    """

    number: int
    content: bytes
    previous: str
    hash: str
    digest: str = ""

    def content_digest(self) -> str:
        return self.digest if not self.content and self.digest else sha256(self.content)


def canonical(content: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed. Raises ValueError for infinities, TypeError for what JSON does not have."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def link_hash(previous: str, content: bytes) -> str:
    """Raises ValueError when `previous` is not a SHA-256 in hexadecimal."""
    return hash_over(previous, sha256(content))


def hash_over(previous: str, digest: str) -> str:
    """The same from the content's SHA-256. Raises ValueError where one of them is none."""
    return sha256(_raw(previous) + _raw(digest))


def _raw(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    # `fromhex` overlooks spaces and capitals: there must be one way only to write a hash.
    if len(raw) != hashlib.sha256().digest_size or raw.hex() != text:
        raise ValueError(f"{text[:80]!r} is not a SHA-256")
    return raw


def first_break(links: Iterable[Link], previous: str | None = None) -> str:
    """What is wrong with a run of links, in words; empty: nothing.

    `previous`: the hash that the first of them must name; None: taken as found, for a run out of the middle.
    """
    number: int | None = None
    for link in links:
        if number is not None and link.number != number + 1:
            return f"record {number + 1} is missing"
        if previous is not None and link.previous != previous:
            return f"record {link.number} does not follow the one before it"
        if hash_over(link.previous, link.content_digest()) != link.hash:
            return f"record {link.number} was changed"
        number, previous = link.number, link.hash
    return ""

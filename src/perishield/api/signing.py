"""Expiring signed addresses, for what browsers fetch without a token: pictures, clips, footage."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlencode

from perishield.api.problems import ProblemError
from perishield.api.sight import CLEAR, mark

LIFETIME_S = 3600
_STEP_S = 300
"""Expiries fall on multiples of this, so that a browser's cache knows a link again."""


class Links:
    """Signs paths (with their parameters) and checks them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, path: str, params: Mapping[str, str] | None = None, *, lifetime_s: float = LIFETIME_S) -> str:
        """`path` (unquoted, from the root) with expiry and signature behind it.

        What is signed for somebody who may see what privacy masks cover shows it to whoever has the link.
        """
        expires = str((int(time.time() + lifetime_s) + _STEP_S) // _STEP_S * _STEP_S)
        seen = mark()
        query = {**(params or {}), **({CLEAR: seen} if seen else {}), "expires": expires}
        return f"{quote(path)}?{urlencode({**query, 'signature': self._signature(path, query)})}"

    def check(self, path: str, params: Mapping[str, str]) -> None:
        """Raises ProblemError (403, `forbidden`) unless this node signed exactly that and it has not expired."""
        query = {key: value for key, value in params.items() if key != "signature"}
        given = params.get("signature", "")
        expires = query.get("expires", "")
        if not hmac.compare_digest(given.encode(errors="replace"), self._signature(path, query).encode()):
            raise ProblemError(403, "this link is not valid; ask the API for a new one", why="link_invalid")
        if int(expires) < time.time():
            raise ProblemError(403, "this link has expired; ask the API for a new one", code="link_expired")

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        # Lengths before the parts: no two requests may read the same.
        parts = [path, *(part for item in sorted(query.items()) for part in item)]
        text = b"".join(b"%d:%b" % (len(raw), raw) for raw in (part.encode(errors="replace") for part in parts))
        return hmac.new(self._key, text, sha256).hexdigest()

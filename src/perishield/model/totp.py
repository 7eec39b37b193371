"""One-time codes by time (TOTP, RFC 6238) over HMAC (HOTP, RFC 4226): six digits, steps of 30 s, SHA-1, which is what
every authenticator app does whatever else an address asks for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
_AROUND = 1
"""Clocks may differ by this many steps either way (RFC 6238, section 5.2)."""
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without what people mistake for something else."""


def code_at(key: bytes, step: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The code of a step (RFC 4226, section 5.3)."""
    mac = hmac.digest(key, step.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The step that a code belongs to, at most one away from now (Unix seconds). `secret`: base32."""
    given = code.replace(" ", "")
    if len(given) != DIGITS or not (given.isascii() and given.isdecimal()):
        return None
    try:
        key = base64.b32decode(secret, casefold=True)
    except binascii.Error:
        return None
    current, found = int(now // STEP_S), None
    # All are compared: how long it takes tells nothing.
    for step in range(max(0, current - _AROUND), current + _AROUND + 1):
        if hmac.compare_digest(code_at(key, step), given):
            found = step
    return found


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226, section 4, R6)."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def enrolment_uri(secret: str, account: str, issuer: str) -> str:
    """The address that authenticator apps read from a QR code."""
    label = quote(f"{issuer}:{account}", safe="")
    query = urlencode({"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S})
    return f"otpauth://totp/{label}?{query}"


def recovery_codes(count: int = 10) -> list[str]:
    """Codes like `k7wq2-m9x4c`, 49 bits each."""
    drawn = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(count)]
    return [f"{code[:5]}-{code[5:]}" for code in drawn]

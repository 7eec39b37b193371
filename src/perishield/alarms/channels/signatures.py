"""Signatures that receivers check.

Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`), GitHub's `X-Hub-Signature-256`, and
those of the robots of DingTalk and Feishu.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

from perishield.model.channels import Signature
from perishield.model.errors import ChannelError

_PREFIX = "whsec_"


def standard_key(secret: str) -> bytes:
    """The bytes of a `whsec_...` secret. Raises ChannelError for what is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not 16 <= len(key) <= 128:
        raise ChannelError(
            "the secret of Standard Webhooks is whsec_ and 24 to 64 random bytes in Base64; "
            "`openssl rand -base64 32` makes the second part",
            field="secrets.secret",
        )
    return key


def standard_signature(key: bytes, name: str, timestamp: int, body: bytes) -> str:
    """`v1,...` over id, time of the try (Unix seconds) and the raw body."""
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()


def github_signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def dingtalk_sign(secret: str, timestamp_ms: int) -> str:
    """Base64, not yet encoded for an address: the secret is the key."""
    text = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), text, sha256).digest()).decode()


def feishu_sign(secret: str, timestamp_s: int) -> str:
    """Base64: time and secret are the key, and nothing is signed with it."""
    key = f"{timestamp_s}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", sha256).digest()).decode()


def signature_headers(
    kind: Signature, secrets: Mapping[str, str], name: str, timestamp: int, body: bytes, header: str = ""
) -> dict[str, str]:
    """Headers for a body, signed with the secret and, while secrets are being changed, with the old one as well."""
    found = [secrets[which] for which in ("secret", "old_secret") if secrets.get(which)]
    if kind is Signature.NONE or not found:
        return {}
    if kind is Signature.STANDARD:
        signed = [standard_signature(standard_key(secret), name, timestamp, body) for secret in found]
        return {"webhook-id": name, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(signed)}
    if kind is Signature.GITHUB:
        return {"X-Hub-Signature-256": github_signature(found[0], body)}
    return {header: hmac.new(found[0].encode(), body, sha256).hexdigest()}

"""RTSPS: RTSP inside TLS. A camera is trusted because an authority vouches for it, or because its certificate is known.

Nothing is ever sent to a camera whose certificate is neither. Cameras mostly have self-signed certificates: the refusal
names the fingerprint to pin.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import re
import ssl

from perishield.model.errors import SourceError

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def clean_fingerprint(text: str) -> str:
    """64 lower-case hex digits, whatever prefix, colons, blanks and case a person types. Raises SourceError.

    >>> clean_fingerprint("SHA256 Fingerprint=" + "AB:" * 31 + "CD") == "ab" * 31 + "cd"
    True
    """
    digits = re.sub(r"[\s:-]", "", text.rpartition("=")[2]).lower().removeprefix("sha256")
    if not _FINGERPRINT.fullmatch(digits):
        raise SourceError(
            "the certificate's fingerprint that is set is no SHA-256: write 64 hexadecimal digits", code="tls_untrusted"
        )
    return digits


@functools.cache
def context(*, pinned: bool) -> ssl.SSLContext:
    """System trust with host names checked; or, for a pinned certificate, which is compared by `check_pin`, none.

    Pinned cameras may use old versions, short keys and weak signatures: it is the certificate that proves them, and
    few get new firmware.
    """
    if not pinned:
        return ssl.create_default_context()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    return made


def check_pin(transport: asyncio.BaseTransport, pin: str, address: str) -> None:
    """Raises SourceError (`tls_untrusted`) unless the peer showed the certificate whose fingerprint is `pin`."""
    found = fingerprint(transport)
    if found != clean_fingerprint(pin):
        raise SourceError(
            f"{address} shows another certificate than the one that is pinned: if the device was renewed, pin {found}; "
            "if not, somebody may stand between",
            code="tls_untrusted",
            fingerprint=found,
        )


def fingerprint(transport: asyncio.BaseTransport) -> str:
    """SHA-256 of the peer's certificate, hexadecimal; empty where it showed none."""
    tunnel = transport.get_extra_info("ssl_object")
    certificate = tunnel.getpeercert(binary_form=True) if tunnel is not None else None
    return hashlib.sha256(certificate).hexdigest() if certificate else ""


async def refusal(
    error: ssl.SSLError, host: str, port: int, address: str, patience_s: float, *, at: str = ""
) -> SourceError:
    """What `error`, raised while connecting, means: `tls_untrusted` with the fingerprint to pin, or `tls_failed`.

    `at`: the IP address that `host` was found to have.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return SourceError(
            f"{address} cannot be spoken to in TLS ({reason}): check the port, and that RTSPS is switched on there",
            code="tls_failed",
        )
    reason = error.verify_message.lower() or "not verified"
    found = await _shown(host, port, patience_s, at or host)
    way_out = f"if you trust it, pin its fingerprint {found}" if found else "give it a certificate that is signed"
    return SourceError(
        f"the certificate of {address} is not trusted ({reason}): {way_out}",
        code="tls_untrusted",
        fingerprint=found,
        reason=reason,
    )


async def _shown(host: str, port: int, patience_s: float, at: str) -> str:
    """The fingerprint of the certificate shown at an address; nothing is sent. Empty where none can be had."""
    try:
        async with asyncio.timeout(patience_s):
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, at, port, ssl=context(pinned=True), server_hostname=host
            )
    except (OSError, TimeoutError):
        return ""
    try:
        return fingerprint(transport)
    finally:
        transport.abort()

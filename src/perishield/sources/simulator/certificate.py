"""A certificate such as cameras have: made on the spot, signed by itself."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perishield.model.errors import ConfigError

_DAYS = 365


@dataclass(frozen=True, slots=True)
class Certificate:
    """`context` serves it; `fingerprint` is its SHA-256, hexadecimal; `pem` the certificate without its key."""

    context: ssl.SSLContext
    fingerprint: str
    pem: bytes


def self_signed(host: str) -> Certificate:
    """For `host`, an address or a name, valid for a year. Raises ConfigError where `cryptography` is not installed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise ConfigError("a certificate cannot be made without a library: pip install cryptography") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = dt.datetime.now(dt.UTC)
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The ssl module takes keys from files only.
    with tempfile.TemporaryDirectory(prefix="perishield-tls-") as folder:
        chain = Path(folder) / "chain.pem"
        chain.touch(mode=0o600)
        chain.write_bytes(secret + pem)
        context.load_cert_chain(chain)
    der = made.public_bytes(serialization.Encoding.DER)
    return Certificate(context, hashlib.sha256(der).hexdigest(), pem)

"""One hierarchy of errors.

A message names the thing, the reason and the way out, and never carries a secret. `code` is stable: logs,
the API and the console key on it, and the console translates by it with `params`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s]*@", re.IGNORECASE)


def mask_url(url: str) -> str:
    """Return `url` without user information, for logs and messages.

    >>> mask_url("rtsp://admin:se@cret@10.0.0.4:554/ch1")
    'rtsp://10.0.0.4:554/ch1'
    """
    masked = _USERINFO.sub(r"\g<scheme>", url)
    try:
        parts = urlsplit(masked)
        if not parts.query:
            return masked
        hidden = re.sub(r"(?i)(pass(word|wd)?|pwd|token|secret|key|auth)=[^&]*", r"\1=***", parts.query)
        return urlunsplit(parts._replace(query=hidden))
    except ValueError:
        return masked


class PeriShieldError(Exception):
    """Base of every error that a user may see."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **params: object) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.params: Mapping[str, object] = params

    def __str__(self) -> str:
        return self.message


class ConfigError(PeriShieldError):
    """The configuration cannot be used: `config_unknown_key`, `config_invalid`, `config_unreadable`."""

    code = "config_invalid"


class SourceError(PeriShieldError):
    """A camera cannot be read.

    Codes: `auth_failed`, `unreachable`, `refused`, `dns`, `timeout`, `not_found`, `not_a_video`,
    `unsupported_codec`, `truncated`, `protocol`, `busy`, `gone`, `tls_untrusted`, `tls_failed`, `address_forbidden`.
    `retry_after_s` asks for a longer pause than the usual back-off (wrong passwords lock accounts).
    """

    code = "protocol"

    def __init__(self, message: str, *, code: str | None = None, retry_after_s: float = 0.0, **params: object) -> None:
        super().__init__(message, code=code, **params)
        self.retry_after_s = retry_after_s


class StorageError(PeriShieldError):
    """Footage cannot be written or read.

    Codes: `disk_full`, `not_writable`, `mount_gone`, `overload`, `missing`, `corrupt`; of evidence also `too_large`,
    `evidence_changed`, `cancelled`.
    """

    code = "not_writable"


class ModelError(PeriShieldError):
    """A network cannot be used.

    Codes: `model_missing`, `model_foreign`, `model_corrupt`, `model_download`, `model_card`, `model_provider`,
    `model_selftest`, `model_exists`, `model_in_use`, `model_name`, `model_store`, `model_quantize`.
    """

    code = "model_foreign"


class RuleError(PeriShieldError):
    """A rule's geometry or parameters make no sense: `rule_invalid`."""

    code = "rule_invalid"


class GroundError(PeriShieldError):
    """The points that calibrate a camera's ground make no plane: `ground_invalid`."""

    code = "ground_invalid"


class PortTakenError(PeriShieldError):
    """The address to listen on is in use: `port_taken`."""

    code = "port_taken"


class BusError(PeriShieldError):
    """A message between processes could not be kept: `bus_unavailable`."""

    code = "bus_unavailable"


class DatasetError(PeriShieldError):
    """A labelled set of clips cannot be read: `dataset_invalid`."""

    code = "dataset_invalid"


class ChannelError(PeriShieldError):
    """A channel makes no sense, or may not be connected to: `channel_invalid`, `channel_forbidden`."""

    code = "channel_invalid"

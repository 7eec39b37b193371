"""Times as the API speaks them: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_LEAST, _MOST = 0.0, 253_402_300_799.0


def iso(seconds: float) -> str:
    """Unix seconds as `2026-11-22T17:37:17.123Z`; what no calendar has is held at its ends.

    >>> iso(1795369037.1234)
    '2026-11-22T17:37:17.123Z'
    """
    held = min(max(seconds, _LEAST), _MOST) if math.isfinite(seconds) else _LEAST
    moment = datetime.fromtimestamp(held, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def iso_or_none(seconds: float | None) -> str | None:
    """The same, None for what has not happened."""
    return None if seconds is None else iso(seconds)


def _read(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        pass
    try:
        # A "+" in a query string arrives as a space.
        moment = datetime.fromisoformat(value.strip().replace(" ", "+") if value.count(" ") == 1 else value)
    except ValueError:
        raise ValueError("is a time like 2026-11-22T17:37:17.123Z, or Unix seconds") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _calendar(value: float) -> float:
    if not _LEAST <= value <= _MOST:
        raise ValueError("is a time between 1970 and 9999")
    return value


_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": _LEAST, "maximum": _MOST}],
    "description": "ISO 8601 (UTC where no zone is named), or Unix seconds",
    "examples": ["2026-05-04T21:14:07.320Z"],
}
Moment = Annotated[float, BeforeValidator(_read), AfterValidator(_calendar), WithJsonSchema(_SCHEMA)]
"""Unix seconds UTC, read from ISO 8601 (UTC where no zone is named) or from a number."""

"""Times as the API speaks them: ISO 8601, UTC, milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_LEAST, _MOST = 0.0, 253_402_300_799.0


def iso(seconds: float) -> str:
    """Unix seconds as `2026-11-22T17:37:17.123Z`; what no calendar has is held at its ends.

    >>> iso(1795369037.1234)
    '2026-11-22T17:37:17.123Z'
    """
    held = min(max(seconds, _LEAST), _MOST) if math.isfinite(seconds) else _LEAST
    moment = datetime.fromtimestamp(held, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


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


Moment = Annotated[float, BeforeValidator(_read), AfterValidator(_calendar)]
"""Unix seconds UTC, read from ISO 8601 (UTC where no zone is named) or from a number."""

"""Moments on the command line."""

from __future__ import annotations

import time

from perishield.model.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(text: str, option: str) -> float:
    """Unix seconds from ISO 8601 (UTC where no zone is named), Unix seconds, or a time ago (`-90m`, `-2d`).

    Raises ConfigError where it is none of them.
    """
    if text.startswith("-") and text[-1:] in _UNITS and text[1:-1].replace(".", "", 1).isdecimal():
        return time.time() - float(text[1:-1]) * _UNITS[text[-1]]
    from pydantic import TypeAdapter, ValidationError

    from perishield.api.times import Moment

    try:
        return TypeAdapter[float](Moment).validate_python(text)
    except ValidationError:
        raise ConfigError(
            f"{option}: {text!r} is no time; write 2026-11-22T17:30:00Z, Unix seconds, or -2h for two hours ago"
        ) from None

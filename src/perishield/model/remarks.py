"""Remarks on footage: what differs from the wish, or why there is none. And on alarms: what could not be told.

Each has a stable code with its parameters, by which a console puts it into words of its own, and an English sentence
for logs, archives and whoever knows no codes. Where one remark says why another was made, the parameter `why` holds
that one's code beside its parameters, and `error` the code of an error, or the name of an errno (`ENOENT`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TypeGuard

from perishield.model.errors import PeriShieldError

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Remark:
    """`text`: one sentence without its full stop. An empty `code`: made before there were codes."""

    code: str
    text: str
    params: Mapping[str, Value] = field(default_factory=dict)


def sentence(remarks: Iterable[Remark]) -> str:
    """All of them in one line; empty where there are none."""
    return "; ".join(remark.text for remark in remarks)


def begins_late(seconds: float) -> Remark:
    text = f"begins {seconds:.1f} s late: no earlier footage"
    return Remark("begins_late", text, {"seconds": round(seconds, 1)})


def left_out(seconds: float, places: int) -> Remark:
    text = f"{seconds:.1f} s missing in {places} place(s), left out"
    return Remark("left_out", text, {"seconds": round(seconds, 1), "places": places})


def ends_early(seconds: float) -> Remark:
    text = f"ends {seconds:.1f} s early: no later footage"
    return Remark("ends_early", text, {"seconds": round(seconds, 1)})


def of_error(error: PeriShieldError) -> Remark:
    """An error's own code and message, with such parameters as are plain values."""
    params = {name: value for name, value in error.params.items() if isinstance(value, str) or _is_number(value)}
    return Remark(error.code, error.message[:500], params)


def because(code: str, text: str, error: PeriShieldError | OSError) -> Remark:
    """`text`, and behind a colon why."""
    if isinstance(error, PeriShieldError):
        word, detail = error.code, error.message
    else:
        word, detail = errno.errorcode.get(error.errno or 0, ""), error.strerror or "unreadable"
    detail = detail[:500]
    return Remark(code, f"{text}: {detail}", {"error": word, "detail": detail})


def within(remarks: Sequence[Remark], most: int) -> tuple[Remark, ...]:
    """The first of them, whose sentences take so many characters at most, and how many more there are."""
    kept: list[Remark] = []
    for number, remark in enumerate(remarks):
        most -= len(remark.text) + 2
        if most < 0:
            more = len(remarks) - number
            return (*kept, Remark("more", f"and {more} more", {"count": more}))
        kept.append(remark)
    return tuple(kept)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)

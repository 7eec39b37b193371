"""What a rule's verdicts say about its least score. A suggestion to a person, never a change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_CONFIRMED = 5
"""With fewer, nobody knows what a higher score would lose."""
LEAST_SPARED = 3
_STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Raise a rule's least score to `score`: of `dismissed` alarms `spared` would not have been raised, and none of
    `confirmed`."""

    score: float
    spared: int
    dismissed: int
    confirmed: int


def suggest(confirmed: Sequence[float], dismissed: Sequence[float], now: float = 0.0) -> Suggestion | None:
    """The highest least score, in steps of a hundredth, that loses no confirmed alarm; the lowest that spares as many.

    A rule tells what has at least its least score; `now` is what it asks for today. None where there is too little to
    go by, or nothing to gain.

    >>> suggest([0.52, 0.61, 0.7, 0.8, 0.9], [0.31, 0.35, 0.4, 0.6])
    Suggestion(score=0.41, spared=3, dismissed=4, confirmed=5)
    """
    if len(confirmed) < LEAST_CONFIRMED:
        return None
    highest = _hundredths_below(min(confirmed))
    spared = sorted(score for score in dismissed if score < highest)
    if len(spared) < LEAST_SPARED:
        return None
    lowest = _hundredths_above(spared[-1])
    score = min(lowest, highest)
    if score <= now:
        return None
    return Suggestion(score=score, spared=len(spared), dismissed=len(dismissed), confirmed=len(confirmed))


def _hundredths_below(score: float) -> float:
    """The greatest hundredth that is not above."""
    found = round(math.floor(score / _STEP) * _STEP, 2)
    while found > score:
        found = round(found - _STEP, 2)
    while round(found + _STEP, 2) <= score:
        found = round(found + _STEP, 2)
    return found


def _hundredths_above(score: float) -> float:
    """The least hundredth that is above."""
    return round(_hundredths_below(score) + _STEP, 2)

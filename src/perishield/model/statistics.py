"""What alarms add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ANSWER_STEPS_S = (15, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
"""Upper bounds, in seconds, of the classes into which times to the first answer are sorted; one more is open above."""

BUCKET_S = 900
"""Every time zone's hours begin at a whole quarter of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCount:
    """So many alarms of one kind in every sense.

    `answered_s`: seconds to their first answers in all; `within`: how many were answered within each of
    `ANSWER_STEPS_S`, cumulative.
    """

    camera: str
    rule: str
    kind: str
    level: int
    state: str
    verdict: str
    reason: str
    count: int
    answered: int
    answered_s: float
    within: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSums:
    """`counts`, and alarms by quarter of an hour since 1970 (bucket, alarms)."""

    counts: Sequence[AlarmCount]
    buckets: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Scores of one rule's decided alarms, rightly and wrongly raised; `camera_name`, `rule_name` as they were last."""

    camera: str
    camera_name: str
    rule: str
    confirmed: tuple[float, ...]
    dismissed: tuple[float, ...]
    others: int
    """Dismissed for reasons that no score could have helped."""

"""How rules do, as the judging process tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """How one rule does, counted since the engine took it up. `since`: wall-clock time of its first picture, or 0.

    `suppressed` counts by reason what looked like an event and was none: `label`, `evidence`, `score`, `size`, `speed`,
    `band`, `disarmed`, `schedule`, `one_shot`, `cooldown`, `rule_cooldown`, `condition`; and `condition_failed`: events
    let through because their condition could not be judged.
    """

    rule: str
    events: int
    suppressed: dict[str, int]
    left_to_right: int = 0
    right_to_left: int = 0
    since: float = 0.0
    spent: bool = False

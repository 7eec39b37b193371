"""Who hears of an alarm that nobody takes up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Alarms of these `levels` (1, most urgent, to 4) still new `after_s` seconds after they were raised go up.

    `to_level` is the new level, 0: it stays; a level that is less urgent changes nothing. `to_role` and `channel` name
    who shall be told, empty: nobody in particular.
    """

    id: str
    name: str
    levels: tuple[int, ...]
    after_s: float
    to_level: int = 0
    to_role: str = ""
    channel: str = ""
    enabled: bool = True
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """One step that an alarm was taken up. `at`: Unix seconds."""

    step: str
    name: str
    at: float
    level_before: int
    level: int
    to_role: str
    channel: str

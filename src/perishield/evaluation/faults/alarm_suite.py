"""All cases of the alarms' fault suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perishield.evaluation import private_postgresql
from perishield.evaluation.faults import alarm_cases, mounts
from perishield.evaluation.faults.cases import Case, run_cases

CASES = (
    Case("kills", alarm_cases.kills),
    Case("kills_postgresql", alarm_cases.kills_on_postgresql, private_postgresql.missing),
    Case("database_restarted", alarm_cases.database_restarted, private_postgresql.missing),
    Case("disk_full", alarm_cases.disk_full, mounts.missing),
)
_QUICK_ALARMS = 150
_QUICK_KILLS = 4


def run(
    names: Sequence[str] = (),
    *,
    alarms: int = 2000,
    kills: int = 30,
    quick: bool = False,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """The report of `cases.run_cases`. Raises ConfigError for an unknown name."""
    if quick:
        alarms, kills = min(alarms, _QUICK_ALARMS), min(kills, _QUICK_KILLS)
    return run_cases("alarms", CASES, names, progress, alarms=alarms, times=kills)

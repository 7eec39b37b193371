"""All cases of the recorder's fault suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perishield.evaluation.faults import (
    clock_cases,
    disk_cases,
    mounts,
    network_cases,
    object_store_cases,
    process_cases,
)
from perishield.evaluation.faults.cases import Case, run_cases

CASES = (
    Case("kills", process_cases.kills),
    Case("flapping", process_cases.flapping),
    Case("disk_full", disk_cases.full, mounts.missing),
    Case("disk_stalled", disk_cases.stalled, mounts.missing),
    Case("drive_unmounted", disk_cases.unmounted, mounts.missing),
    Case("clock", clock_cases.clock, clock_cases.missing),
    Case("udp_loss", network_cases.udp),
    Case("object_store", object_store_cases.object_store, object_store_cases.missing),
)


def run(
    names: Sequence[str] = (), *, quick: bool = False, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """The report of `cases.run_cases`. Raises ConfigError for an unknown name."""
    return run_cases("recorder", CASES, names, progress, quick=quick)

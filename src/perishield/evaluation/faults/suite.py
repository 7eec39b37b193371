"""All cases of the recorder's fault suite."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from perishield.evaluation.faults import (
    clock_cases,
    disk_cases,
    mounts,
    network_cases,
    object_store_cases,
    process_cases,
)
from perishield.evaluation.process_usage import machine
from perishield.model.errors import ConfigError, PeriShieldError


class _Run(Protocol):
    def __call__(self, folder: Path, *, quick: bool) -> dict[str, Any]: ...


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Case:
    """`missing` says what this machine lacks for it, or nothing."""

    name: str
    run: _Run
    missing: Callable[[], str] = _nothing

    @property
    def invariant(self) -> str:
        return (getattr(self.run, "__doc__", None) or "").strip().split("\n")[0]


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
    """`cases` with `name`, `invariant`, `passed`, `seconds` and figures or the broken promise; `failed`: how many.

    A case that this machine cannot run counts as failed, and says why in `missing`. Raises ConfigError for an unknown
    name.
    """
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"faults recorder: no case {unknown[0]!r}; there are {', '.join(known)}")
    chosen = [known[name] for name in names] or list(CASES)
    results = []
    for place, case in enumerate(chosen):
        if progress:
            progress(place / len(chosen))
        results.append(_try(case, quick))
    return {"cases": results, "failed": sum(not case["passed"] for case in results), "machine": machine()}


def _try(case: Case, quick: bool) -> dict[str, Any]:
    head = {"name": case.name, "invariant": case.invariant}
    lacks = case.missing()
    if lacks:
        return {**head, "passed": False, "missing": lacks}
    began = time.monotonic()
    # Not below a data folder: bus sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="perishield-fault-", ignore_cleanup_errors=True) as folder:
        try:
            figures = case.run(Path(folder), quick=quick)
        except PeriShieldError as error:
            return {**head, "passed": False, "seconds": round(time.monotonic() - began, 1), "broken": error.message}
    return {**head, "passed": True, "seconds": round(time.monotonic() - began, 1), **figures}

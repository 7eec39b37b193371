"""What all fault suites share: cases by name, each in a folder of its own, and a report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perishield.evaluation.process_usage import machine
from perishield.model.errors import ConfigError, PeriShieldError


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Case:
    """`run` takes a folder and the suite's options, and gives figures. `missing`: what this machine lacks for it."""

    name: str
    run: Callable[..., dict[str, Any]]
    missing: Callable[[], str] = _nothing

    @property
    def invariant(self) -> str:
        return (getattr(self.run, "__doc__", None) or "").strip().split("\n")[0]


def run_cases(
    suite: str,
    cases: Sequence[Case],
    names: Sequence[str],
    progress: Callable[[float], None] | None,
    **options: object,
) -> dict[str, Any]:
    """`cases` with `name`, `invariant`, `passed`, `seconds` and figures or the broken promise; `failed`: how many.

    A case that this machine cannot run counts as failed, and says why in `missing`. Raises ConfigError for an unknown
    name.
    """
    known = {case.name: case for case in cases}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"faults {suite}: no case {unknown[0]!r}; there are {', '.join(known)}")
    chosen = [known[name] for name in names] or list(cases)
    results = []
    for place, case in enumerate(chosen):
        if progress:
            progress(place / len(chosen))
        results.append(_try(case, options))
    return {"cases": results, "failed": sum(not case["passed"] for case in results), "machine": machine()}


def _try(case: Case, options: dict[str, object]) -> dict[str, Any]:
    head = {"name": case.name, "invariant": case.invariant}
    lacks = case.missing()
    if lacks:
        return {**head, "passed": False, "missing": lacks}
    began = time.monotonic()
    # Not below a data folder: bus sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="perishield-fault-", ignore_cleanup_errors=True) as folder:
        try:
            figures = case.run(Path(folder), **options)
        except PeriShieldError as error:
            return {**head, "passed": False, "seconds": round(time.monotonic() - began, 1), "broken": error.message}
    return {**head, "passed": True, "seconds": round(time.monotonic() - began, 1), **figures}

"""A process of the product, started as the supervisor starts it, for benchmarks and fault suites."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from perishield.bus.process import READY
from perishield.model.errors import PeriShieldError

_SAID = 500


def start_role(
    role: str, config: Mapping[str, object], *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `perishield.roles.<role>` and wait for its READY; blocks. The caller ends it.

    What it complains of is added to `log`, else goes where this process's complaints go; its other output is closed.
    Raises PeriShieldError (`bench_failed`) with the end of the log where it ends or says something else.
    """
    with log.open("ab") if log is not None else nullcontext() as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", f"perishield.roles.{role}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
        )
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both are pipes")
    ready = False
    try:
        with child.stdout:
            # One that ended already reads nothing; that it is not ready is told below.
            with suppress(BrokenPipeError), child.stdin:
                child.stdin.write(json.dumps(config, default=str).encode())
            ready = child.stdout.readline().decode().strip() == READY
    finally:
        if not ready:
            child.kill()
            child.wait()
    if ready:
        return child
    said = log.read_text(errors="replace")[-_SAID:] if log is not None else "see its message above"
    raise PeriShieldError(f"the {role} process did not start: {said}", code="bench_failed")

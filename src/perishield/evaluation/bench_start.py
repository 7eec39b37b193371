"""How long the ingest process takes from its execution to its READY line, against bare Python's own start; and how long
the server takes, which is how long the console is gone when the server died.

Ingest and Python are started alternately, so that whatever else the machine does meets them alike; the server, which is
compared with nothing, comes after them. Medians count. Bare Python is the interpreter as it is installed; that of a
virtual environment, which skips what the installation's own site folder does, is told beside it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from perishield.evaluation.process_usage import machine
from perishield.evaluation.role_process import start_role
from perishield.model.errors import ConfigError


def run(rounds: int = 15) -> dict[str, Any]:
    """`ratio` is the median of ours over that of `python -c pass` by the installed interpreter, start to end.

    `ratio_to_environment` is the same against this environment's own `python -c pass`. `server_ms`: of the server with
    a database that is there, a round for every five of the others. Times in milliseconds.

    Raises ConfigError for a number of rounds that makes no sense; PeriShieldError (`bench_failed`).
    """
    if not 1 <= rounds <= 1000:
        raise ConfigError("bench start: --rounds takes 1 to 1000")
    # An installed package has its bytecode: the rounds before the first counted one leave it here, too.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    installed = getattr(sys, "_base_executable", "") or sys.executable
    bare: list[float] = []
    inside: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory(prefix="perishield-bench-") as folder:
        for turn in range(rounds + 2):
            times = (
                _bare(installed, environment),
                _bare(sys.executable, environment),
                _ready("ingest", Path(folder), environment),
            )
            if turn >= 2:
                for series, value in zip((bare, inside, ours), times, strict=True):
                    series.append(value)
        server = [_ready("server", Path(folder), environment, port=0) for _ in range(rounds // 5 + 2)]
    python, environment_python, ingest = (statistics.median(series) for series in (bare, inside, ours))
    return {
        "rounds": rounds,
        "python_ms": round(python * 1000, 1),
        "environment_python_ms": round(environment_python * 1000, 1),
        "ingest_ms": round(ingest * 1000, 1),
        "ratio": round(ingest / python, 2),
        "server_ms": round(statistics.median(server[1:]) * 1000),
        "ratio_to_environment": round(ingest / environment_python, 2),
        "machine": machine(),
    }


def _bare(python: str, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([python, "-c", "pass"], env=environment, check=True)
    return time.perf_counter() - began


def _ready(role: str, data: Path, environment: dict[str, str], **more: int) -> float:
    folders = {"data_dir": data, "run_dir": data / "run", "media_dir": data / "media"}
    began = time.perf_counter()
    child = start_role(role, {"log_level": "error", **folders, **more}, environment=environment)
    elapsed = time.perf_counter() - began
    child.terminate()
    child.wait(10)
    return elapsed

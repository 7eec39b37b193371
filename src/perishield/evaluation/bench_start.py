"""How long the ingest process takes from its execution to its READY line, against bare Python's own start.

Both are started alternately, so that whatever else the machine does meets both alike; medians count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from perishield.bus.process import READY
from perishield.evaluation.process_usage import machine
from perishield.model.errors import ConfigError, PeriShieldError


def run(rounds: int = 15) -> dict[str, Any]:
    """`ratio` is the median of ours over the median of `python -c pass`, start to end; times in milliseconds.

    Raises ConfigError for a number of rounds that makes no sense; PeriShieldError (`bench_failed`).
    """
    if not 1 <= rounds <= 1000:
        raise ConfigError("bench start: --rounds takes 1 to 1000")
    # An installed package has its bytecode: the rounds before the first counted one leave it here, too.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    bare: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory(prefix="perishield-bench-") as folder:
        for turn in range(rounds + 2):
            one, other = _bare(environment), _ready(Path(folder), environment)
            if turn >= 2:
                bare.append(one)
                ours.append(other)
    python, ingest = statistics.median(bare), statistics.median(ours)
    return {
        "rounds": rounds,
        "python_ms": round(python * 1000, 1),
        "ingest_ms": round(ingest * 1000, 1),
        "ratio": round(ingest / python, 2),
        "machine": machine(),
    }


def _bare(environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], env=environment, check=True)
    return time.perf_counter() - began


def _ready(data: Path, environment: dict[str, str]) -> float:
    folders = {"data_dir": data, "run_dir": data / "run", "media_dir": data / "media"}
    config = json.dumps({"log_level": "error", **{key: str(path) for key, path in folders.items()}}).encode()
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "perishield.roles.ingest"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise AssertionError("both are pipes")
        child.stdin.write(config)
        child.stdin.close()
        line = child.stdout.readline()
        elapsed = time.perf_counter() - began
        child.terminate()
        child.wait(10)
    if line.decode().strip() != READY:
        raise PeriShieldError(
            "bench start: the ingest process did not start; see its message above", code="bench_failed"
        )
    return elapsed

"""Trying a network in a process of its own: a file that eats memory, hangs or crashes takes nobody along.

`python -m perishield.vision.self_test FILE` prints one JSON object: what the network is, or why it is refused.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from perishield.model.errors import ModelError

TIMEOUT_S = 60.0
MEMORY_MIB = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """A passed trial. `ms`: CPU milliseconds for one picture."""

    family: str
    width: int
    height: int
    classes: tuple[str, ...]
    provider: str
    found: int
    ms: float

    __test__ = False


def try_apart(path: Path, *, timeout_s: float = TIMEOUT_S, memory_mib: int = MEMORY_MIB) -> TestResult:
    """Load and run a network in a process with bounded memory and time; blocks.

    Raises ModelError: the network's own reason, or `model_selftest` where the process did not come back with one.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "perishield.vision.self_test", str(path.absolute()), str(memory_mib)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"model {path.name}: its self-test took more than {timeout_s:g} s; use a smaller network",
            code="model_selftest",
        ) from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise ModelError(
            f"model {path.name}: its self-test died (status {done.returncode}), for want of {memory_mib} MiB of memory "
            "or by a damaged file; use another export",
            code="model_selftest",
        ) from None
    if "error" in told:
        raise ModelError(str(told["error"]), code=str(told["code"]))
    return TestResult(**{**told, "classes": tuple(told["classes"])})


def try_here(path: Path) -> TestResult:
    """The same in this process."""
    import time

    import numpy as np

    from perishield.vision.onnx_model import OnnxDetector, as_picture
    from perishield.vision.trial_picture import rendered

    detector = OnnxDetector(path)
    picture = as_picture(rendered(360, 640).transpose(1, 2, 0).astype(np.uint8))
    detector.detect([picture])
    start = time.process_time()
    (found,) = detector.detect([picture])
    ms = (time.process_time() - start) * 1000
    return TestResult(
        family=detector.family,
        width=detector.size[0],
        height=detector.size[1],
        classes=detector.names,
        provider=detector.provider,
        found=len(found),
        ms=round(ms, 2),
    )


def main() -> int:
    path, memory = Path(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        told = asdict(try_here(path))
    except ModelError as error:
        told = {"error": error.message, "code": error.code}
    except MemoryError:
        told = {"error": f"model {path.name}: needs more than {memory} MiB of memory", "code": "model_selftest"}
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())

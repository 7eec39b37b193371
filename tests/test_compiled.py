"""The recorder's inner loops, compiled and as plain Python: both must be there, and do the same."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = [name.removesuffix(".py").replace("/", ".") for name in (ROOT / "compiled.txt").read_text().split()]
WHERE = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"


def native() -> str:
    """What keeps this machine from compiling, or nothing."""
    spec = importlib.util.spec_from_file_location("hatch_native", ROOT / "hatch_native.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reason: str = module.why_not()
    return reason


def places(*, pure: bool) -> list[str]:
    environment = {**os.environ, "PERISHIELD_PURE": "1" if pure else "0"}
    told = subprocess.run(
        [sys.executable, "-c", WHERE, *NAMES], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return told.stdout.split()


def test_all_are_compiled_where_there_is_a_compiler() -> None:
    suffix = ".py" if native() else ".so"
    assert [place for place in places(pure=False) if not place.endswith(suffix)] == []


def test_plain_python_can_be_asked_for() -> None:
    assert [place for place in places(pure=True) if not place.endswith(".py")] == []


@pytest.mark.skipif(bool(native()), reason="the whole suite runs as plain Python here")
def test_plain_python_passes_the_tests_of_these_modules_as_well() -> None:
    names = ("carry_on", "framing", "rtp", "h264", "h265")
    tests = [f"tests/sources/test_{name}.py" for name in names]
    tests += [f"tests/streams/test_{name}.py" for name in ("chunker",)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        cwd=ROOT,
        env={**os.environ, "PERISHIELD_PURE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]

"""Compile the modules that run for every byte of every camera (`compiled.txt`) with mypyc, where that is possible.

They are plain typed Python, and run as such where there is no C compiler or no headers of Python: the same source, at
twice the cost. `PERISHIELD_PURE=1` leaves them so. What was compiled lies beside its source, bears the interpreter's
name, and is not used by any other interpreter.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

PURE = "PERISHIELD_PURE"
GROUP = "perishield_native"
STAMP = f".{GROUP}"
_SETUP = """
from setuptools import setup
from mypyc.build import mypycify

setup(
    name="{group}",
    packages=[],
    ext_modules=mypycify(
        ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", *{modules!r}],
        opt_level="2",
        debug_level="0",
        group_name="{group}",
    ),
)
"""


def modules(root: Path) -> list[str]:
    """Paths of the modules to compile, below `src`."""
    return (root / "compiled.txt").read_text(encoding="ascii").split()


def digest(root: Path) -> str:
    """SHA-256 over what decides about the result: the modules, this file, and the interpreter."""
    seen = hashlib.sha256(f"{sys.version}\0{sysconfig.get_config_var('EXT_SUFFIX')}".encode())
    for path in (Path(__file__), *(root / "src" / name for name in modules(root))):
        seen.update(path.name.encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()


def built(source: Path) -> Iterator[Path]:
    """What was compiled earlier, for whatever interpreter."""
    yield from source.glob(f"{GROUP}__mypyc.*.so")
    for name in modules(source.parent):
        path = source / name
        yield from path.parent.glob(f"{path.stem}.*.so")


def why_not() -> str:
    """What is missing for compiling, or nothing."""
    if os.environ.get(PURE) == "1":
        return f"{PURE}=1"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(os.environ.get("CC", compiler)) is None and shutil.which("cc") is None:
        return "no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "no headers of Python (on Debian: python3-dev)"
    return ""


def compile_hot(root: Path, tell: Callable[[str], None]) -> bool:
    """Bring what is compiled up to date; False where the modules stay plain Python. Never fails for that."""
    source, stamp = root / "src", root / "src" / STAMP
    wanted = digest(root)
    reason = why_not()
    if not reason and stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return True
    stamp.unlink(missing_ok=True)
    for path in built(source):
        path.unlink()
    if reason:
        tell(f"Not compiled: {reason}. Recording takes about half as much processor time again")
        return False
    tell("Compiling the recorder's inner loops (half a minute)")
    with tempfile.TemporaryDirectory(prefix="perishield-native-") as scratch:
        work = Path(scratch)
        shutil.copytree(
            source / "perishield", work / "perishield", ignore=shutil.ignore_patterns("static", "__pycache__", "*.so")
        )
        (work / "setup.py").write_text(_SETUP.format(group=GROUP, modules=modules(root)), encoding="ascii")
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stdout[-4000:])
            tell("Not compiled: see the compiler's words above. The recorder runs as plain Python")
            return False
        for path in work.glob(f"{GROUP}__mypyc.*.so"):
            shutil.copy2(path, source / path.name)
        for path in (work / "perishield").rglob("*.so"):
            shutil.copy2(path, source / path.relative_to(work))
    stamp.write_text(wanted, encoding="ascii")
    return True

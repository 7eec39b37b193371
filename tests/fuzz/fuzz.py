"""Fuzz one or all targets for some minutes: `python tests/fuzz/fuzz.py --minutes 10 [TARGET...]`.

With atheris installed, coverage leads the way; else seeds are mutated blindly. Each target runs in a process of its own
with bounded memory. An input that breaks a target is left among its seeds, where the tests find it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
MEMORY = 1 << 30
LARGEST = 16_384
SLOWEST_S = 5


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed readers with what no camera sends.")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY, 4 * MEMORY))
        return _alone(arguments.targets[0], arguments.minutes * 60)
    from targets import TARGETS

    failed = []
    for name in arguments.targets or TARGETS:
        command = [sys.executable, __file__, name, "--alone", "--minutes", str(arguments.minutes)]
        began = time.monotonic()
        code = subprocess.run(command).returncode
        sys.stdout.write(
            f"{name}: {'no find' if code == 0 else f'FOUND ({code})'} in {time.monotonic() - began:.0f} s\n"
        )
        sys.stdout.flush()
        failed += [name] if code else []
    return 1 if failed else 0


def _alone(name: str, seconds: float) -> int:
    if importlib.util.find_spec("atheris") is not None:
        return _guided(name, seconds)
    from targets import TARGETS, check

    count = 0
    for data in mutations(seeds(name), random.Random(), time.monotonic() + seconds):
        count += 1
        try:
            check(TARGETS[name], data)
        except Exception:
            _keep(name, data)
            raise
    sys.stdout.write(f"{name}: {count} inputs, blindly\n")
    return 0


def _guided(name: str, seconds: float) -> int:
    import atheris

    with atheris.instrument_imports(include=["perishield"]):
        from targets import TARGETS, check
    target: Callable[[bytes], int] = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            check(target, data)
        except Exception:
            _keep(name, data)
            raise

    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-rss_limit_mb={MEMORY >> 20}",
            f"-timeout={SLOWEST_S}",
            f"-max_len={LARGEST}",
            f"-artifact_prefix={corpus}/",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, corpus, str(SEEDS / name)], one)
        atheris.Fuzz()
    return 0


def _keep(name: str, data: bytes) -> None:
    folder = SEEDS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((SEEDS / name).iterdir())]


def mutations(known: list[bytes], chance: random.Random, until: float) -> Iterator[bytes]:
    """Seeds with bytes changed, cut out, doubled and mixed, until that moment (monotonic seconds)."""
    yield from known
    while time.monotonic() < until:
        data = bytearray(chance.choice(known))
        for _ in range(chance.randint(1, 8)):
            at = chance.randint(0, len(data))
            size = min(len(data) - at, 1 << chance.randint(0, 6))
            kind = chance.randint(0, 5)
            if kind == 0 and at < len(data):
                data[at] ^= 1 << chance.randint(0, 7)
            elif kind == 1 and at < len(data):
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randint(0, 255)))
            elif kind == 2:
                del data[at : at + size]
            elif kind == 3:
                data[at:at] = data[at : at + size]
            elif kind == 4:
                data[at:at] = chance.randbytes(size or 1)
            else:
                other = chance.choice(known)
                begin = chance.randint(0, len(other))
                data[at : at + size] = other[begin : begin + 64]
        yield bytes(data[:LARGEST])


if __name__ == "__main__":
    sys.exit(main())

"""`perishield` as somebody runs it, in a process of its own that need not import everything anew.

A server that has imported the product forks for every call: what runs is the command's own `main`, with its own
arguments, folder, environment and standard streams. That the program starts by itself, too, others show (tests/e2e).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_IMPORTED = ["perishield.cli.app", "perishield.store.database", "perishield.store.accounts", __name__]


def perishield(*words: object, given: str = "", folder: Path | None = None, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one call."""
    _FORKS.set_forkserver_preload(_IMPORTED)
    with tempfile.TemporaryDirectory() as name:
        streams = [Path(name) / stream for stream in ("in", "out", "err")]
        streams[0].write_text(given, encoding="utf-8")
        where = folder or Path.cwd()
        process = _FORKS.Process(
            target=_run, args=(list(map(str, words)), where, {**os.environ, **environment}, streams)
        )
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"perishield {' '.join(map(str, words))}: no end in 60 s")
        return process.exitcode, *(stream.read_text(encoding="utf-8") for stream in streams[1:])


def _run(words: list[str], folder: Path, environment: dict[str, str], streams: list[Path]) -> None:
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        os.dup2(os.open(path, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["perishield", *words]
    from perishield.cli import main

    main()

"""`perishield simulate`: clips as cameras."""

from __future__ import annotations

from pathlib import Path

from perishield import log


def run(files: list[Path], *, host: str, port: int, username: str, password: str) -> None:
    from perishield.sources.simulator import simulate

    log.configure()
    simulate(files, host=host, port=port, username=username, password=password)

"""`perishield simulate`: clips as cameras."""

from __future__ import annotations

from pathlib import Path

from perishield import log


def run(files: list[Path], *, host: str, port: int, username: str, password: str) -> None:
    import asyncio
    from contextlib import suppress

    from perishield.sources.simulator import simulate

    log.configure()
    with suppress(KeyboardInterrupt):
        asyncio.run(
            simulate(
                files, host, port, username=username, password=password, announce=lambda url: print(url, flush=True)
            )
        )

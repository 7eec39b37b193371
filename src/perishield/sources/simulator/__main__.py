"""`python -m perishield.sources.simulator FILE... --port N`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import signal
import sys

import uvloop

from perishield.model.errors import PeriShieldError
from perishield.sources.simulator.server import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="perishield.sources.simulator", description="Serve clips as RTSP cameras.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    arguments = parser.parse_args()
    try:
        uvloop.run(_serve(arguments))
    except PeriShieldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    serving = asyncio.ensure_future(
        simulate(
            arguments.files,
            arguments.host,
            arguments.port,
            username=arguments.user,
            password=arguments.password,
            announce=functools.partial(print, flush=True),
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    sys.exit(main())

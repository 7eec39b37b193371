"""Trying again: what every source does between two connections."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from perishield.log import Log
from perishield.model.errors import PeriShieldError
from perishield.sources.backoff import BackOff
from perishield.sources.pulse import every
from perishield.sources.status import SourceStatus


async def keep_connected(
    connect: Callable[[], Awaitable[PeriShieldError]],
    status: SourceStatus,
    back_off: BackOff,
    log: Log,
    clock: Callable[[], str] = lambda: "arrival",
) -> None:
    """Call `connect`, which returns the error that ended a connection, again and again until cancelled.

    Every failure becomes a state and a pause; one that asks for an endless pause is the last. `clock` says where the
    times of frames come from.
    """

    def tick() -> None:
        status.clock = clock()
        status.tick()

    status.connecting()
    with every(1.0, tick):
        while True:
            began = time.monotonic()
            error = await connect()
            lived = time.monotonic() - began if status.live else 0.0
            status.failed(error)
            pause = back_off.pause(error, lived)
            log.warning(
                "camera.failed",
                camera=status.camera,
                code=error.code,
                message=error.message,
                retry_in_s=round(pause, 1),
            )
            if math.isinf(pause):
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(pause)
            status.reconnects += 1

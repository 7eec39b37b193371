"""Examinations of cameras that somebody asked for: few at once, and each bounded in time."""

from __future__ import annotations

import asyncio

from perishield.api.camera_url import is_metadata
from perishield.api.problems import ProblemError
from perishield.model.device_reach import DeviceReach
from perishield.model.site import Camera
from perishield.sources.doctor.probe import Examination, probe

_AT_ONCE = 2
LONGEST_S = 20.0


class Examiner:
    """Sends the doctor out. More than two at once are refused: each is a connection to somebody's camera.

    `reach`: where cameras may be; None: anywhere.
    """

    def __init__(self, reach: DeviceReach | None = None) -> None:
        self._reach = reach
        self._running = 0

    async def examine(self, camera: Camera, seconds: float) -> Examination:
        """Raises ProblemError (429, `rate_limited`; 504, `timeout`)."""
        if self._running >= _AT_ONCE:
            raise ProblemError(429, "two cameras are being tested already; try again in a moment", why="tests_running")
        self._running += 1
        try:
            # The steps before the first packet have their own patience, on top of `seconds`.
            async with asyncio.timeout(seconds + LONGEST_S):
                return await probe(camera, seconds, forbidden=is_metadata, allowed=self._reach)
        except TimeoutError:
            raise ProblemError(
                504, "the test took too long and was ended; try again", code="timeout", why="test_too_long"
            ) from None
        finally:
            self._running -= 1

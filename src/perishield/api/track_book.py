"""Ways of objects in the server: made of the pictures of tracks that it hears of, kept in the database when finished.

A lost picture costs one point of a way, never the way. Ways still open when the server ends are stored as they are;
those open when it is killed are lost.
"""

from __future__ import annotations

import asyncio
import time

from sqlalchemy.exc import SQLAlchemyError

from perishield.log import Log
from perishield.model.site import Camera
from perishield.model.trajectory import Trajectory
from perishield.model.vision import TrackFrame
from perishield.store.database import Database
from perishield.store.tracks import add_tracks, remove_tracks_before
from perishield.tracking.trajectories import Trajectories

log = Log("tracks")

_EVERY_S = 2.0
_SWEEP_EVERY_S = 600.0
_MOST_WAITING = 10_000


class TrackBook:
    """`lost` counts finished ways that were given up because the database took none for long."""

    def __init__(self, database: Database, keep_days: float) -> None:
        self.ways = Trajectories()
        self.lost = 0
        self._database = database
        self._keep_s = keep_days * 86_400
        self._waiting: list[Trajectory] = []
        self._cameras: tuple[Camera, ...] = ()

    def follow(self, cameras: tuple[Camera, ...]) -> None:
        """The cameras of the site as they are now."""
        if cameras is self._cameras:
            return
        self._cameras = cameras
        self.ways.calibrate({camera.id: camera.ground for camera in cameras if camera.ground is not None})

    def take(self, frame: TrackFrame) -> None:
        self._add(self.ways.take(frame))

    async def run(self) -> None:
        """Store what is finished, forget what is old, until cancelled."""
        swept = -_SWEEP_EVERY_S
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                self._add(self.ways.end_lost(time.time()))
                await self.flush()
                if time.monotonic() - swept >= _SWEEP_EVERY_S:
                    swept = time.monotonic()
                    await self._sweep()
        finally:
            self._add(self.ways.end_all())
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Store the finished ways, all in one transaction; what cannot be stored now is tried again."""
        batch = self._waiting[:1000]
        if not batch:
            return
        try:
            async with self._database.write() as session:
                await add_tracks(session, batch)
        except SQLAlchemyError as error:
            log.error("tracks.not_stored", waiting=len(self._waiting), message=str(error))
            return
        del self._waiting[: len(batch)]

    async def _sweep(self) -> None:
        try:
            async with self._database.write() as session:
                await remove_tracks_before(session, time.time() - self._keep_s)
        except SQLAlchemyError as error:
            log.error("tracks.not_swept", message=str(error))

    def _add(self, finished: list[Trajectory]) -> None:
        self._waiting += finished
        if len(self._waiting) > _MOST_WAITING:
            self.lost += len(self._waiting) - _MOST_WAITING
            del self._waiting[: len(self._waiting) - _MOST_WAITING]

"""The node itself: its processes, its detector, its disk; and whether it lives and serves."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from fastapi import APIRouter, Depends

import perishield
from perishield.api.outputs import detector_out, process_out
from perishield.api.pages import DiskOut, HealthOut, PressureOut, SystemOut
from perishield.api.problems import ProblemError
from perishield.api.security import Parts, may
from perishield.api.services import Services
from perishield.bus.topics import StoragePressure
from perishield.model.access import Action
from perishield.model.errors import StorageError

router = APIRouter(tags=["system"], dependencies=[Depends(may(Action.SYSTEM_VIEW))])
health = APIRouter(tags=["system"])


@router.get("/system", summary="Processes, detector, disk and how hard it is to write")
async def system(parts: Parts) -> SystemOut:
    return {
        "version": perishield.__version__,
        "processes": [process_out(state) for state in parts.processes.all()],
        "detector": detector_out(parts.processes.detector_state()),
        "disk": await asyncio.to_thread(_disk, parts.media),
        "pressure": _pressure(parts),
        "demo": parts.demo,
    }


@health.get("/healthz", summary="Whether the process lives")
async def healthz() -> HealthOut:
    return {"status": "alive"}


@health.get("/readyz", summary="Whether it serves: database and bus")
async def readyz(parts: Parts) -> HealthOut:
    reasons = [f"{job.get_name()} has ended" for job in parts.jobs if job.done()]
    try:
        async with asyncio.timeout(5):
            await parts.database.ping()
    except (StorageError, TimeoutError) as error:
        reasons.append(str(error) or "database: no answer within 5 s")
    if reasons:
        raise ProblemError(503, "; ".join(reasons), reasons=reasons)
    return {"status": "ready"}


def _pressure(parts: Services) -> PressureOut:
    told = parts.metrics.pressure or StoragePressure(level=0)
    return {"level": told.level, "queued_bytes": told.queued_bytes, "message": told.message}


def _disk(media: Path) -> DiskOut:
    folder = next((place for place in (media, *media.parents) if place.exists()), Path("/"))
    usage = shutil.disk_usage(folder)
    return {"free": usage.free, "total": usage.total}

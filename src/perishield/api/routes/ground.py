"""Trying a calibration of a camera's ground before it is kept."""

from __future__ import annotations

import asyncio
import math

from fastapi import APIRouter, Depends
from typing_extensions import TypedDict

from perishield.api.camera_body import GroundBody
from perishield.api.problems import not_found
from perishield.api.security import Parts, may
from perishield.model.access import Action
from perishield.model.ground import Ground

router = APIRouter(prefix="/cameras", tags=["cameras"])


class GroundFitOut(TypedDict):
    """`matrix`: 3 x 3, row by row, from shares of the picture to metres on the plan. `missed_m`: by each point."""

    matrix: list[float]
    error_m: float
    missed_m: list[float]


@router.post(
    "/{camera}/ground/fit",
    dependencies=[Depends(may(Action.CAMERAS_EDIT))],
    summary="What a calibration of the ground comes to; nothing is kept",
)
async def fit(camera: str, body: GroundBody, parts: Parts) -> GroundFitOut:
    """A change of the camera with the same `ground` keeps it."""
    if not parts.streams.known(camera):
        raise not_found("camera", camera)
    plane = await asyncio.to_thread(body.plane)
    found = Ground(plane, 1, 1).project([point.picture for point in plane.points])
    missed = [math.dist(at, point.site) for at, point in zip(found, plane.points, strict=True)]
    return {
        "matrix": list(plane.matrix),
        "error_m": round(plane.error_m, 3),
        "missed_m": [round(one, 3) for one in missed],
    }

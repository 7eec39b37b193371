"""Ways of objects: those that move now, and those that were."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from typing_extensions import TypedDict

from perishield.api.problems import ProblemError
from perishield.api.security import Identity, Parts, may
from perishield.api.times import Moment, iso
from perishield.model.access import Action
from perishield.model.geometry import Box
from perishield.model.trajectory import Trajectory
from perishield.store.tracks import TrackFilter, list_tracks

router = APIRouter(prefix="/tracks", tags=["tracks"])
Watching = Annotated[Identity, Depends(may(Action.LIVE_VIEW))]
Looking = Annotated[Identity, Depends(may(Action.RECORDINGS_VIEW))]


class LiveTracksOut(TypedDict):
    items: list[dict[str, Any]]
    total: int


class TracksPageOut(TypedDict):
    items: list[dict[str, Any]]
    next: int | None


@router.get("/live", summary="Who moves now, and the way each has come")
async def live(
    parts: Parts, user: Watching, camera: Annotated[str | None, Query(max_length=63)] = None
) -> LiveTracksOut:
    items = [_live(way) for way in parts.tracks.ways.live(camera) if user.reach.sees(way.camera)]
    return {"items": items, "total": len(items)}


@router.get("", summary="Finished ways, newest first")
async def listed(
    parts: Parts,
    user: Looking,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    label: Annotated[str | None, Query(max_length=64)] = None,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    region: Annotated[
        str | None, Query(max_length=128, description="left,top,right,bottom as shares of the picture")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="`next` of the page before")] = None,
) -> TracksPageOut:
    wanted = TrackFilter(
        camera=camera, label=label, start=start, end=end, region=_region(region), within=user.reach.cameras
    )
    async with parts.database.read() as session:
        page, following = await list_tracks(session, wanted, limit=limit, before=before)
    return {"items": [{"id": one.id, **_way(one.trajectory)} for one in page], "next": following}


def _region(text: str | None) -> Box | None:
    if text is None:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        left = top = right = bottom = math.nan
    if not (left <= right and top <= bottom and all(map(math.isfinite, (left, top, right, bottom)))):
        raise ProblemError(
            422,
            f"region {text!r}: is left,top,right,bottom as shares of the picture, like 0.2,0.5,0.8,1",
            field="region",
        )
    return left, top, right, bottom


def _live(way: Trajectory) -> dict[str, Any]:
    speed = None if way.metres_per_s is None else round(way.metres_per_s, 2)
    return {
        **_way(way),
        "box": [round(value, 5) for value in way.box],
        "velocity": [round(value, 5) for value in way.velocity],
        "metres_per_s": speed,
    }


def _way(way: Trajectory) -> dict[str, Any]:
    return {
        "camera": way.camera,
        "epoch": way.epoch,
        "track": way.track,
        "label": way.label,
        "score": round(way.score, 3),
        "hits": way.hits,
        "start": iso(way.start),
        "end": iso(way.end),
        "path": [[round(since, 3), round(x, 5), round(y, 5)] for since, x, y in way.path],
    }

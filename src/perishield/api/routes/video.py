"""Streams, recordings, playback, snapshots."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from perishield.api.outputs import StreamOut, segment_out
from perishield.api.pages import PlaybackOut, SegmentsOut, StreamsOut, WallOut
from perishield.api.playback import FASTEST, SLOWEST, Reel, check_range, playback_out
from perishield.api.playback_body import PlaybackIn
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, may, signed_or_may, viewed
from perishield.api.services import Services
from perishield.api.times import Moment
from perishield.model.access import Action
from perishield.model.errors import StorageError
from perishield.recording.playback_plan import Gaps
from perishield.store.cameras import get_camera

router = APIRouter(prefix="/video", tags=["video"])
pictures = APIRouter(prefix="/video", tags=["video"], dependencies=[Depends(signed_or_may(Action.LIVE_VIEW))])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Viewing = Annotated[Identity, Depends(may(Action.RECORDINGS_VIEW))]

From = Annotated[Moment | None, Query(alias="from")]
To = Annotated[Moment | None, Query(alias="to")]


@router.get("/streams", summary="The state of every stream")
async def streams(parts: Parts, user: Looking) -> StreamsOut:
    items = [item for item in parts.streams.all() if user.reach.sees(item["camera"])]
    return {"items": items, "total": len(items)}


@router.get("/streams/{camera}", summary="The state of one stream")
async def stream(camera: str, parts: Parts, _user: Looking) -> StreamOut:
    found = parts.streams.out(camera)
    if found is None:
        raise not_found("camera", camera)
    return found


@router.get("/recordings/{camera}", summary="Segment files that hold footage of a time, oldest first")
async def recordings(
    camera: str,
    parts: Parts,
    _user: Viewing,
    start: From = None,
    end: To = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> SegmentsOut:
    """The segment being written is among them. Without `from`, the newest `limit` segments."""
    _check_order(start, end)
    rows, total = await parts.footage.find(camera, start, end, limit)
    if not rows:
        await check_camera(parts, camera)
    return {"items": [segment_out(row, parts.links.sign) for row in rows], "total": total}


@router.get("/playback/{camera}", summary="Links to one continuous video of a time")
async def playback(
    camera: str,
    parts: Parts,
    _user: Viewing,
    start: Annotated[Moment, Query(alias="from")],
    end: Annotated[Moment, Query(alias="to")],
    gaps: Gaps = Gaps.CLOSE,
    speed: Annotated[float, Query(ge=SLOWEST, le=FASTEST)] = 1.0,
) -> PlaybackOut:
    """It begins at the key frame before `from`; a part ends where the camera changed its codec or picture."""
    check_range(start, end)
    return playback_out(parts.links, await _reel(parts, camera, start, end, gaps), speed)


@router.post("/playback", summary="The same for several cameras")
async def playback_of_several(body: PlaybackIn, parts: Parts, user: Viewing, request: Request) -> WallOut:
    """A camera without footage of that time is among them, with the reason."""
    check_range(body.start, body.end)
    items: list[dict[str, Any]] = []
    for camera in body.cameras:
        try:
            if not user.reach.sees(camera):
                raise not_found("camera", camera)
            await viewed(request, user, Action.RECORDINGS_VIEW, camera)
            reel = await _reel(parts, camera, body.start, body.end, body.gaps)
            items.append({"camera": camera, **playback_out(parts.links, reel, body.speed)})
        except (StorageError, ProblemError) as error:
            items.append({"camera": camera, "code": error.code, "message": error.message})
    return {"items": items, "speed": body.speed}


@pictures.get(
    "/snapshot/{camera}",
    summary="The latest key frame as JPEG",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def snapshot(camera: str, parts: Parts) -> Response:
    """With a token, or through the signed `snapshot_url` of the camera."""
    await check_camera(parts, camera)
    picture = await parts.privacy.picture(camera, await parts.snapshots.latest(camera))
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


async def _reel(parts: Services, camera: str, start: float, end: float, gaps: Gaps) -> Reel:
    """Of a camera that was removed, too, as long as there is footage of it."""
    try:
        return await parts.playback.lasting_reel(camera, start, end, gaps)
    except StorageError:
        await check_camera(parts, camera)
        raise


async def check_camera(parts: Services, camera: str) -> None:
    async with parts.database.read() as session:
        if await get_camera(session, camera) is None:
            raise not_found("camera", camera)


def _check_order(start: float | None, end: float | None) -> None:
    if start is not None and end is not None and start >= end:
        raise ProblemError(422, "to: lies not after from", field="to", why="not_after")

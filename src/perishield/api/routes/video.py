"""Streams, recordings, playback, snapshots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from perishield.api.outputs import StreamOut, segment_out
from perishield.api.pages import PlaybackOut, SegmentsOut, StreamsOut
from perishield.api.playback import locate, playback_link
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Parts, require_signature_or_user, require_user
from perishield.api.services import Services
from perishield.api.times import Moment, iso
from perishield.store.cameras import get_camera

router = APIRouter(prefix="/video", tags=["video"], dependencies=[Depends(require_user)])
pictures = APIRouter(prefix="/video", tags=["video"], dependencies=[Depends(require_signature_or_user)])

LONGEST_PLAYBACK_S = 12 * 3600.0

From = Annotated[Moment | None, Query(alias="from")]
To = Annotated[Moment | None, Query(alias="to")]


@router.get("/streams", summary="The state of every stream")
async def streams(parts: Parts) -> StreamsOut:
    items = parts.streams.all()
    return {"items": items, "total": len(items)}


@router.get("/streams/{camera}", summary="The state of one stream")
async def stream(camera: str, parts: Parts) -> StreamOut:
    found = parts.streams.out(camera)
    if found is None:
        raise not_found("camera", camera)
    return found


@router.get("/recordings/{camera}", summary="Segment files that hold footage of a time, oldest first")
async def recordings(
    camera: str,
    parts: Parts,
    start: From = None,
    end: To = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> SegmentsOut:
    """The segment being written is among them. Without `from`, the newest `limit` segments."""
    _check_order(start, end)
    rows, total = await parts.footage.find(camera, start, end, limit)
    if not rows:
        await _check_camera(parts, camera)
    return {"items": [segment_out(row, parts.links.sign) for row in rows], "total": total}


@router.get("/playback/{camera}", summary="A link to one continuous video of a time")
async def playback(
    camera: str,
    parts: Parts,
    start: Annotated[Moment, Query(alias="from")],
    end: Annotated[Moment, Query(alias="to")],
) -> PlaybackOut:
    """It begins at the key frame before `from`; holes in the footage are closed up."""
    _check_order(start, end)
    if end - start > LONGEST_PLAYBACK_S:
        raise ProblemError(422, "to: playback takes at most 12 hours at once", field="to")
    found = await locate(parts.media, camera, start, end)
    return {
        "url": playback_link(parts.links, camera, start, end),
        "start": iso(found.start),
        "duration_s": round(found.duration_s, 3),
        "mime": found.mime,
    }


@pictures.get(
    "/snapshot/{camera}",
    summary="The latest key frame as JPEG",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def snapshot(camera: str, parts: Parts) -> Response:
    """With a token, or through the signed `snapshot_url` of the camera."""
    await _check_camera(parts, camera)
    picture = await parts.snapshots.latest(camera)
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


async def _check_camera(parts: Services, camera: str) -> None:
    async with parts.database.read() as session:
        if await get_camera(session, camera) is None:
            raise not_found("camera", camera)


def _check_order(start: float | None, end: float | None) -> None:
    if start is not None and end is not None and start >= end:
        raise ProblemError(422, "to: lies not after from", field="to")

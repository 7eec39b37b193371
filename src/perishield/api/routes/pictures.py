"""Key frames, thumbnails and timeline sprites."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from perishield.api.pages import KeyFramesOut, SpritesOut
from perishield.api.playback import check_range
from perishield.api.problems import ProblemError
from perishield.api.routes.video import check_camera
from perishield.api.security import Parts, may, signed_or_may
from perishield.api.services import Services
from perishield.api.times import Moment, iso
from perishield.model.access import Action
from perishield.model.errors import StorageError
from perishield.model.site import CAMERA_ID
from perishield.recording.keyframes import key_frames, unit_size
from perishield.recording.sprites import (
    COLUMNS,
    ROWS,
    SHEET_S,
    STEP_S,
    TILE_HEIGHT,
    TILE_WIDTH,
    masked_sheet,
    sheet_start,
)

router = APIRouter(prefix="/video", tags=["pictures"], dependencies=[Depends(may(Action.RECORDINGS_VIEW))])
images = APIRouter(prefix="/video", tags=["pictures"], dependencies=[Depends(signed_or_may(Action.RECORDINGS_VIEW))])

_LONGEST_LIST_S = 31 * 86_400.0

From = Annotated[Moment, Query(alias="from")]
To = Annotated[Moment, Query(alias="to")]
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}


@router.get("/keyframes/{camera}", summary="Key frames of a time, oldest first")
async def keyframes(
    camera: str, parts: Parts, start: From, end: To, limit: Annotated[int, Query(ge=1, le=2000)] = 500
) -> KeyFramesOut:
    """Found by the index; nothing is decoded. `total` counts those of the whole time asked for."""
    check_range(start, end)
    rows = await parts.playback.rows(camera, start, end, keyframes=True)
    if not rows:
        await check_camera(parts, camera)
    found = list(key_frames(rows, start, end))
    sizes = await asyncio.to_thread(lambda: [unit_size(parts.library, frame) for frame in found[:limit]])
    items = [{"wall": iso(frame.wall), "size": size} for frame, size in zip(found[:limit], sizes, strict=True) if size]
    return {"items": items, "total": len(found)}


@images.get("/thumbnail/{camera}", summary="The picture of a moment as JPEG", response_class=Response, responses=_JPEG)
async def picture(
    camera: str,
    parts: Parts,
    at: Moment,
    width: Annotated[int, Query(ge=32, le=7680)] = 320,
    exact: bool = False,
) -> Response:
    """The key frame at or before it; with `exact` the very picture that is shown then."""
    try:
        found = await parts.pictures.thumbnail(camera, at, width, exact=exact)
    except StorageError:
        await check_camera(parts, camera)
        raise
    headers = {
        # What one may see and another may not must not lie in a browser that both use.
        "cache-control": "no-store" if parts.privacy.of(camera) else "private, max-age=3600",
        "x-picture-time": iso(found.wall),
        "x-decoder": found.decoder,
    }
    jpeg = await parts.privacy.picture(camera, found.jpeg)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get("/sprites/{camera}", summary="Sheets of small pictures, one for every ten minutes that have footage")
async def sprites(camera: str, parts: Parts, start: From, end: To) -> SpritesOut:
    """Each is made when its address is first fetched."""
    check_range(start, end, _LONGEST_LIST_S)
    rows = await parts.playback.rows(camera, start, end)
    if not rows:
        await check_camera(parts, camera)
    sheets = sorted(
        {
            begin
            for row in rows
            for begin in range(sheet_start(row.start), int(row.start + row.duration) + 1, SHEET_S)
            if begin + SHEET_S > start and begin < end
        }
    )
    return {"items": [_sheet_out(parts, camera, begin) for begin in sheets]}


@images.get("/sprites/{camera}/{start}.jpg", summary="One sheet", response_class=Response, responses=_JPEG)
async def sprite(camera: str, parts: Parts, start: Annotated[int, Path(ge=0, le=253_402_300_799)]) -> Response:
    """503 with `Retry-After` while the recorder needs the disk, or too many are asked for."""
    if start % SHEET_S or not CAMERA_ID.fullmatch(camera):
        raise ProblemError(404, "there is no such sheet; ask for the list")
    made = await parts.pictures.sprite(camera, start)
    if masks := parts.privacy.hiding(camera):
        rows = await parts.playback.rows(camera, start, start + SHEET_S, keyframes=True)
        made = await asyncio.to_thread(masked_sheet, made, {(row.width, row.height) for row in rows}, masks)
    kept = "no-store" if parts.privacy.of(camera) else "private, max-age=60"
    return Response(made, media_type="image/jpeg", headers={"cache-control": kept})


def _sheet_out(parts: Services, camera: str, start: int) -> dict[str, object]:
    return {
        "start": iso(start),
        "end": iso(start + SHEET_S),
        "url": parts.links.sign(f"/api/video/sprites/{camera}/{start}.jpg"),
        "columns": COLUMNS,
        "rows": ROWS,
        "tile_width": TILE_WIDTH,
        "tile_height": TILE_HEIGHT,
        "step_s": STEP_S,
    }

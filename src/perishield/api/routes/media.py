"""Files of the media root and continuous playback, for whoever brings a signed link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import FileResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from perishield.api.byte_ranges import ranged
from perishield.api.playback import FASTEST, KEYFRAMES_FROM, SLOWEST, check_range, part_link
from perishield.api.problems import ProblemError, problem_response
from perishield.api.remote_file import remote_file
from perishield.api.security import Parts, require_signature
from perishield.api.times import iso
from perishield.recording import hls_vod
from perishield.recording.playback_plan import Gaps

router = APIRouter(prefix="/media", tags=["media"], dependencies=[Depends(require_signature)])

_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}
_PRIVATE = {"cache-control": "private, max-age=3600"}
_FLEETING = {"cache-control": "no-store"}

From = Annotated[float, Query(alias="from", ge=0, le=253_402_300_799)]
To = Annotated[float, Query(alias="to", ge=0, le=253_402_300_799)]


class MediaFile(FileResponse):
    """A file with range requests (RFC 9110, section 14), whose refusals are problems like all others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def mended(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused = True
                headers = {
                    name.decode(): value.decode() for name, value in message["headers"] if name == b"content-range"
                }
                problem = problem_response(
                    message["status"], "range_invalid", "the byte range lies outside the file", headers=headers
                )
                await problem(scope, receive, send)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, mended)


@router.head("/playback/{camera}.mp4", include_in_schema=False)
@router.get("/playback/{camera}.mp4", summary="One part of a time range (fragmented MP4)", response_class=Response)
async def playback(
    request: Request,
    camera: str,
    parts: Parts,
    start: From,
    end: To,
    part: Annotated[int, Query(ge=0)] = 0,
    gaps: Gaps = Gaps.CLOSE,
    speed: Annotated[float, Query(ge=SLOWEST, le=FASTEST)] = 1.0,
) -> Response:
    """Takes range requests; from 4x up it is a stream of key frames instead, of which nobody knows the size."""
    check_range(start, end)
    parts.privacy.refuse(camera, "recorded video")
    reel = await parts.playback.reel(camera, start, end, gaps)
    if part >= len(reel.files):
        raise ProblemError(404, f"part: there are {len(reel.files)} of that time")
    file = reel.files[part]
    if speed >= KEYFRAMES_FROM:
        if request.method == "HEAD":
            return Response(media_type="video/mp4", headers=_FLEETING)
        stream = parts.playback.fast(reel, part, speed)
        return StreamingResponse(stream, media_type="video/mp4", headers=_FLEETING)
    return ranged(request, file.read, size=file.size, etag=file.etag, headers=_PRIVATE, media_type="video/mp4")


@router.get("/playback/{camera}.m3u8", summary="A time range as an HLS playlist", response_class=Response)
async def hls(camera: str, parts: Parts, start: From, end: To, gaps: Gaps = Gaps.CLOSE) -> Response:
    """Its media are byte ranges of the playback files, behind links that are signed as long as the playlist's."""
    check_range(start, end)
    parts.privacy.refuse(camera, "recorded video")
    reel = await parts.playback.reel(camera, start, end, gaps)
    links = [part_link(parts.links, reel, number) for number in range(len(reel.files))]
    text = await anyio.to_thread.run_sync(hls_vod.playlist, reel.files, links.__getitem__, iso)
    return Response(text, media_type=hls_vod.MEDIA_TYPE, headers=_FLEETING)


@router.head("/{path:path}", include_in_schema=False)
@router.get("/{path:path}", summary="A segment, clip or snapshot, with range requests", response_class=Response)
async def file(path: str, parts: Parts, request: Request) -> Response:
    found = await anyio.to_thread.run_sync(_below, parts.media, path)
    if found is None:
        parts.privacy.refuse(await parts.privacy.camera_of(path) or "", "recorded video")
        remote = await remote_file(parts, request, path, _PRIVATE)
        if remote is not None:
            return remote
        raise ProblemError(404, "this file is gone: it was deleted by the retention rules", code="not_found")
    media_type = _TYPES.get(found.suffix)
    if media_type is None:
        raise ProblemError(404, "there is no such media file")
    shown = await parts.privacy.file(path, found)
    if isinstance(shown, bytes):
        return Response(shown, media_type=media_type, headers=_FLEETING)
    return MediaFile(shown, media_type=media_type, headers=_PRIVATE if shown == found else _FLEETING)


def _below(media: Path, path: str) -> Path | None:
    """The file, where it is one and lies below the media root; links out of it do not count."""
    try:
        found = (media / path).resolve()
        return found if found.is_relative_to(media.resolve()) and found.is_file() else None
    except (OSError, ValueError):
        return None

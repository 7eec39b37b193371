"""Files of the media root and continuous playback, for whoever brings a signed link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import FileResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from perishield.api.playback import open_playback
from perishield.api.problems import ProblemError, problem_response
from perishield.api.security import Parts, require_signature

router = APIRouter(prefix="/media", tags=["media"], dependencies=[Depends(require_signature)])

_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}
_PRIVATE = {"cache-control": "private, max-age=3600"}


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
@router.get(
    "/playback/{camera}.mp4", summary="One continuous video (fragmented MP4) of a time", response_class=Response
)
async def playback(
    camera: str,
    parts: Parts,
    start: Annotated[float, Query(alias="from", allow_inf_nan=False)],
    end: Annotated[float, Query(alias="to", allow_inf_nan=False)],
) -> Response:
    stream = await open_playback(parts.media, camera, start, end)
    return StreamingResponse(stream, media_type="video/mp4", headers={"cache-control": "no-store"})


@router.head("/{path:path}", include_in_schema=False)
@router.get("/{path:path}", summary="A segment, clip or snapshot, with range requests", response_class=Response)
async def file(path: str, parts: Parts) -> Response:
    found = await anyio.to_thread.run_sync(_below, parts.media, path)
    if found is None:
        raise ProblemError(404, "this file is gone: it was deleted by the retention rules", code="not_found")
    media_type = _TYPES.get(found.suffix)
    if media_type is None:
        raise ProblemError(404, "there is no such media file")
    return MediaFile(found, media_type=media_type, headers=_PRIVATE)


def _below(media: Path, path: str) -> Path | None:
    """The file, where it is one and lies below the media root; links out of it do not count."""
    try:
        found = (media / path).resolve()
        return found if found.is_relative_to(media.resolve()) and found.is_file() else None
    except (OSError, ValueError):
        return None

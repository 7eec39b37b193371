"""This node as the NVR of another: segments are taken in, listed and given back, to whoever brings the upload key."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from typing_extensions import TypedDict

from perishield.api.problems import ProblemError
from perishield.api.remote_file import segment_file
from perishield.api.security import Parts
from perishield.api.times import Moment, iso
from perishield.api.uploads import require_upload_key, take_in
from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.site import CAMERA_ID
from perishield.recording.storage.received import segment_place
from perishield.store.copies import find_segment
from perishield.streams.layout import RECORDINGS, read_sidecar

router = APIRouter(prefix="/video/recordings", tags=["storage"], dependencies=[Depends(require_upload_key)])


class UploadedOut(TypedDict):
    name: str
    start: str
    end: str
    size: int
    sha256: str


class HeldOut(TypedDict):
    name: str
    start: str
    end: str
    size: int
    url: str


class HeldListOut(TypedDict):
    items: list[HeldOut]
    total: int
    playback: str | None


@router.post("/{stream}/segments", status_code=201, summary="Upload one segment of a stream")
async def upload(stream: str, name: str, parts: Parts, request: Request, response: Response) -> UploadedOut:
    """Body: an fMP4 segment of ours, with Content-Length and `Content-Digest: sha-256=:<base64>:`. 200 where the same
    one was there already, 409 where another one is."""
    received = await take_in(parts, request, stream, name)
    response.status_code = 201 if received.new else 200
    row = received.row
    return {
        "name": name,
        "start": iso(row.start),
        "end": iso(row.start + row.duration),
        "size": row.size,
        "sha256": received.sha256,
    }


@router.get("/{stream}/segments", summary="Segments of a stream in a time, and an address that plays that time")
async def held(
    stream: str,
    parts: Parts,
    start: Annotated[Moment, Query(alias="from")],
    end: Annotated[Moment, Query(alias="to")],
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> HeldListOut:
    if start >= end:
        raise ProblemError(422, "to: lies not after from", field="to")
    if not CAMERA_ID.fullmatch(stream):
        return {"items": [], "total": 0, "playback": None}
    rows, total = await parts.footage.find(stream, start, end, limit)
    rows = [row for row in rows if row.pool == RECORDINGS]
    playback = None
    if rows:
        span = {"from": f"{start:.3f}", "to": f"{end:.3f}"}
        playback = parts.links.sign(f"/media/playback/{stream}.mp4", span)
    return {
        "items": [_held(row, parts.links.sign(f"/media/{row.path}")) for row in rows],
        "total": total,
        "playback": playback,
    }


@router.head("/{stream}/segments/{name}", include_in_schema=False)
@router.get("/{stream}/segments/{name}", summary="The bytes of a segment, with ranges", response_class=Response)
async def segment(stream: str, name: str, parts: Parts, request: Request) -> Response:
    try:
        path = segment_place(stream, name)
    except StorageError as error:
        raise ProblemError(404, str(error)) from None
    # What came this moment is not in the index yet.
    row = await asyncio.to_thread(read_sidecar, parts.media, path)
    if row is None:
        async with parts.database.read() as session:
            row = await find_segment(session, path)
    if row is None:
        raise ProblemError(404, f"stream {stream!r}: there is no segment {name!r}")
    return await segment_file(parts, request, row, {"cache-control": "no-store"})


def _held(row: SegmentRow, url: str) -> HeldOut:
    return {
        "name": row.path.rsplit("/", 1)[-1],
        "start": iso(row.start),
        "end": iso(row.start + row.duration),
        "size": row.size,
        "url": url,
    }

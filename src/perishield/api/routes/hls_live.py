"""HLS of live cameras. Every address in a playlist is signed, for whoever was given the first one."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from perishield.api.live_out import problem
from perishield.api.problems import ProblemError
from perishield.api.security import Parts
from perishield.api.services import Services, services_of
from perishield.api.sight import CLEAR, let_see_by
from perishield.live.hls import Window
from perishield.live.playlist import Address, bits_a_second, media, multivariant
from perishield.model.errors import SourceError

PREFIX = "/media/live"
VIEWING_S = 12 * 3600.0
"""How long an address of a playlist is good: a shift. Segments' own are good for as long as any other link."""
_DIRECTIVES = frozenset(("_HLS_msn", "_HLS_part", "_HLS_skip"))
"""What players add to a playlist's address by themselves (RFC 8216bis section 6.2.5)."""
_PLAYLIST = "application/vnd.apple.mpegurl"
_SEGMENT = re.compile(r"segment-(\d{1,9})\.mp4")
_PART = re.compile(r"part-(\d{1,9})-(\d{1,6})\.mp4")
_INIT = re.compile(r"init-(\d{1,9})\.mp4")


async def require_hls_signature(request: Request) -> None:
    """A link that this node signed, whatever directives a player put behind it."""
    items = [(key, value) for key, value in request.query_params.multi_items() if key not in _DIRECTIVES]
    params = dict(items)
    if len(params) != len(items):
        raise ProblemError(403, "this link is not valid; ask the API for a new one")
    services_of(request).links.check(request.scope["path"], params)
    let_see_by(params.get(CLEAR))


router = APIRouter(prefix=PREFIX, tags=["live"], dependencies=[Depends(require_hls_signature)])


def hls_link(parts: Services, camera: str) -> str:
    """A new viewer's address of the camera."""
    return parts.links.sign(f"{PREFIX}/{camera}/index.m3u8", {"viewer": secrets.token_urlsafe(9)}, lifetime_s=VIEWING_S)


@router.get("/{camera}/index.m3u8", summary="HLS of a live camera", response_class=Response)
async def index(camera: str, viewer: str, parts: Parts) -> Response:
    parts.privacy.refuse(camera, "live video")
    window = await _window(parts, camera)
    head = next(reversed(window.heads.values()))
    text = multivariant(head, bits_a_second(window), _addresses(parts, camera, viewer))
    return Response(text, media_type=_PLAYLIST, headers={"cache-control": "no-store"})


@router.get("/{camera}/stream.m3u8", summary="Its newest segments", response_class=Response)
async def stream(
    camera: str,
    viewer: str,
    parts: Parts,
    number: Annotated[int | None, Query(alias="_HLS_msn", ge=0, lt=1 << 40)] = None,
    part: Annotated[int | None, Query(alias="_HLS_part", ge=0, lt=1 << 20)] = None,
) -> Response:
    """With `_HLS_msn` (and `_HLS_part`) the answer waits until that segment (or part) is there."""
    parts.privacy.refuse(camera, "live video")
    window = await _window(parts, camera)
    if number is not None:
        try:
            await window.ready(number, part)
        except SourceError as error:
            raise (
                ProblemError(400, error.message, code="invalid") if error.code == "protocol" else problem(error)
            ) from error
    text = media(window, _addresses(parts, camera, viewer))
    return Response(text, media_type=_PLAYLIST, headers={"cache-control": "no-store"})


@router.get("/{camera}/{name}", summary="A segment, part or init segment", response_class=Response)
async def piece(camera: str, name: str, viewer: str, parts: Parts) -> Response:
    parts.privacy.refuse(camera, "live video")
    window = parts.live_out.windows.known(camera)
    if window is None:
        raise ProblemError(404, "this segment is over; load the playlist again")
    if match := _INIT.fullmatch(name):
        head = window.heads.get(int(match[1]))
        if head is None:
            raise ProblemError(404, "this segment is over; load the playlist again")
        return _bytes(head.data)
    if match := _PART.fullmatch(name):
        number, part = int(match[1]), int(match[2])
        # A player may ask for the part that was announced, before it is there.
        if any(segment.number == number and len(segment.parts) == part for segment in window.segments[-1:]):
            await window.ready(number, part)
        refs = window.parts(number, part)
    elif match := _SEGMENT.fullmatch(name):
        refs = window.parts(int(match[1]))
    else:
        refs = ()
    try:
        data = await window.read(refs)
    except OSError:
        data = b""
    if not data:
        raise ProblemError(404, "this segment is over; load the playlist again")
    return _bytes(data)


def _bytes(data: bytes) -> Response:
    return Response(data, media_type="video/mp4", headers={"cache-control": "private, max-age=60"})


async def _window(parts: Services, camera: str) -> Window:
    if not parts.streams.known(camera):
        raise ProblemError(404, f"camera {camera!r}: there is none", kind="camera", id=camera)
    window = parts.live_out.windows.window(camera)
    try:
        await window.ready()
    except SourceError as error:
        raise problem(error) from error
    return window


def _addresses(parts: Services, camera: str, viewer: str) -> Address:
    def address(name: str) -> str:
        lifetime = {"lifetime_s": VIEWING_S} if name.endswith(".m3u8") else {}
        return parts.links.sign(f"{PREFIX}/{camera}/{name}", {"viewer": viewer}, **lifetime)

    return address

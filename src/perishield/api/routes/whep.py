"""WebRTC by WHEP (draft-ietf-wish-whep): an offer posted, an answer back, and an address to end it by."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from typing_extensions import TypedDict

from perishield.api.problems import ProblemError
from perishield.api.security import Parts, signed_or_may
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.live.desk import Ask, Told
from perishield.live.transcode import masked, transcoded
from perishield.model.access import Action
from perishield.model.media import TIMESCALE, Codec

router = APIRouter(prefix="/whep", tags=["live"], dependencies=[Depends(signed_or_may(Action.LIVE_VIEW))])

_OFFER = "application/sdp"
_FRAGMENT = "application/trickle-ice-sdpfrag"
_SESSION_S = 12 * 3600.0


def _takes(kind: str) -> dict[str, Any]:
    """The route reads its body itself; this is how it is described."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "string"}}}}}


class MomentOut(TypedDict):
    """Which stream time the picture with RTP timestamp `rtp` has; `epoch` -1 while none was sent."""

    epoch: int
    stream_time_s: float
    rtp: int
    wall: str


@router.post(
    "/{camera}",
    status_code=201,
    response_class=Response,
    summary="Watch a camera over WebRTC: SDP offer in, SDP answer out",
    responses={201: {"content": {_OFFER: {}}}},
    openapi_extra=_takes(_OFFER),
)
async def offered(camera: str, parts: Parts, request: Request) -> Response:
    """The camera's own H.264 is passed on; G.711 and Opus sound too. `Location` ends it by DELETE and may be kept."""
    if not parts.live_out.webrtc:
        raise ProblemError(404, "WebRTC is switched off ([live] webrtc_peers = 0)", code="webrtc_off")
    hidden = bool(parts.privacy.hiding(camera))
    if not parts.live_out.masked:
        parts.privacy.refuse(camera, "live video")
    offer = await _text(request, _OFFER)
    if not parts.streams.known(camera):
        raise ProblemError(404, f"camera {camera!r}: there is none", kind="camera", id=camera)
    state = parts.streams.get(camera)
    anew = parts.live_out.transcode and state is not None and state.codec == Codec.H265
    stream = masked(camera) if hidden else transcoded(camera) if anew else camera
    told = await parts.live_out.ask(Ask(do="offer", camera=stream, text=offer))
    path = f"/api/whep/{camera}/{told.peer}"
    links = [
        f'<{server["urls"]}>; rel="ice-server"' for server in parts.live_out.ice_servers if "credential" not in server
    ]
    headers = {"Location": parts.links.sign(path, lifetime_s=_SESSION_S)}
    if links:
        headers["Link"] = ", ".join(links)
    return Response(told.text, 201, headers, media_type=_OFFER)


@router.patch(
    "/{camera}/{peer}",
    status_code=204,
    summary="Add ICE candidates that came later (RFC 8840)",
    openapi_extra=_takes(_FRAGMENT),
)
async def trickled(camera: str, peer: str, parts: Parts, request: Request) -> Response:
    text = await _text(request, _FRAGMENT)
    await _ask(parts, Ask(do="candidates", camera=camera, peer=peer, text=text))
    return Response(status_code=204)


@router.delete("/{camera}/{peer}", status_code=200, summary="End watching", response_class=Response)
async def ended(camera: str, peer: str, parts: Parts) -> Response:
    await _ask(parts, Ask(do="end", camera=camera, peer=peer))
    return Response(status_code=200)


@router.get("/{camera}/{peer}/moment", summary="What ties pictures of this session to the camera's stream time")
async def moment(camera: str, peer: str, parts: Parts) -> MomentOut:
    told = await _ask(parts, Ask(do="moment", camera=camera, peer=peer))
    return {"epoch": told.epoch, "stream_time_s": told.stream_time / TIMESCALE, "rtp": told.rtp, "wall": iso(told.wall)}


async def _ask(parts: Services, question: Ask) -> Told:
    told = await parts.live_out.ask(question)
    if not told.found:
        raise ProblemError(404, "this session has ended", code="not_found")
    return told


async def _text(request: Request, kind: str) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise ProblemError(415, f"content-type: send {kind}", headers={"Accept": kind})
    return (await request.body()).decode(errors="replace")

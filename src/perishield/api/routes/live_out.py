"""Where a live camera can be watched, and who may watch it by RTSP."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from perishield.api.problems import ProblemError, not_found
from perishield.api.routes.hls_live import hls_link
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.times import iso
from perishield.live.credentials import Credential, issue
from perishield.model.access import Action
from perishield.store.chain import append_audit

router = APIRouter(prefix="/live", tags=["live"])

Watching = Annotated[Identity, Depends(may(Action.LIVE_VIEW))]
Letting = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]

_DAY_S = 86_400.0
_LONGEST_DAYS = 3650


class CredentialBody(BaseModel):
    """`cameras` empty: all. `days` 0: until revoked."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=200)] = ""
    cameras: Annotated[list[str], Field(max_length=4096)] = []
    days: Annotated[float, Field(ge=0, le=_LONGEST_DAYS)] = 30


class WaysOut(TypedDict):
    """Addresses of a live camera; empty where that way is switched off. `rtsp` asks for a credential."""

    mse: str
    hls: str
    whep: str
    rtsp: str
    ice_servers: list[dict[str, str]]


class CredentialOut(TypedDict):
    username: str
    note: str
    cameras: list[str]
    created: str
    expires: str | None


class CredentialsOut(TypedDict):
    items: list[CredentialOut]
    total: int
    rtsp: str


class IssuedOut(CredentialOut):
    """The password is told this once."""

    password: str
    rtsp: str


@router.get("/ways/{camera}", summary="Where a camera can be watched live")
async def ways(camera: str, parts: Parts, _user: Watching, request: Request) -> WaysOut:
    """The addresses for HLS and WHEP are signed and good for hours; anybody who has one may watch."""
    if not parts.streams.known(camera):
        raise not_found("camera", camera)
    whep = parts.links.sign(f"/api/whep/{camera}", lifetime_s=12 * 3600.0) if parts.live_out.webrtc else ""
    return {
        "mse": f"/ws/live/{camera}",
        "hls": hls_link(parts, camera),
        "whep": whep,
        "rtsp": _rtsp(parts.live_out.rtsp_port, request, camera),
        "ice_servers": parts.live_out.ice_servers,
    }


@router.get("/credentials", summary="Who may watch by RTSP")
async def credentials(parts: Parts, user: Letting, request: Request) -> CredentialsOut:
    known = [one for one in await asyncio.to_thread(parts.live_out.book.all) if _within(user, one)]
    rtsp = _rtsp(parts.live_out.rtsp_port, request, "{camera}")
    return {"items": [_out(one) for one in known], "total": len(known), "rtsp": rtsp}


@router.post("/credentials", status_code=201, summary="Let somebody watch by RTSP")
async def issued(body: CredentialBody, parts: Parts, user: Letting, request: Request) -> IssuedOut:
    """The password is made up here, told once, and kept as a hash."""
    for camera in body.cameras:
        if not (parts.streams.known(camera) and user.reach.sees(camera)):
            raise ProblemError(422, f"cameras: there is no camera {camera!r}", field="cameras")
    if not body.cameras and user.reach.cameras is not None:
        raise ProblemError(422, "cameras: name them; you may not let anybody watch all", field="cameras")
    made, password = issue(body.note, tuple(dict.fromkeys(body.cameras)), body.days * _DAY_S)
    async with parts.database.write() as session:
        await append_audit(
            session,
            audited(
                request,
                user,
                "rtsp.let",
                kind="credential",
                target=made.username,
                cameras=list(made.cameras),
                note=made.note,
            ),
        )
        await asyncio.to_thread(parts.live_out.book.add, made)
    rtsp = _rtsp(parts.live_out.rtsp_port, request, made.cameras[0] if len(made.cameras) == 1 else "{camera}")
    return {**_out(made), "password": password, "rtsp": rtsp}


@router.delete("/credentials/{username}", status_code=204, summary="Revoke")
async def revoked(username: str, parts: Parts, user: Letting, request: Request) -> None:
    """Who watches with it is sent away within seconds."""
    known = [one for one in await asyncio.to_thread(parts.live_out.book.all) if one.username == username]
    if not (known and _within(user, known[0])):
        raise not_found("credential", username)
    async with parts.database.write() as session:
        await append_audit(session, audited(request, user, "rtsp.revoke", kind="credential", target=username))
        await asyncio.to_thread(parts.live_out.book.remove, username)


def _within(user: Identity, known: Credential) -> bool:
    """Whether all that it lets somebody watch is within the caller's reach."""
    cameras = user.reach.cameras
    return cameras is None or (bool(known.cameras) and set(known.cameras) <= cameras)


def _out(known: Credential) -> CredentialOut:
    return {
        "username": known.username,
        "note": known.note,
        "cameras": list(known.cameras),
        "created": iso(known.created),
        "expires": iso(known.expires) if known.expires else None,
    }


def _rtsp(port: int, request: Request, camera: str) -> str:
    if not port:
        return ""
    host = request.url.hostname or "127.0.0.1"
    return f"rtsp://{f'[{host}]' if ':' in host else host}:{port}/{camera}"

"""Other makers' recorders, asked for footage that this node has not."""

from __future__ import annotations

import re
import time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from typing_extensions import TypedDict

from perishield.alarms.playback_push import footage_of
from perishield.api.device_address import check_device
from perishield.api.problems import not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.model.errors import SourceError
from perishield.model.recorders import Recorder, RecorderClock, RecorderKind
from perishield.sources.device_http import DeviceHttp
from perishield.store.cameras import get_camera
from perishield.store.chain import append_audit
from perishield.store.recorders import delete_recorder, get_recorder, list_recorders, save_recorder

Editor = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]
Text = Annotated[str, StringConstraints(max_length=256)]
_TRIAL_S = 3600.0

router = APIRouter(prefix="/recorders", tags=["recorders"])


class RecorderBody(BaseModel):
    """Where a camera's footage lies besides. A password that is left out stays as it is, while the address does."""

    model_config = ConfigDict(extra="forbid")

    kind: RecorderKind
    url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
    username: Text = ""
    password: Text | None = None
    channel: Annotated[int, Field(ge=1, le=512)] = 1
    clock: RecorderClock = RecorderClock.LOCAL

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"/?", parts.path):
            raise ValueError("is an address like http://192.168.1.40, without a path")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("holds neither user nor parameters; give the user by itself")
        return url.rstrip("/")


class RecorderOut(TypedDict):
    camera: str
    kind: str
    url: str
    username: str
    has_password: bool
    channel: int
    clock: str


class RecordersOut(TypedDict):
    items: list[RecorderOut]
    total: int


class RecorderTrialOut(TypedDict):
    """`pieces` of footage in the last hour; `code` and `message` say what went wrong."""

    ok: bool
    pieces: int
    code: str
    message: str


@router.get("", summary="Recorders by camera")
async def listed(parts: Parts, user: Editor) -> RecordersOut:
    async with parts.database.read() as session:
        found = [one for one in await list_recorders(session) if user.reach.sees(one.camera)]
    return {"items": [_out(one) for one in found], "total": len(found)}


@router.get("/{camera}", summary="A camera's recorder")
async def shown(camera: str, parts: Parts, user: Editor) -> RecorderOut:
    return _out(await _found(parts, camera, user))


@router.put("/{camera}", summary="Set a camera's recorder")
async def saved(camera: str, body: RecorderBody, request: Request, parts: Parts, user: Editor) -> RecorderOut:
    if not user.reach.sees(camera):
        raise not_found("camera", camera)
    async with parts.database.write() as session:
        if await get_camera(session, camera) is None:
            raise not_found("camera", camera)
        before = await get_recorder(session, camera)
        if before is None or before.url != body.url:
            check_device(body.url, parts.device_reach)
        same = before is not None and (before.url, before.username) == (body.url, body.username)
        kept = before.password if before is not None and same else ""
        recorder = Recorder(
            camera=camera,
            kind=body.kind,
            url=body.url,
            username=body.username,
            password=kept if body.password is None else body.password,
            channel=body.channel,
            clock=body.clock,
        )
        await save_recorder(session, recorder)
        entry = audited(request, user, "recorder.set", kind="recorder", target=camera, camera=camera, url=body.url)
        await append_audit(session, entry)
    return _out(recorder)


@router.delete("/{camera}", status_code=204, summary="Forget a camera's recorder")
async def removed(camera: str, request: Request, parts: Parts, user: Editor) -> None:
    await _found(parts, camera, user)
    async with parts.database.write() as session:
        if not await delete_recorder(session, camera):
            raise not_found("recorder", camera)
        await append_audit(
            session, audited(request, user, "recorder.remove", kind="recorder", target=camera, camera=camera)
        )


@router.post("/{camera}/test", summary="Search the recorder's last hour now")
async def tried(camera: str, parts: Parts, user: Editor) -> RecorderTrialOut:
    recorder = await _found(parts, camera, user)
    http = DeviceHttp(recorder.url, recorder.username, recorder.password, reach=parts.device_reach)
    now = time.time()
    try:
        pieces = await footage_of(recorder, http).search(now - _TRIAL_S, now)
    except SourceError as error:
        return {"ok": False, "pieces": 0, "code": error.code, "message": error.message}
    finally:
        await http.close()
    return {"ok": True, "pieces": len(pieces), "code": "", "message": ""}


async def _found(parts: Parts, camera: str, user: Identity) -> Recorder:
    async with parts.database.read() as session:
        found = await get_recorder(session, camera)
    if found is None or not user.reach.sees(camera):
        raise not_found("recorder", camera)
    return found


def _out(recorder: Recorder) -> RecorderOut:
    return {
        "camera": recorder.camera,
        "kind": recorder.kind.value,
        "url": recorder.url,
        "username": recorder.username,
        "has_password": bool(recorder.password),
        "channel": recorder.channel,
        "clock": recorder.clock.value,
    }

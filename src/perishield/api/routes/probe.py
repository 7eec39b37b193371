"""The doctor, asked by the console."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict

from perishield.api.bodies import Id
from perishield.api.camera_url import clean_url
from perishield.api.examiner import LONGEST_S
from perishield.api.problems import ProblemError
from perishield.api.security import Identity, Parts, may
from perishield.api.services import Services
from perishield.model.access import Action
from perishield.model.errors import mask_url
from perishield.model.site import Camera, Transport
from perishield.store.cameras import get_camera

router = APIRouter(prefix="/video", tags=["video"])
Trying = Annotated[Identity, Depends(may(Action.CAMERAS_EDIT))]

_SCHEMES = ("rtsp", "rtsps", "rtspx")


class ProbeBody(BaseModel):
    """A camera as somebody is about to save it. `camera` names a saved one whose password may be used."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "rtsp://10.0.0.4:554/stream1", "username": "viewer", "password": "x"}]}
    )

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    username: Annotated[str, StringConstraints(max_length=256)] = ""
    password: Annotated[str, StringConstraints(max_length=256)] | None = Field(default=None, repr=False)
    transport: Transport = Transport.AUTO
    tls_fingerprint: Annotated[str, StringConstraints(max_length=128)] = ""
    camera: Id | None = None
    seconds: float = Field(default=10.0, ge=2, le=LONGEST_S, allow_inf_nan=False)


class StepOut(TypedDict):
    name: str
    verdict: str
    code: str
    says: str
    way_out: str
    ms: float | None
    params: dict[str, Any]


class ProbeOut(TypedDict):
    url: str
    healthy: bool
    steps: list[StepOut]


@router.post("/probe", summary="Try a camera's address step by step")
async def probed(body: ProbeBody, parts: Parts, user: Trying) -> ProbeOut:
    """What a camera answers, and what its picture is like: takes up to half a minute."""
    examination = await parts.examiner.examine(await _camera(body, parts, user), body.seconds)
    steps: list[StepOut] = [
        {
            "name": step.name,
            "verdict": str(step.verdict),
            "code": step.code,
            "says": step.says,
            "way_out": step.way_out,
            "ms": step.ms,
            "params": step.params,
        }
        for step in examination.steps
    ]
    return {"url": examination.url, "healthy": examination.healthy, "steps": steps}


async def _camera(body: ProbeBody, parts: Services, user: Identity) -> Camera:
    kept: Camera | None = None
    if body.camera is not None and user.reach.sees(body.camera):
        async with parts.database.read() as session:
            kept = await get_camera(session, body.camera)
    wanted = body.url.strip()
    if kept is not None and wanted == mask_url(kept.url):
        wanted = kept.url
    url, username, password = clean_url(wanted, body.username, body.password)
    if urlsplit(url).scheme.lower() not in _SCHEMES:
        raise ProblemError(
            422, "url: only addresses that begin with rtsp:// or rtsps:// can be tested", field="url", why="rtsp_only"
        )
    if password is None and kept is not None and _origin(url) == _origin(kept.url):
        # A saved password is shown to the camera that it was saved for, never to another.
        password = kept.password
    return Camera(
        id=kept.id if kept is not None else "camera",
        name="camera",
        url=url,
        username=username,
        password=password or "",
        transport=body.transport,
        tls_fingerprint=body.tls_fingerprint,
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port

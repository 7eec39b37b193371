"""Trials on recordings: what a rule or model would have raised."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from perishield.api.playback_body import CameraName, RangeIn
from perishield.api.problems import ProblemError, not_found
from perishield.api.routes.media import MediaFile
from perishield.api.routes.video import check_camera
from perishield.api.rule_body import RuleBody
from perishield.api.security import Identity, Parts, audited, may, signed_or_may
from perishield.api.services import Services
from perishield.api.shadow_runs import ShadowJob
from perishield.api.times import iso
from perishield.evaluation.shadow_plan import ShadowError, check_range
from perishield.evaluation.shadow_site import DRAFT, draft, plan_for
from perishield.model.access import Action
from perishield.model.rules import Rule
from perishield.store.chain import append_audit
from perishield.streams.layout import storage_error
from perishield.vision.model_store import list_models

router = APIRouter(
    prefix="/shadow",
    tags=["trials"],
)
images = APIRouter(prefix="/shadow", tags=["trials"])

Looking = Annotated[Identity, Depends(may(Action.RECORDINGS_VIEW))]
Trying = Annotated[Identity, Depends(may(Action.RULES_EDIT))]
Fetching = Annotated[Identity | None, Depends(signed_or_may(Action.RECORDINGS_VIEW))]


class ShadowIn(RangeIn):
    """`rule`: a draft, as for drawing one. `rule_id`: a stored one. Neither: all rules of the camera."""

    camera: CameraName
    rule: RuleBody | None = None
    rule_id: Annotated[str, Field(max_length=63)] = ""
    model: Annotated[str, Field(max_length=128, description="An installed model's name.")] = ""


@router.get("", summary="All trials, newest first")
async def listed(parts: Parts, user: Looking) -> dict[str, Any]:
    jobs = [job for job in parts.shadow.all() if user.reach.sees(job.order.camera)]
    return {"items": [_out(parts, job, whole=False) for job in jobs], "total": len(jobs)}


@router.post("", status_code=201, summary="Try a rule or model on recorded footage")
async def added(body: ShadowIn, parts: Parts, user: Trying, request: Request) -> dict[str, Any]:
    """At most 24 hours. Watch `state` and `progress`; `alarms` and `spared` come with `done`.

    `pieces`: how many pieces of a picture the detector might look at again, as the site's setting says.
    """
    if not user.reach.sees(body.camera):
        raise not_found("camera", body.camera)
    await check_camera(parts, body.camera)
    rule: Rule | str | None = body.rule_id or None
    if body.rule is not None:
        rule = draft(body.rule.plain(body.rule.id or DRAFT), body.camera)
    try:
        check_range(body.start, body.end)
        model = await asyncio.to_thread(_known_model, parts, body.model)
        async with parts.database.read() as session:
            plan, real = await plan_for(session, body.camera, body.start, body.end, rule)
    except ShadowError as error:
        raise ProblemError(
            422, error.message.removeprefix("--"), code=error.code, field=error.params.get("field", "")
        ) from error
    if not plan.rules:
        raise ProblemError(
            422, f"camera {body.camera!r}: there is no rule to try; draw one first", code="shadow_invalid"
        )
    try:
        job = await parts.shadow.add(plan, real, model)
    except OSError as error:
        raise storage_error(body.camera, "the trials", error) from error
    await _booked(parts, request, user, "trial.add", job)
    return _out(parts, job)


@router.get("/{trial}", summary="One trial")
async def one(trial: str, parts: Parts, user: Looking) -> dict[str, Any]:
    return _out(parts, _within(parts, trial, user))


@router.delete("/{trial}", status_code=204, summary="Cancel a trial, or delete its result")
async def removed(trial: str, parts: Parts, user: Trying, request: Request) -> Response:
    await _booked(parts, request, user, "trial.remove", _within(parts, trial, user))
    await parts.shadow.remove(trial)
    return Response(status_code=204)


@images.get("/{trial}/pictures/{name}", summary="The picture of a would-be alarm", response_class=Response)
async def picture(trial: str, name: str, parts: Parts, user: Fetching) -> Response:
    if user is not None:
        _within(parts, trial, user)
    path = parts.shadow.picture(trial, name)
    if not path.is_file():
        raise ProblemError(404, "this picture is gone")
    camera = parts.shadow.get(trial).order.camera
    if parts.privacy.hiding(camera):
        jpeg = await parts.privacy.picture(camera, await asyncio.to_thread(path.read_bytes))
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})
    return MediaFile(path, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})


def _within(parts: Services, trial: str, user: Identity) -> ShadowJob:
    """Raises ProblemError (404)."""
    job = parts.shadow.get(trial)
    if not user.reach.sees(job.order.camera):
        raise not_found("trial", trial[:40])
    return job


async def _booked(parts: Services, request: Request, user: Identity, action: str, job: ShadowJob) -> None:
    entry = audited(request, user, action, kind="trial", target=job.id, camera=job.order.camera)
    async with parts.database.write() as session:
        await append_audit(session, entry)


def _known_model(parts: Services, name: str) -> str:
    """A model's file by its name; never by a path, since whoever asks is not on this host."""
    if not name:
        return ""
    rows = [row for row in list_models(parts.shadow.models) if row.state == "installed"]
    found = next((row.file for row in rows if name in (row.name, row.file)), None)
    if found is None:
        raise ShadowError(f"model {name!r}: is not installed here; see the system page", field="model")
    return found


def _out(parts: Services, job: ShadowJob, *, whole: bool = True) -> dict[str, Any]:
    order, result = job.order, job.result
    found = {
        "id": job.id,
        "camera": order.camera,
        "from": iso(order.start),
        "to": iso(order.end),
        "rules": [{"id": rule["id"], "name": rule["name"], "kind": rule["kind"]} for rule in order.rules],
        "created": iso(job.created),
        "state": job.state.value,
        "progress": round(job.progress, 3),
        "code": job.code,
        "message": job.message,
    }
    if not result:
        return found
    keys = ("detector", "pieces", "footage_s", "missing_s", "pictures", "speed", "would", "raised", "new", "suppressed")
    found |= {key: result[key] for key in keys} | {"spared": result["spared"], "told": result["told"]}
    if whole:
        drawn = {rule["id"]: rule for rule in order.rules}
        found["alarms"] = [
            {
                **{key: value for key, value in one.items() if key not in ("picture", "number", "rule", "rule_name")},
                "id": f"{job.id}-{one['number']}",
                "wall": iso(one["wall"]),
                "rule": drawn[one["rule"]],
                "snapshot_url": parts.links.sign(f"/api/shadow/{job.id}/pictures/{one['picture']}")
                if one["picture"]
                else "",
            }
            for one in result["alarms"]
        ]
        found["spared_alarms"] = [
            {
                **{key: value for key, value in one.items() if key != "snapshot"},
                "wall": iso(one["wall"]),
                "snapshot_url": parts.links.sign(f"/media/{one['snapshot']}") if one["snapshot"] else "",
            }
            for one in result["spared_alarms"]
        ]
    return found

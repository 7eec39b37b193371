"""Steps of escalation: who hears of an alarm that nobody takes up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from perishield.api.alarm_query import Viewer
from perishield.api.bodies import Revision
from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.model.escalation import EscalationStep
from perishield.store.chain import append_audit
from perishield.store.escalation import add_step, delete_step, get_step, list_steps, update_step

router = APIRouter(prefix="/escalation", tags=["alarms"])

MOST_STEPS = 50

Editor = Annotated[Identity, Depends(may(Action.CHANNELS_EDIT))]


class EscalationBody(BaseModel):
    """`levels` of alarms that it is for; `to_level` 0: the level stays. `revision`: the one that was loaded."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    levels: Annotated[list[Annotated[int, Field(ge=1, le=4)]], Field(min_length=1, max_length=4)]
    after_s: Annotated[float, Field(ge=10, le=604_800)]
    to_level: Annotated[int, Field(ge=0, le=4)] = 0
    to_role: Annotated[str, Field(max_length=64)] = ""
    channel: Annotated[str, Field(max_length=64)] = ""
    enabled: bool = True
    revision: Revision | None = None

    def plain(self, step: str) -> EscalationStep:
        return EscalationStep(
            id=step,
            name=self.name,
            levels=tuple(sorted(set(self.levels))),
            after_s=self.after_s,
            to_level=self.to_level,
            to_role=self.to_role,
            channel=self.channel,
            enabled=self.enabled,
        )


class EscalationOut(TypedDict):
    id: str
    name: str
    levels: list[int]
    after_s: float
    to_level: int
    to_role: str
    channel: str
    enabled: bool
    revision: int


class EscalationsOut(TypedDict):
    items: list[EscalationOut]
    total: int


@router.get("", summary="The steps, those that come due first first")
async def listed(parts: Parts, _user: Viewer) -> EscalationsOut:
    async with parts.database.read() as session:
        steps = await list_steps(session)
    return {"items": [_out(step) for step in steps], "total": len(steps)}


@router.post("", status_code=201, summary="Add a step")
async def added(body: EscalationBody, request: Request, parts: Parts, user: Editor) -> EscalationOut:
    """It looks at alarms that come due from now on."""
    async with parts.database.write() as session:
        if len(await list_steps(session)) >= MOST_STEPS:
            raise ProblemError(409, f"escalation: there are {MOST_STEPS} steps already; remove one first")
        step = await add_step(session, body.plain(""))
        await append_audit(session, audited(request, user, "escalation.add", kind="escalation", target=step.id))
    return _out(step)


@router.put("/{step}", summary="Change a step")
async def changed(
    step: str,
    body: EscalationBody,
    request: Request,
    response: Response,
    parts: Parts,
    user: Editor,
    if_match: IfMatch = None,
) -> EscalationOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile."""
    revision = expected(if_match, body.revision)
    async with parts.database.write() as session:
        before = await get_step(session, step)
        if before is None:
            raise not_found("escalation", step)
        found = await update_step(session, body.plain(step), revision)
        if found is None:
            raise stale("escalation", step, before.revision)
        await append_audit(session, audited(request, user, "escalation.change", kind="escalation", target=step))
    response.headers["etag"] = tag(found.revision)
    return _out(found)


@router.delete("/{step}", status_code=204, summary="Remove a step")
async def removed(step: str, request: Request, parts: Parts, user: Editor) -> None:
    async with parts.database.write() as session:
        if not await delete_step(session, step):
            raise not_found("escalation", step)
        await append_audit(session, audited(request, user, "escalation.remove", kind="escalation", target=step))


def _out(step: EscalationStep) -> EscalationOut:
    return {
        "id": step.id,
        "name": step.name,
        "levels": list(step.levels),
        "after_s": step.after_s,
        "to_level": step.to_level,
        "to_role": step.to_role,
        "channel": step.channel,
        "enabled": step.enabled,
        "revision": step.revision,
    }

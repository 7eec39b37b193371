"""Rules: what users draw."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.pages import RulesOut
from perishield.api.problems import ProblemError, not_found
from perishield.api.rule_body import ConditionBody, RuleBody
from perishield.api.rule_out import ConditionOut, FieldsOut, RuleStateOut, condition_out, fields_out, state_out
from perishield.api.schedule_body import check_named
from perishield.api.security import Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.model.access import Action
from perishield.model.audit import AuditEntry
from perishield.model.errors import RuleError
from perishield.model.rules import Arming, Rule, in_metres, rule_from_dict, rule_to_dict
from perishield.rules.condition import Condition
from perishield.store.cameras import get_camera
from perishield.store.chain import append_audit
from perishield.store.rules import add_rule, arm_rule, delete_rule, get_rule, list_rules, update_rule

router = APIRouter(prefix="/rules", tags=["rules"])

Looking = Annotated[Identity, Depends(may(Action.SYSTEM_VIEW))]
Changing = Annotated[Identity, Depends(may(Action.RULES_EDIT))]


@router.get("", summary="Rules, of one camera or all")
async def listed(
    parts: Parts,
    user: Looking,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    search: Annotated[str, Query(max_length=64, description="A part of the name or id")] = "",
    kind: Annotated[str, Query(max_length=16)] = "",
    enabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 100_000,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> RulesOut:
    wanted = search.strip().casefold()
    async with parts.database.read() as session:
        rules = [
            rule
            for rule in await list_rules(session, camera)
            if user.reach.sees(rule.camera)
            and (not wanted or wanted in rule.name.casefold() or wanted in rule.id)
            and (not kind or rule.kind == kind)
            and (enabled is None or rule.enabled is enabled)
        ]
    return {"items": [rule_to_dict(rule) for rule in rules[offset : offset + limit]], "total": len(rules)}


@router.post("", status_code=201, summary="Draw a rule")
async def added(body: RuleBody, parts: Parts, user: Changing, request: Request) -> dict[str, Any]:
    rule = await sensible(body.plain(body.id or uuid4().hex[:12]))
    async with parts.database.write() as session:
        await check_camera(session, rule, user)
        await check_named(session, rule.schedule_id)
        if await get_rule(session, rule.id) is not None:
            raise ProblemError(
                409, f"rule {rule.id!r}: there is one already; choose another id", field="id", why="id_taken"
            )
        rule = await add_rule(session, rule)
        await append_audit(session, _entry(request, user, "rule.add", rule))
    await parts.site.publish()
    return rule_to_dict(rule)


@router.get("/condition", summary="The fields that a condition may name, with a value of each's type")
async def fields(_user: Looking) -> FieldsOut:
    return fields_out()


@router.post("/condition", summary="Try a condition without saving anything")
async def tried(body: ConditionBody, _user: Changing) -> ConditionOut:
    try:
        await asyncio.to_thread(Condition, body.condition.strip())
    except RuleError as error:
        return condition_out(error)
    return condition_out(None)


@router.get("/{rule}", summary="One rule")
async def shown(rule: str, parts: Parts, user: Looking, response: Response) -> dict[str, Any]:
    async with parts.database.read() as session:
        found = await get_rule(session, rule)
    if found is None or not user.reach.sees(found.camera):
        raise not_found("rule", rule)
    response.headers["etag"] = tag(found.revision)
    return rule_to_dict(found)


@router.put("/{rule}", summary="Change a rule")
async def changed(
    rule: str,
    body: RuleBody,
    parts: Parts,
    user: Changing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile."""
    revision = expected(if_match, body.revision)
    wanted = await sensible(body.plain(rule))
    async with parts.database.write() as session:
        before = await get_rule(session, rule)
        if before is None or not user.reach.sees(before.camera):
            raise not_found("rule", rule)
        # Whoever edits must not undo what a guard has armed meanwhile.
        wanted = replace(wanted, arming=before.arming, rearmed=before.rearmed)
        await check_camera(session, wanted, user)
        await check_named(session, wanted.schedule_id)
        found = await update_rule(session, wanted, revision)
        if found is None:
            raise stale("rule", rule, before.revision)
        await append_audit(session, _entry(request, user, "rule.change", found))
    await parts.site.publish()
    response.headers["etag"] = tag(found.revision)
    return rule_to_dict(found)


@router.delete("/{rule}", status_code=204, summary="Remove a rule")
async def removed(rule: str, parts: Parts, user: Changing, request: Request) -> None:
    async with parts.database.write() as session:
        before = await get_rule(session, rule)
        if before is None or not user.reach.sees(before.camera) or not await delete_rule(session, rule):
            raise not_found("rule", rule)
        await append_audit(session, _entry(request, user, "rule.remove", before))
    await parts.site.publish()


@router.post("/{rule}/arm", summary="Watch, by the schedule or always")
async def armed(rule: str, parts: Parts, user: Changing, request: Request, always: bool = False) -> dict[str, Any]:
    return await _arm(rule, parts, user, request, "armed" if always else "scheduled")


@router.post("/{rule}/disarm", summary="Tell nothing until armed again; tracks are kept")
async def disarmed(rule: str, parts: Parts, user: Changing, request: Request) -> dict[str, Any]:
    return await _arm(rule, parts, user, request, "disarmed")


@router.post("/{rule}/rearm", summary="Let a one-shot rule that is spent tell once more")
async def rearmed(rule: str, parts: Parts, user: Changing, request: Request) -> dict[str, Any]:
    return await _arm(rule, parts, user, request, None)


@router.get("/{rule}/state", summary="What a rule has told, why it kept silent, and what it has counted")
async def state(rule: str, parts: Parts, user: Looking) -> RuleStateOut:
    async with parts.database.read() as session:
        found = await get_rule(session, rule)
    if found is None or not user.reach.sees(found.camera):
        raise not_found("rule", rule)
    return state_out(parts.rule_book.state(rule), judged=parts.rule_book.known(rule))


async def _arm(rule: str, parts: Services, user: Identity, request: Request, arming: Arming | None) -> dict[str, Any]:
    async with parts.database.write() as session:
        before = await get_rule(session, rule)
        if before is None or not user.reach.sees(before.camera):
            raise not_found("rule", rule)
        found = await arm_rule(session, rule, arming, rearmed=time.time() if arming is None else None)
        if found is None:
            raise not_found("rule", rule)
        await append_audit(session, _entry(request, user, f"rule.{arming or 'rearm'}", found))
    await parts.site.publish()
    return rule_to_dict(found)


async def sensible(data: dict[str, Any]) -> Rule:
    """The rule with its condition tried. Raises RuleError."""
    rule = rule_from_dict(data)
    if rule.condition:
        await asyncio.to_thread(Condition, rule.condition, rule.name)
    return rule


def _entry(request: Request, user: Identity, action: str, rule: Rule) -> AuditEntry:
    return audited(request, user, action, kind="rule", target=rule.id, camera=rule.camera, name=rule.name)


async def check_camera(session: AsyncSession, rule: Rule, user: Identity) -> None:
    camera = await get_camera(session, rule.camera) if user.reach.sees(rule.camera) else None
    if camera is None:
        raise ProblemError(422, f"camera {rule.camera!r}: there is none to draw on", field="camera")
    metres = in_metres(rule)
    if metres and getattr(camera, "ground", None) is None:
        raise RuleError(
            f"rule {rule.name!r}: {metres} is in metres, and camera {rule.camera!r} is not calibrated; "
            "calibrate it, or measure by the picture",
            field=metres,
        )

"""Rules: what users draw."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bodies import RuleBody
from perishield.api.pages import RulesOut
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Parts, require_admin
from perishield.model.rules import rule_from_dict, rule_to_dict
from perishield.store.cameras import get_camera
from perishield.store.rules import add_rule, delete_rule, get_rule, list_rules, update_rule

router = APIRouter(prefix="/rules", tags=["rules"])
changing = Depends(require_admin)


@router.get("", summary="Rules, of one camera or all")
async def listed(parts: Parts, camera: Annotated[str | None, Query(max_length=63)] = None) -> RulesOut:
    async with parts.database.read() as session:
        rules = await list_rules(session, camera)
    return {"items": [rule_to_dict(rule) for rule in rules], "total": len(rules)}


@router.post("", status_code=201, dependencies=[changing], summary="Draw a rule")
async def added(body: RuleBody, parts: Parts) -> dict[str, Any]:
    rule = rule_from_dict(body.plain(body.id or uuid4().hex[:12]))
    async with parts.database.write() as session:
        await _check_camera(session, rule.camera)
        if await get_rule(session, rule.id) is not None:
            raise ProblemError(409, f"rule {rule.id!r}: there is one already; choose another id", field="id")
        rule = await add_rule(session, rule)
    await parts.site.publish()
    return rule_to_dict(rule)


@router.get("/{rule}", summary="One rule")
async def shown(rule: str, parts: Parts) -> dict[str, Any]:
    async with parts.database.read() as session:
        found = await get_rule(session, rule)
    if found is None:
        raise not_found("rule", rule)
    return rule_to_dict(found)


@router.put("/{rule}", dependencies=[changing], summary="Change a rule")
async def changed(rule: str, body: RuleBody, parts: Parts) -> dict[str, Any]:
    async with parts.database.write() as session:
        before = await get_rule(session, rule)
        if before is None:
            raise not_found("rule", rule)
        wanted = rule_from_dict(body.plain(rule))
        await _check_camera(session, wanted.camera)
        found = await update_rule(session, wanted, body.revision)
        if found is None:
            raise ProblemError(
                409, f"rule {rule!r}: somebody else has changed it; load it again", revision=before.revision
            )
    await parts.site.publish()
    return rule_to_dict(found)


@router.delete("/{rule}", status_code=204, dependencies=[changing], summary="Remove a rule")
async def removed(rule: str, parts: Parts) -> None:
    async with parts.database.write() as session:
        if not await delete_rule(session, rule):
            raise not_found("rule", rule)
    await parts.site.publish()


async def _check_camera(session: AsyncSession, camera: str) -> None:
    if await get_camera(session, camera) is None:
        raise ProblemError(422, f"camera {camera!r}: there is none to draw on", field="camera")

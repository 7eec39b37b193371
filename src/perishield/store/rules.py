"""What users drew."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.model.rules import Arming, Rule, rule_from_dict, rule_to_dict
from perishield.store.tables import RuleTable


async def list_rules(session: AsyncSession, camera: str | None = None) -> list[Rule]:
    """The rules of one camera, or all, in the order in which they were drawn."""
    query = select(RuleTable).order_by(RuleTable.created, RuleTable.id)
    if camera is not None:
        query = query.where(RuleTable.camera == camera)
    return [_rule(row) for row in await session.scalars(query)]


async def get_rule(session: AsyncSession, rule: str) -> Rule | None:
    row = await session.get(RuleTable, rule)
    return _rule(row) if row else None


async def add_rule(session: AsyncSession, rule: Rule) -> Rule:
    """Keep a new rule at revision 1. The caller has made sure that its id is free and its camera exists."""
    row = RuleTable(id=rule.id, camera=rule.camera, revision=1, created=time.time(), body=b"")
    _fill(row, rule)
    session.add(row)
    await session.flush()
    return _rule(row)


async def update_rule(session: AsyncSession, rule: Rule, expected: int | None) -> Rule | None:
    """Change a rule and count its revision up.

    None where it is gone or, when `expected` is given, where its revision is another by now.
    """
    row = await session.get(RuleTable, rule.id)
    if row is None or (expected is not None and row.revision != expected):
        return None
    row.camera = rule.camera
    row.revision += 1
    _fill(row, rule)
    await session.flush()
    return _rule(row)


async def arm_rule(
    session: AsyncSession, rule: str, arming: Arming | None, *, rearmed: float | None = None
) -> Rule | None:
    """Set what a guard sets, leaving the revision as it is: whoever is editing the rule loses nothing.

    None where there is no such rule.
    """
    row = await session.get(RuleTable, rule)
    if row is None:
        return None
    before = _rule(row)
    _fill(
        row,
        replace(
            before,
            arming=before.arming if arming is None else arming,
            rearmed=before.rearmed if rearmed is None else rearmed,
        ),
    )
    await session.flush()
    return _rule(row)


async def delete_rule(session: AsyncSession, rule: str) -> bool:
    gone = await session.scalars(delete(RuleTable).where(RuleTable.id == rule).returning(RuleTable.id))
    return gone.first() is not None


def _fill(row: RuleTable, rule: Rule) -> None:
    row.body = msgspec.json.encode(rule_to_dict(rule))
    row.schedule_id = rule.schedule_id


def _rule(row: RuleTable) -> Rule:
    return replace(rule_from_dict(msgspec.json.decode(row.body)), revision=row.revision, schedule_id=row.schedule_id)

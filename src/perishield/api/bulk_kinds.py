"""Tasks, rules, groups and channels as bulk imports see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import uuid4

import msgspec
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bulk import Kind
from perishield.api.bulk_file import Sheet
from perishield.api.grouping import may_widen
from perishield.api.people_body import GroupBody
from perishield.api.problems import ProblemError
from perishield.api.routes.rules import check_camera as check_rule_camera
from perishield.api.routes.rules import sensible
from perishield.api.rule_body import RuleBody
from perishield.api.schedule_body import check_named
from perishield.api.security import Identity
from perishield.api.services import Services
from perishield.api.task_body import TaskBody
from perishield.api.task_checks import MOST_TASKS, check_camera, check_model, too_many
from perishield.api.task_out import task_row
from perishield.model.people import CameraGroup
from perishield.model.rules import Rule, rule_to_dict
from perishield.model.tasks import Task
from perishield.store.groups import add_group, list_groups, unknown_cameras, update_group
from perishield.store.rules import add_rule, arm_rule, list_rules, update_rule
from perishield.store.tasks import add_task, count_tasks, list_tasks, start_task, update_task

_TEXTS = frozenset({"id", "name", "camera", "model", "note", "condition", "timezone", "language"})
_RULES: TypeAdapter[Any] = TypeAdapter(RuleBody)


def _one_schedule(fields: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """A row that says by which hours a thing goes, without what it went by before."""
    for named, other in (("schedule", "schedule_id"), ("schedule_id", "schedule")):
        if fields.get(named) is not None and other not in fields:
            row[other] = None
    return row


def _columns(*bodies: type[Any]) -> tuple[str, ...]:
    """The fields of these bodies, first those by which people know a row."""
    found = list(dict.fromkeys(name for body in bodies for name in body.model_fields if name != "revision"))
    first = [name for name in ("id", "name", "kind", "camera") if name in found]
    return (*first, *(name for name in found if name not in first))


@dataclass(frozen=True, slots=True)
class Tasks(Kind[Task]):
    """Of one request. `models`: those that were found to be there."""

    parts: Services
    user: Identity
    models: set[str] = field(default_factory=set)
    kind = "task"
    sheet = Sheet("tasks", _columns(TaskBody), _TEXTS)

    async def known(self, session: AsyncSession) -> Sequence[Task]:
        return [task for task in await list_tasks(session) if self.user.reach.sees(task.camera)]

    def key(self, thing: Task) -> str:
        return thing.id

    def row(self, thing: Task) -> dict[str, Any]:
        return task_row(thing)

    def filled(self, fields: Mapping[str, Any], before: Task) -> dict[str, Any]:
        return _one_schedule(fields, Kind.filled(self, fields, before))

    async def read(self, session: AsyncSession, fields: Mapping[str, Any], before: Task | None) -> Task:
        body = TaskBody.model_validate(fields)
        task = body.task(body.id or uuid4().hex[:12])
        if task.model not in self.models:
            await check_model(self.parts, task)
            self.models.add(task.model)
        await check_camera(session, task, self.user)
        await check_named(session, task.schedule_id)
        return task

    async def save(self, session: AsyncSession, thing: Task, before: Task | None) -> None:
        if before is not None:
            await update_task(session, thing, None)
            await start_task(session, thing.id, started=thing.started)
            return
        if await count_tasks(session) >= MOST_TASKS:
            raise too_many()
        await add_task(session, thing)

    async def saved(self, parts: Services) -> None:
        await parts.site.publish()


@dataclass(frozen=True, slots=True)
class Rules(Kind[Rule]):
    """Of one request."""

    parts: Services
    user: Identity
    kind = "rule"
    sheet = Sheet("rules", _columns(*get_args(get_args(RuleBody)[0])), _TEXTS)

    async def known(self, session: AsyncSession) -> Sequence[Rule]:
        return [rule for rule in await list_rules(session) if self.user.reach.sees(rule.camera)]

    def key(self, thing: Rule) -> str:
        return thing.id

    def row(self, thing: Rule) -> dict[str, Any]:
        return {name: value for name, value in rule_to_dict(thing).items() if name in self.sheet.columns}

    def filled(self, fields: Mapping[str, Any], before: Rule) -> dict[str, Any]:
        return _one_schedule(fields, Kind.filled(self, fields, before))

    async def read(self, session: AsyncSession, fields: Mapping[str, Any], before: Rule | None) -> Rule:
        body = _RULES.validate_python(fields)
        plain = body.plain(body.id or uuid4().hex[:12])
        if before is not None:
            plain["rearmed"] = before.rearmed
        rule = await sensible(plain)
        await check_rule_camera(session, rule, self.user)
        await check_named(session, rule.schedule_id)
        return rule

    async def save(self, session: AsyncSession, thing: Rule, before: Rule | None) -> None:
        if before is None:
            await add_rule(session, thing)
            return
        await update_rule(session, thing, None)
        await arm_rule(session, thing.id, thing.arming)

    async def saved(self, parts: Services) -> None:
        await parts.site.publish()


@dataclass(frozen=True, slots=True)
class Groups(Kind[CameraGroup]):
    """Of one request. A group is known by its name, which means the same on another node."""

    parts: Services
    user: Identity
    kind = "group"
    sheet = Sheet("groups", _columns(GroupBody), _TEXTS)

    async def known(self, session: AsyncSession) -> Sequence[CameraGroup]:
        return (await list_groups(session))[0]

    def key(self, thing: CameraGroup) -> str:
        return thing.name

    def find(self, fields: Mapping[str, Any], known: Mapping[str, CameraGroup]) -> CameraGroup | None:
        wanted = str(fields.get("name", "")).strip().casefold()
        return next((group for name, group in known.items() if name.casefold() == wanted), None)

    def row(self, thing: CameraGroup) -> dict[str, Any]:
        found = msgspec.to_builtins(thing)
        return {name: list(found[name]) if name == "cameras" else found[name] for name in self.sheet.columns}

    async def read(self, session: AsyncSession, fields: Mapping[str, Any], before: CameraGroup | None) -> CameraGroup:
        body = GroupBody.model_validate(fields)
        missing = await unknown_cameras(session, body.cameras)
        if missing:
            raise ProblemError(422, f"there is no camera {missing[0]!r}", field="cameras")
        if before is not None:
            await may_widen(session, self.user, before, body.cameras)
        return body.group(before)

    async def save(self, session: AsyncSession, thing: CameraGroup, before: CameraGroup | None) -> None:
        if before is None:
            await add_group(session, thing.name, thing.kind, thing.note, thing.cameras, adjoining=thing.adjoining)
        else:
            await update_group(session, thing, None)

    async def saved(self, parts: Services) -> None:
        await parts.people.access.reload()

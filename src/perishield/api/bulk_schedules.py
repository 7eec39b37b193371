"""Named schedules as bulk imports see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bulk import Kind
from perishield.api.bulk_file import Sheet
from perishield.api.schedule_body import MOST_SCHEDULES, NamedScheduleBody, too_many
from perishield.api.services import Services
from perishield.model.schedule import NamedSchedule
from perishield.store.schedules import add_schedule, count_schedules, list_schedules, update_schedule


@dataclass(frozen=True, slots=True)
class Schedules(Kind[NamedSchedule]):
    """Of one request."""

    kind = "schedule"
    sheet = Sheet("schedules", ("id", "name", "schedule"), frozenset({"id", "name"}))

    async def known(self, session: AsyncSession) -> Sequence[NamedSchedule]:
        return (await list_schedules(session))[0]

    def key(self, thing: NamedSchedule) -> str:
        return thing.id

    def row(self, thing: NamedSchedule) -> dict[str, Any]:
        return {"id": thing.id, "name": thing.name, "schedule": msgspec.to_builtins(thing.schedule)}

    async def read(
        self, session: AsyncSession, fields: Mapping[str, Any], before: NamedSchedule | None
    ) -> NamedSchedule:
        body = NamedScheduleBody.model_validate(fields)
        return body.named(body.id or uuid4().hex[:12])

    async def save(self, session: AsyncSession, thing: NamedSchedule, before: NamedSchedule | None) -> None:
        if before is not None:
            await update_schedule(session, thing, None)
            return
        if await count_schedules(session) >= MOST_SCHEDULES:
            raise too_many()
        await add_schedule(session, thing)

    async def saved(self, parts: Services) -> None:
        await parts.site.publish()

"""Channels as bulk imports see them. Their secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bulk import Kind
from perishield.api.bulk_file import Sheet
from perishield.api.channel_body import ChannelBody, channel_out
from perishield.api.routes.channels import check_hours, check_room, secrets_of, within
from perishield.api.security import Identity
from perishield.api.services import Services
from perishield.store.channels import StoredChannel, add_channel, change_channel, list_channels

_COLUMNS = ("id", "name", "enabled", "language", "timezone", "target", "route", "pace", "secrets")


@dataclass(frozen=True, slots=True)
class Channels(Kind[StoredChannel]):
    """Of one request."""

    user: Identity
    kind = "channel"
    sheet = Sheet("channels", _COLUMNS, frozenset({"id", "name", "language", "timezone"}))

    async def known(self, session: AsyncSession) -> Sequence[StoredChannel]:
        return [one for one in await list_channels(session) if within(self.user, one.channel)]

    def key(self, thing: StoredChannel) -> str:
        return thing.channel.id

    def row(self, thing: StoredChannel) -> dict[str, Any]:
        shown: dict[str, Any] = dict(channel_out(thing))
        return {name: shown[name] for name in _COLUMNS if name != "secrets"}

    def same(self, thing: StoredChannel, before: StoredChannel) -> bool:
        return Kind.same(self, thing, before) and thing.secrets == before.secrets

    async def read(
        self, session: AsyncSession, fields: Mapping[str, Any], before: StoredChannel | None
    ) -> StoredChannel:
        body = ChannelBody.model_validate(fields)
        channel = body.channel(body.id or uuid4().hex[:12])
        secrets = await secrets_of(channel, body, before, self.user)
        await check_hours(session, channel)
        return StoredChannel(channel=channel, secrets=secrets)

    async def save(self, session: AsyncSession, thing: StoredChannel, before: StoredChannel | None) -> None:
        if before is not None:
            await change_channel(session, thing.channel, thing.secrets, None)
            return
        await check_room(session)
        await add_channel(session, thing.channel, thing.secrets)

    async def saved(self, parts: Services) -> None:
        parts.outbox.look_again()

"""Channels, and what became of what they were to be told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.alarms.channels.opening import check_whole, plain_secrets
from perishield.alarms.channels.sender import Outcome
from perishield.alarms.composing import template_names
from perishield.api.channel_body import (
    ChannelBody,
    ChannelOut,
    ChannelsOut,
    DeliveriesOut,
    DeliveryOut,
    RetriedOut,
    TrialOut,
    channel_out,
    delivery_out,
    trial_out,
)
from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.problems import ProblemError, not_found
from perishield.api.schedule_body import check_named
from perishield.api.security import Identity, Parts, audited, may
from perishield.model.access import Action
from perishield.model.channels import Channel, DeliveryState
from perishield.store.chain import append_audit
from perishield.store.channels import (
    StoredChannel,
    add_channel,
    change_channel,
    delete_channel,
    get_channel,
    list_channels,
    set_trouble,
)
from perishield.store.delivery_log import DeliveryFilter, get_delivery, list_deliveries
from perishield.store.outbox import revive

Editor = Annotated[Identity, Depends(may(Action.CHANNELS_EDIT))]
_MOST_CHANNELS = 200

router = APIRouter(prefix="/channels", tags=["channels"])
deliveries = APIRouter(prefix="/deliveries", tags=["channels"])


@router.get("", summary="All channels")
async def listed(
    parts: Parts,
    user: Editor,
    search: Annotated[str, Query(max_length=64, description="A part of the name or id")] = "",
    kind: Annotated[str, Query(max_length=16)] = "",
    enabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> ChannelsOut:
    wanted = search.strip().casefold()
    async with parts.database.read() as session:
        found = [
            one
            for one in await list_channels(session)
            if within(user, one.channel)
            and (not wanted or wanted in one.channel.name.casefold() or wanted in one.channel.id)
            and (not kind or one.channel.kind == kind)
            and (enabled is None or one.channel.enabled is enabled)
        ]
    return {"items": [channel_out(one) for one in found[offset : offset + limit]], "total": len(found)}


@router.get(
    "/names",
    summary="The names that templates may use, with examples",
    responses={200: {"content": {"application/json": {"example": template_names()}}}},
)
async def named(_user: Editor) -> dict[str, object]:
    return template_names()


@router.post("", status_code=201, summary="Add a channel")
async def added(body: ChannelBody, request: Request, response: Response, parts: Parts, user: Editor) -> ChannelOut:
    channel = body.channel(body.id or uuid4().hex[:12])
    secrets = await secrets_of(channel, body, None, user)
    async with parts.database.write() as session:
        if await get_channel(session, channel.id) is not None:
            raise ProblemError(
                409, f"channel {channel.id!r}: there is one already; choose another id", field="id", why="id_taken"
            )
        await check_hours(session, channel)
        await check_room(session)
        stored = await add_channel(session, channel, secrets)
        await append_audit(
            session,
            audited(request, user, "channel.add", kind="channel", target=channel.id, channel_kind=channel.kind),
        )
    parts.outbox.look_again()
    return _tagged(response, stored)


@router.get("/{channel}", summary="One channel")
async def shown(channel: str, response: Response, parts: Parts, user: Editor) -> ChannelOut:
    return _tagged(response, await _found(parts, channel, user))


@router.put("/{channel}", summary="Change a channel; what waits for it stays")
async def changed(
    channel: str,
    body: ChannelBody,
    request: Request,
    response: Response,
    parts: Parts,
    user: Editor,
    if_match: IfMatch = None,
) -> ChannelOut:
    before = await _found(parts, channel, user)
    # Without a tag it is at least what the secrets were merged from.
    revision = expected(if_match) if if_match else before.channel.revision
    wanted = body.channel(channel)
    secrets = await secrets_of(wanted, body, before, user)
    async with parts.database.write() as session:
        await check_hours(session, wanted)
        stored = await change_channel(session, wanted, secrets, revision)
        if stored is None:
            now = await get_channel(session, channel)
            raise not_found("channel", channel) if now is None else stale("channel", channel, now.channel.revision)
        await append_audit(
            session,
            audited(
                request,
                user,
                "channel.change",
                kind="channel",
                target=channel,
                enabled=wanted.enabled,
                secrets_changed=sorted(body.secrets),
            ),
        )
    parts.outbox.look_again()
    return _tagged(response, stored)


@router.delete("/{channel}", status_code=204, summary="Remove a channel with all that waits for it")
async def removed(channel: str, request: Request, parts: Parts, user: Editor, if_match: IfMatch = None) -> None:
    before = await _found(parts, channel, user)
    if expected(if_match) not in (None, before.channel.revision):
        raise stale("channel", channel, before.channel.revision)
    async with parts.database.write() as session:
        if not await delete_channel(session, channel):
            raise not_found("channel", channel)
        await append_audit(session, audited(request, user, "channel.remove", kind="channel", target=channel))
    parts.outbox.look_again()


@router.post("/{channel}/test", summary="Send a test message now, and see what the receiver answers")
async def tried(channel: str, request: Request, parts: Parts, user: Editor) -> TrialOut:
    stored = await _found(parts, channel, user)
    answer, took_ms = await parts.outbox.try_out(stored.channel, stored.secrets)
    async with parts.database.write() as session:
        if answer.outcome is Outcome.ACCEPTED and stored.trouble:
            await set_trouble(session, stored.channel, "")
        await append_audit(
            session,
            audited(request, user, "channel.test", kind="channel", target=channel, outcome=answer.outcome.value),
        )
    parts.outbox.look_again()
    return trial_out(answer, took_ms)


@router.post("/{channel}/retry", summary="Try everything once more that was undeliverable, at most 1000 at a time")
async def retried_all(channel: str, request: Request, parts: Parts, user: Editor) -> RetriedOut:
    await _found(parts, channel, user)
    async with parts.database.write() as session:
        count = await revive(session, time.time(), channel=channel)
        await append_audit(
            session, audited(request, user, "channel.retry", kind="channel", target=channel, count=count)
        )
    parts.outbox.look_again()
    return {"retried": count}


@deliveries.get("", summary="What was and is to be delivered, newest first")
async def delivered(
    parts: Parts,
    user: Editor,
    channel: Annotated[str | None, Query(max_length=63)] = None,
    state: DeliveryState | None = None,
    alarm: Annotated[str | None, Query(max_length=64)] = None,
    camera: Annotated[str | None, Query(max_length=63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before")] = None,
) -> DeliveriesOut:
    wanted = DeliveryFilter(channel=channel, state=state, alarm=alarm, camera=camera, cameras=user.reach.cameras)
    async with parts.database.read() as session:
        page, following = await list_deliveries(session, wanted, limit=limit, before=before)
    return {"items": [delivery_out(one) for one in page], "next": following}


@deliveries.post("/{number}/retry", summary="Try once more what was undeliverable")
async def retried(
    number: Annotated[int, Path(ge=1, le=2**62)], request: Request, parts: Parts, user: Editor
) -> DeliveryOut:
    async with parts.database.write() as session:
        found = await get_delivery(session, number)
        if found is None or not user.reach.sees(found.camera):
            raise not_found("delivery", str(number))
        if not await revive(session, time.time(), number=number):
            raise ProblemError(
                409, f"delivery {number}: is {found.state.value}; only dead ones can be tried again", why="not_dead"
            )
        found = await get_delivery(session, number)
        if found is None:
            raise not_found("delivery", str(number))
        await append_audit(
            session,
            audited(
                request,
                user,
                "delivery.retry",
                kind="delivery",
                target=str(number),
                camera=found.camera,
                channel=found.channel,
            ),
        )
    parts.outbox.look_again()
    return delivery_out(found)


async def _found(parts: Parts, channel: str, user: Identity) -> StoredChannel:
    async with parts.database.read() as session:
        found = await get_channel(session, channel)
    if found is None or not within(user, found.channel):
        raise not_found("channel", channel)
    return found


def within(user: Identity, channel: Channel) -> bool:
    """Whether somebody whose reach ends somewhere may see or make a channel: it must not tell of other cameras."""
    cameras, route = user.reach.cameras, channel.route
    return cameras is None or (bool(route.cameras) and not route.groups and set(route.cameras) <= cameras)


async def check_hours(session: AsyncSession, channel: Channel) -> None:
    """Raises ProblemError (422) where its route or its quiet hours name a schedule that is not there."""
    quiet = channel.route.quiet
    await check_named(session, channel.route.schedule_id, "route.schedule_id")
    await check_named(session, quiet.schedule_id if quiet is not None else None, "route.quiet.schedule_id")


async def check_room(session: AsyncSession) -> None:
    """Raises ProblemError (409) where there are channels enough."""
    if len(await list_channels(session)) >= _MOST_CHANNELS:
        raise ProblemError(
            409,
            f"there are {_MOST_CHANNELS} channels, and more would slow down every alarm",
            why="too_many",
            limit=_MOST_CHANNELS,
        )


async def secrets_of(
    wanted: Channel, body: ChannelBody, before: StoredChannel | None, user: Identity
) -> dict[str, str]:
    """What a channel has for secrets from now on. Raises ChannelError or ProblemError where it cannot work so."""
    kept: Mapping[str, str] = {}
    if before is not None and type(wanted.target) is type(before.channel.target):
        # Secrets go to where they were given for: whoever moves the address has to name them again.
        kept = before.secrets if _place(wanted) == _place(before.channel) else {}
    secrets = _merged(wanted, kept, body.secrets)
    await _check(wanted, secrets, user)
    return secrets


async def _check(channel: Channel, secrets: Mapping[str, str], user: Identity) -> None:
    await asyncio.to_thread(check_whole, channel, secrets, template_names())
    if not within(user, channel):
        raise ProblemError(
            403, "route.cameras: name only cameras within your reach", field="route.cameras", why="out_of_reach"
        )


def _merged(channel: Channel, before: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    found: dict[str, str | None] = {**before, **plain_secrets(channel.target, given)}
    return {name: value for name, value in found.items() if value}


def _place(channel: Channel) -> tuple[object, ...]:
    target = channel.target
    return tuple(getattr(target, name, "") for name in ("url", "clip_url", "host", "port", "security", "tls"))


def _tagged(response: Response, stored: StoredChannel) -> ChannelOut:
    response.headers["etag"] = tag(stored.channel.revision)
    return channel_out(stored)

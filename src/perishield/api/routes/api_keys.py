"""Keys of machines: actions at all cameras or at groups of them, with an end."""

from __future__ import annotations

import secrets
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from perishield.api.people_body import ApiKeyBody
from perishield.api.people_out import ApiKeysOut, NewApiKeyOut, key_out
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import KEY_PREFIX, Identity, Parts, audited, may
from perishield.model.access import SITEWIDE, Action
from perishield.store.accounts import digest
from perishield.store.api_keys import add_api_key, list_api_keys, revoke_api_key
from perishield.store.chain import append_audit
from perishield.store.groups import unknown_groups

router = APIRouter(prefix="/api-keys", tags=["people"])

Managing = Annotated[Identity, Depends(may(Action.PEOPLE_EDIT))]

_DAY_S = 86_400.0


@router.get("", summary="Keys of machines, newest first; never the keys themselves")
async def listed(parts: Parts, _user: Managing) -> ApiKeysOut:
    async with parts.database.read() as session:
        keys = await list_api_keys(session)
    return {"items": [key_out(key) for key in keys], "total": len(keys)}


@router.post("", status_code=201, summary="Make a key; `key` is shown this once")
async def added(body: ApiKeyBody, parts: Parts, user: Managing, request: Request) -> NewApiKeyOut:
    """Send it as `Authorization: Bearer psk_...`. It can do no more than its maker may."""
    actions = frozenset(body.actions)
    if body.groups is not None and actions & SITEWIDE:
        wide = min(actions & SITEWIDE)
        raise ProblemError(
            422,
            f"groups: {wide.value!r} concerns no camera; leave the groups out",
            field="groups",
            why="sitewide",
            action=wide,
        )
    groups = None if body.groups is None else tuple(dict.fromkeys(body.groups))
    if not user.reach.covers(parts.people.access.scope(actions, groups)):
        raise ProblemError(403, "this key would allow more than you may yourself", why="more_than_yours")
    secret = secrets.token_urlsafe(32)
    expires = time.time() + body.days * _DAY_S if body.days else 0.0
    async with parts.database.write() as session:
        missing = await unknown_groups(session, groups or ())
        if missing:
            raise ProblemError(
                422, f"groups: there is no group {missing[0]!r}", field="groups", why="no_group", name=missing[0]
            )
        key = await add_api_key(session, body.name, digest(secret), actions, groups, user.username, expires)
        entry = audited(
            request, user, "key.add", kind="key", target=key.id, name=key.name, actions=sorted(actions), groups=groups
        )
        await append_audit(session, entry)
    return {**key_out(key), "key": f"{KEY_PREFIX}{key.id}_{secret}"}


@router.delete("/{key}", status_code=204, summary="Revoke a key at once")
async def removed(key: str, parts: Parts, user: Managing, request: Request) -> None:
    async with parts.database.write() as session:
        if not await revoke_api_key(session, key[:32], time.time()):
            raise not_found("key", key[:32])
        await append_audit(session, audited(request, user, "key.revoke", kind="key", target=key))
    parts.people.access.tell()

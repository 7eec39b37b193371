"""Accounts of others, for whoever may change people."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.etags import IfMatch, expected, stale, tag
from perishield.api.login import end_sessions, ended
from perishield.api.people_body import UserBody, UserChangeBody
from perishield.api.people_out import (
    AccountOut,
    AccountsOut,
    LoginsOut,
    NewAccountOut,
    PasswordUrlOut,
    account_out,
    login_out,
)
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import ADMIN, Identity, Parts, audited, may
from perishield.api.services import Services
from perishield.api.times import iso
from perishield.model.access import Action
from perishield.store.accounts import (
    Account,
    account_by_id,
    add_account,
    add_password_link,
    delete_account,
    keep_recovery_codes,
    keep_totp,
    list_accounts,
    other_administrators,
    update_account,
)
from perishield.store.chain import append_audit
from perishield.store.roles import get_role
from perishield.store.sessions import list_sessions

router = APIRouter(prefix="/users", tags=["people"])

Managing = Annotated[Identity, Depends(may(Action.PEOPLE_EDIT))]

LINK_S = 24 * 3600.0


@router.get("", summary="Accounts by name, a page at a time")
async def listed(
    parts: Parts,
    _user: Managing,
    search: Annotated[str, Query(max_length=64, description="A part of the user name or the full name")] = "",
    role: Annotated[str, Query(max_length=16)] = "",
    disabled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> AccountsOut:
    async with parts.database.read() as session:
        page, total = await list_accounts(
            session, search=search.strip(), role=role, disabled=disabled, limit=limit, offset=offset
        )
    return {"items": [account_out(account) for account in page], "total": total}


@router.post("", status_code=201, summary="Make an account")
async def added(body: UserBody, parts: Parts, user: Managing, request: Request) -> NewAccountOut:
    """Without a password, `password_link` is what to hand to its owner."""
    hashed = await parts.passwords.hash(body.password) if body.password is not None else ""
    try:
        async with parts.database.write() as session:
            await _may_give(parts, session, user, body.role)
            account = await add_account(session, body.username, hashed, body.role, full_name=body.full_name)
            link = await _link(parts, session, account) if body.password is None else None
            entry = audited(
                request, user, "account.add", kind="account", target=account.id, name=body.username, role=body.role
            )
            await append_audit(session, entry)
    except IntegrityError as error:
        raise _taken(body.username) from error
    return {"user": account_out(account), "password_link": link}


@router.get("/{account}", summary="One account")
async def shown(account: str, parts: Parts, _user: Managing, response: Response) -> AccountOut:
    async with parts.database.read() as session:
        found = await _found(session, account)
    response.headers["etag"] = tag(found.revision)
    return account_out(found)


@router.put("/{account}", summary="Change an account's name or role, or disable it")
async def changed(
    account: str,
    body: UserChangeBody,
    parts: Parts,
    user: Managing,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> AccountOut:
    """`If-Match` or `revision`: only if nobody has changed it meanwhile. Disabling it ends its logins."""
    revision = expected(if_match, body.revision)
    gone: list[str] = []
    try:
        async with parts.database.write() as session:
            before = await _found(session, account)
            await _may_touch(parts, user, before)
            if body.role != before.role:
                await _may_give(parts, session, user, body.role)
            if before.role == ADMIN and (body.disabled or body.role != ADMIN):
                await _not_the_last(session, before)
            wanted = replace(
                before, username=body.username, full_name=body.full_name, role=body.role, disabled=body.disabled
            )
            found = await update_account(session, wanted, revision)
            if found is None:
                raise stale("account", before.username, before.revision)
            if body.disabled and not before.disabled:
                gone = await end_sessions(parts, session, account=account)
            changes = [
                name
                for name in ("username", "full_name", "role", "disabled")
                if getattr(before, name) != getattr(found, name)
            ]
            entry = audited(
                request,
                user,
                "account.change",
                kind="account",
                target=account,
                name=found.username,
                changed=changes,
                role=found.role,
                disabled=found.disabled,
            )
            await append_audit(session, entry)
    except IntegrityError as error:
        raise _taken(body.username) from error
    ended(parts, gone)
    response.headers["etag"] = tag(found.revision)
    return account_out(found)


@router.delete("/{account}", status_code=204, summary="Delete an account; what it did stays in the audit log")
async def removed(account: str, parts: Parts, user: Managing, request: Request) -> None:
    async with parts.database.write() as session:
        before = await _found(session, account)
        await _may_touch(parts, user, before)
        if before.role == ADMIN:
            await _not_the_last(session, before)
        gone = await end_sessions(parts, session, account=account)
        await delete_account(session, account)
        await append_audit(
            session,
            audited(request, user, "account.remove", kind="account", target=account, name=before.username),
        )
    ended(parts, gone)


@router.post("/{account}/password-link", status_code=201, summary="A one-time link to set a password by")
async def password_link(account: str, parts: Parts, user: Managing, request: Request) -> PasswordUrlOut:
    """Good for a day; the password of now counts until it is used. A new link makes the one before worthless."""
    async with parts.database.write() as session:
        found = await _found(session, account)
        await _may_touch(parts, user, found)
        link = await _link(parts, session, found)
        await append_audit(
            session,
            audited(request, user, "password.link", kind="account", target=account, name=found.username),
        )
    return link


@router.delete("/{account}/totp", status_code=204, summary="Take away a second factor whose device was lost")
async def totp_removed(account: str, parts: Parts, user: Managing, request: Request) -> None:
    async with parts.database.write() as session:
        found = await _found(session, account)
        await _may_touch(parts, user, found)
        await keep_totp(session, account, "", on=False)
        await keep_recovery_codes(session, account, ())
        gone = await end_sessions(parts, session, account=account)
        await append_audit(
            session, audited(request, user, "totp.reset", kind="account", target=account, name=found.username)
        )
    ended(parts, gone)


@router.get("/{account}/sessions", summary="Where somebody is logged in")
async def sessions(account: str, parts: Parts, user: Managing) -> LoginsOut:
    async with parts.database.read() as session:
        await _found(session, account)
        found = await list_sessions(session, account, time.time())
    return {"items": [login_out(login, user.session) for login in found], "total": len(found)}


@router.delete("/{account}/sessions", status_code=204, summary="End all logins of somebody")
async def sessions_ended(account: str, parts: Parts, user: Managing, request: Request) -> None:
    async with parts.database.write() as session:
        found = await _found(session, account)
        await _may_touch(parts, user, found)
        gone = await end_sessions(parts, session, account=account)
        await append_audit(
            session,
            audited(request, user, "session.end", kind="account", target=account, name=found.username, ended=len(gone)),
        )
    ended(parts, gone)


async def _found(session: AsyncSession, account: str) -> Account:
    found = await account_by_id(session, account[:64])
    if found is None:
        raise not_found("account", account[:64])
    return found


async def _may_give(parts: Services, session: AsyncSession, user: Identity, role: str) -> None:
    """Raises ProblemError where the role is none, or allows more than the giver may."""
    if await get_role(session, role, lock=True) is None:
        raise ProblemError(422, f"role {role!r}: there is none", field="role", why="no_role", name=role)
    if not user.reach.covers(parts.people.access.reach(role)):
        raise ProblemError(403, f"role {role!r} allows more than you may yourself", field="role", why="more_than_yours")


async def _may_touch(parts: Services, user: Identity, account: Account) -> None:
    """Whoever may less than somebody must not be able to take their account over."""
    if not user.reach.covers(parts.people.access.reach(account.role)):
        raise ProblemError(
            403, f"account {account.username!r} may more than you; ask an administrator", why="account_above"
        )


async def _not_the_last(session: AsyncSession, account: Account) -> None:
    if not account.disabled and not await other_administrators(session, account.id):
        raise ProblemError(
            409,
            f"account {account.username!r} is the last administrator; make another one first",
            code="last_administrator",
        )


async def _link(parts: Services, session: AsyncSession, account: Account) -> PasswordUrlOut:
    token, expires = secrets.token_urlsafe(32), time.time() + LINK_S
    await add_password_link(session, account.id, token, expires)
    return {"password_url": f"{parts.people.address}/password?token={token}", "expires": iso(expires)}


def _taken(username: str) -> ProblemError:
    return ProblemError(409, f"user name {username!r} is taken; choose another", field="username", why="name_taken")

"""Setup, login, renewal, registration."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Cookie, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bodies import LoginBody, SetupBody
from perishield.api.login import COOKIE, answer, begin_login, begun, clear_cookie, end_sessions, ended, refuse_login
from perishield.api.pages import SetupOut, WaysInOut
from perishield.api.people_body import PasswordLinkBody, RefreshBody, RegisterBody
from perishield.api.problems import ProblemError
from perishield.api.security import ADMIN, Identity, Parts, User, address_of, audited
from perishield.api.services import Services
from perishield.api.session_out import SessionOut, UserOut
from perishield.api.sessions import ReusedError
from perishield.api.tokens import unauthorized
from perishield.log import Log
from perishield.model.access import Reach
from perishield.model.totp import matching_step
from perishield.store.accounts import (
    Account,
    account_by_id,
    account_named,
    add_account,
    count_accounts,
    replace_hash,
    second_factor,
    use_password_link,
    use_recovery_code,
    use_totp_step,
)
from perishield.store.chain import append_audit
from perishield.store.roles import get_role

log = Log("auth")

router = APIRouter(tags=["entry"])

Kept = Annotated[str, Cookie(alias=COOKIE, max_length=200)]


@router.get("/setup", summary="Whether the first administrator is still to be made")
async def setup_state(parts: Parts) -> SetupOut:
    async with parts.database.read() as session:
        return {"needed": await count_accounts(session) == 0}


@router.post("/setup", summary="Make the first administrator with the one-time token of the printed link")
async def setup(body: SetupBody, parts: Parts, request: Request, response: Response) -> SessionOut:
    address = address_of(request)
    parts.throttle.attempt("setup", address)
    async with parts.database.read() as session:
        await _may_set_up(parts, session, body.token)
    hashed = await parts.passwords.hash(body.password)
    try:
        async with parts.database.write() as session:
            # Looked at again under the writer's lock: of two at once, one wins.
            await _may_set_up(parts, session, body.token)
            account = await add_account(session, body.username, hashed, ADMIN)
            await parts.setup.used(session)
            login, refresh = await begun(parts, session, request, account, "setup")
    except IntegrityError as error:
        raise ProblemError(409, "setup is done already; log in", code="setup_done") from error
    await asyncio.to_thread(parts.setup.remove_file)
    parts.throttle.succeeded("setup", address)
    log.info("setup.done", username=account.username, address=address)
    return await answer(parts, response, login, account, refresh, cookie=body.cookie)


@router.get("/auth/ways", summary="How one can come in: password, registration, an OpenID provider")
async def ways(parts: Parts) -> WaysInOut:
    """`oidc`: what its button says; empty: there is none."""
    plan = parts.people.plan
    return {"registration": plan.registration, "oidc": plan.oidc.name if parts.people.oidc is not None else ""}


@router.post("/auth/login", summary="Log in")
async def login(body: LoginBody, parts: Parts, request: Request, response: Response) -> SessionOut:
    """An account with a second factor needs its `code`, too: 401 `totp_required` asks for it."""
    address = address_of(request)
    parts.throttle.attempt(body.username, address)
    async with parts.database.read() as session:
        account = await account_named(session, body.username)
    kept = account.password_hash if account is not None and account.password_hash else None
    if not await parts.passwords.verify(kept, body.password) or account is None:
        await refuse_login(parts.database, request, body.username, "password")
        raise ProblemError(401, "wrong user name or password", why="wrong_password")
    if account.disabled:
        await refuse_login(parts.database, request, body.username, "disabled")
        raise ProblemError(401, "this account is disabled; ask an administrator", code="account_disabled")
    if account.totp_on:
        await _second_factor(body, parts, request, account)
    parts.throttle.succeeded(body.username, address)
    if parts.passwords.outdated(account.password_hash):
        renewed = await parts.passwords.hash(body.password)
        async with parts.database.write() as session:
            await replace_hash(session, account.id, renewed)
    return await begin_login(parts, request, response, account, cookie=body.cookie, how="password")


@router.post("/auth/refresh", summary="A new access token for a refresh token, which is worth one renewal")
async def refresh(
    parts: Parts, request: Request, response: Response, body: RefreshBody | None = None, kept: Kept = ""
) -> SessionOut:
    """The token comes in the body, or in the cookie that a login with `cookie` has set."""
    given = body.refresh_token if body is not None else ""
    address = address_of(request)
    parts.people.rates.take(f"address:{address}")
    if not (given or kept):
        raise unauthorized("log in first")
    try:
        renewed, fresh = await parts.people.sessions.renew(given or kept, address)
    except ReusedError as error:
        parts.people.access.tell()
        who = Identity("", "", "", 0.0, Reach(frozenset()))
        entry = audited(
            request, who, "login.reused", kind="session", target=error.login.id, account=error.login.account
        )
        async with parts.database.write() as session:
            await append_audit(session, entry)
        raise
    async with parts.database.read() as session:
        account = await account_by_id(session, renewed.account)
    if account is None or account.disabled:
        raise unauthorized("this account is gone or disabled; ask an administrator")
    return await answer(parts, response, renewed, account, fresh, cookie=not given)


@router.post("/auth/logout", status_code=204, summary="End this login", response_class=Response)
async def logout(parts: Parts, request: Request, user: User) -> Response:
    async with parts.database.write() as session:
        gone = await end_sessions(parts, session, login=user.session, account=user.id) if user.session else []
        if gone:
            await append_audit(session, audited(request, user, "logout", kind="session", target=user.session))
    ended(parts, gone)
    response = Response(status_code=204)
    clear_cookie(parts, response)
    return response


@router.post("/auth/register", status_code=201, summary="Make an account for oneself, where the settings allow it")
async def register(body: RegisterBody, parts: Parts, request: Request, response: Response) -> SessionOut:
    plan, address = parts.people.plan, address_of(request)
    if not plan.registration:
        raise ProblemError(403, "registration is switched off; ask an administrator for an account", code="closed")
    parts.throttle.attempt("register", address)
    hashed = await parts.passwords.hash(body.password)
    try:
        async with parts.database.write() as session:
            if not await count_accounts(session):
                raise ProblemError(409, "the first account is made by the setup link", code="setup_needed")
            if await get_role(session, plan.default_role, lock=True) is None:
                raise ProblemError(503, f"[accounts] default_role {plan.default_role!r}: there is no such role")
            account = await add_account(
                session, body.username, hashed, plan.default_role, full_name=body.full_name.strip()
            )
            who = Identity(account.id, account.username, account.role, 0.0, Reach(frozenset()))
            await append_audit(session, audited(request, who, "account.register", kind="account", target=account.id))
    except IntegrityError as error:
        raise ProblemError(
            409, "this user name is taken; choose another", field="username", why="name_taken"
        ) from error
    return await begin_login(parts, request, response, account, cookie=body.cookie, how="registration")


@router.post("/auth/password", status_code=204, summary="Set a password by a one-time link", response_class=Response)
async def set_password(body: PasswordLinkBody, parts: Parts, request: Request) -> Response:
    address = address_of(request)
    parts.throttle.attempt("password-link", address)
    hashed = await parts.passwords.hash(body.password)
    async with parts.database.write() as session:
        found = await use_password_link(session, body.token, time.time())
        account = await account_by_id(session, found) if found is not None else None
        if account is None or account.disabled:
            raise ProblemError(403, "this link is not valid any more; ask for another", code="link_expired")
        await replace_hash(session, account.id, hashed)
        gone = await end_sessions(parts, session, account=account.id)
        who = Identity(account.id, account.username, account.role, 0.0, Reach(frozenset()))
        await append_audit(session, audited(request, who, "password.set", kind="account", target=account.id))
    ended(parts, gone)
    parts.throttle.succeeded("password-link", address)
    return Response(status_code=204)


@router.get("/auth/me", summary="Who is logged in, and what they may do")
async def me(user: User) -> UserOut:
    return user.out()


async def _second_factor(body: LoginBody, parts: Services, request: Request, account: Account) -> None:
    if not body.code:
        parts.throttle.excused(body.username, address_of(request))
        raise ProblemError(401, "this account needs the code of its second factor", code="totp_required")
    async with parts.database.write() as session:
        step = matching_step(second_factor(session, account), body.code, time.time())
        if step is not None:
            right = await use_totp_step(session, account.id, step)
        else:
            right = await use_recovery_code(session, account.id, body.code.lower())
    if not right:
        await refuse_login(parts.database, request, body.username, "second factor")
        raise ProblemError(401, "this code is wrong, or was used before; wait for the next one", code="totp_invalid")


async def _may_set_up(parts: Services, session: AsyncSession, token: str) -> None:
    if await count_accounts(session):
        raise ProblemError(409, "setup is done already; log in", code="setup_done")
    if not await parts.setup.allows(session, token):
        raise ProblemError(
            403, "this setup link is not valid; use the one that the server printed at its start", code="setup_token"
        )

"""Setup and login."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.bodies import LoginBody, SetupBody
from perishield.api.outputs import SessionOut, UserOut
from perishield.api.pages import SetupOut
from perishield.api.problems import ProblemError
from perishield.api.security import ADMIN, Parts, User
from perishield.api.services import Services
from perishield.log import Log
from perishield.store.accounts import Account, account_named, add_account, count_accounts, replace_hash

log = Log("auth")

router = APIRouter(tags=["entry"])


@router.get("/setup", summary="Whether the first administrator is still to be made")
async def setup_state(parts: Parts) -> SetupOut:
    async with parts.database.read() as session:
        return {"needed": await count_accounts(session) == 0}


@router.post("/setup", summary="Make the first administrator with the one-time token of the printed link")
async def setup(body: SetupBody, parts: Parts, request: Request) -> SessionOut:
    address = _address(request)
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
    except IntegrityError as error:
        raise ProblemError(409, "setup is done already; log in", code="setup_done") from error
    await asyncio.to_thread(parts.setup.remove_file)
    parts.throttle.succeeded("setup", address)
    log.info("setup.done", username=account.username, address=address)
    return _session(parts, account)


@router.post("/auth/login", summary="Log in")
async def login(body: LoginBody, parts: Parts, request: Request) -> SessionOut:
    address = _address(request)
    parts.throttle.attempt(body.username, address)
    async with parts.database.read() as session:
        account = await account_named(session, body.username)
    if not await parts.passwords.verify(account.password_hash if account else None, body.password) or account is None:
        log.warning("login.refused", username=body.username, address=address)
        raise ProblemError(401, "wrong user name or password")
    parts.throttle.succeeded(body.username, address)
    if parts.passwords.outdated(account.password_hash):
        renewed = await parts.passwords.hash(body.password)
        async with parts.database.write() as session:
            await replace_hash(session, account.id, renewed)
    log.info("login.accepted", username=account.username, address=address)
    return _session(parts, account)


@router.get("/auth/me", summary="Who is logged in")
async def me(user: User) -> UserOut:
    return user.out()


async def _may_set_up(parts: Services, session: AsyncSession, token: str) -> None:
    if await count_accounts(session):
        raise ProblemError(409, "setup is done already; log in", code="setup_done")
    if not await parts.setup.allows(session, token):
        raise ProblemError(
            403, "this setup link is not valid; use the one that the server printed at its start", code="setup_token"
        )


def _session(parts: Services, account: Account) -> SessionOut:
    return {
        "access_token": parts.tokens.issue(account),
        "token_type": "bearer",
        "expires_in": parts.tokens.lifetime_s,
        "user": {"id": account.id, "username": account.username, "role": account.role},
    }


def _address(request: Request) -> str:
    return request.client.host if request.client else ""

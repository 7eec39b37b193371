"""One's own account: name, password, second factor, logins."""

from __future__ import annotations

import time
from dataclasses import replace

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession

from perishield.api.login import end_sessions, ended
from perishield.api.people_body import CodeBody, PasswordBody, ProfileBody, TotpOffBody
from perishield.api.people_out import (
    LoginsOut,
    ProfileOut,
    RecoveryCodesOut,
    TotpOut,
    account_out,
    login_out,
)
from perishield.api.problems import ProblemError, not_found
from perishield.api.security import Identity, Parts, User, address_of, audited
from perishield.api.services import Services
from perishield.model.totp import enrolment_uri, matching_step, new_secret, recovery_codes
from perishield.store.accounts import (
    Account,
    account_by_id,
    keep_recovery_codes,
    keep_totp,
    recovery_codes_left,
    replace_hash,
    second_factor,
    update_account,
)
from perishield.store.chain import append_audit
from perishield.store.sessions import list_sessions

router = APIRouter(prefix="/profile", tags=["profile"])

_ISSUER = "PyPeriShield"


@router.get("", summary="One's own account")
async def shown(parts: Parts, user: User) -> ProfileOut:
    async with parts.database.read() as session:
        account = await _own(session, user)
        left = await recovery_codes_left(session, account.id)
    return {"account": account_out(account), "totp": account.totp_on, "recovery_codes_left": left}


@router.put("", summary="Change one's own full name")
async def changed(body: ProfileBody, parts: Parts, user: User, request: Request) -> ProfileOut:
    async with parts.database.write() as session:
        account = await _own(session, user)
        found = await update_account(session, replace(account, full_name=body.full_name))
        await append_audit(session, audited(request, user, "profile.change", kind="account", target=account.id))
        left = await recovery_codes_left(session, account.id)
    return {"account": account_out(found or account), "totp": account.totp_on, "recovery_codes_left": left}


@router.put("/password", status_code=204, summary="Change one's own password; other logins end")
async def password(body: PasswordBody, parts: Parts, user: User, request: Request) -> None:
    await _proved(parts, user, request, body.old)
    hashed = await parts.passwords.hash(body.new)
    async with parts.database.write() as session:
        account = await _own(session, user)
        await replace_hash(session, account.id, hashed)
        gone = await end_sessions(parts, session, account=account.id, but=user.session)
        await append_audit(session, audited(request, user, "password.change", kind="account", target=account.id))
    ended(parts, gone)


@router.post("/totp", status_code=201, summary="Begin to set up a second factor; it counts once a code confirms it")
async def totp_begun(parts: Parts, user: User, request: Request) -> TotpOut:
    async with parts.database.write() as session:
        account = await _own(session, user)
        if account.totp_on:
            raise ProblemError(409, "there is a second factor already; take it away first", code="totp_on")
        secret = new_secret()
        await keep_totp(session, account.id, secret, on=False)
        await append_audit(session, audited(request, user, "totp.begin", kind="account", target=account.id))
    return {"secret": secret, "uri": enrolment_uri(secret, account.username, _ISSUER)}


@router.post("/totp/confirm", summary="Confirm the second factor by a code of it; answers recovery codes")
async def totp_confirmed(body: CodeBody, parts: Parts, user: User, request: Request) -> RecoveryCodesOut:
    address = address_of(request)
    parts.throttle.attempt(f"totp {user.id}", address)
    async with parts.database.write() as session:
        account = await _own(session, user)
        secret = second_factor(session, account)
        if account.totp_on or not secret:
            raise ProblemError(409, "there is nothing to confirm; begin to set one up first", code="totp_not_begun")
        step = matching_step(secret, body.code, time.time())
        if step is None:
            raise ProblemError(
                422, "this code is wrong; check the clocks of both devices", code="totp_invalid", field="code"
            )
        await keep_totp(session, account.id, secret, on=True, step=step)
        codes = recovery_codes()
        await keep_recovery_codes(session, account.id, codes)
        # Whoever has logged in elsewhere did so without the second factor.
        gone = await end_sessions(parts, session, account=account.id, but=user.session)
        await append_audit(session, audited(request, user, "totp.on", kind="account", target=account.id))
    parts.throttle.succeeded(f"totp {user.id}", address)
    ended(parts, gone)
    return {"recovery_codes": codes}


@router.post("/totp/off", status_code=204, summary="Take one's own second factor away; needs the password")
async def totp_off(body: TotpOffBody, parts: Parts, user: User, request: Request) -> None:
    await _proved(parts, user, request, body.password)
    async with parts.database.write() as session:
        account = await _own(session, user)
        await keep_totp(session, account.id, "", on=False)
        await keep_recovery_codes(session, account.id, ())
        await append_audit(session, audited(request, user, "totp.off", kind="account", target=account.id))


@router.get("/sessions", summary="Where one is logged in")
async def sessions(parts: Parts, user: User) -> LoginsOut:
    async with parts.database.read() as session:
        await _own(session, user)
        found = await list_sessions(session, user.id, time.time())
    return {"items": [login_out(login, user.session) for login in found], "total": len(found)}


@router.delete("/sessions", status_code=204, summary="End all of one's logins but this one")
async def others_ended(parts: Parts, user: User, request: Request) -> None:
    async with parts.database.write() as session:
        await _own(session, user)
        gone = await end_sessions(parts, session, account=user.id, but=user.session)
        await append_audit(
            session, audited(request, user, "session.end", kind="account", target=user.id, ended=len(gone))
        )
    ended(parts, gone)


@router.delete("/sessions/{login}", status_code=204, summary="End one of one's logins")
async def one_ended(login: str, parts: Parts, user: User, request: Request) -> None:
    async with parts.database.write() as session:
        await _own(session, user)
        gone = await end_sessions(parts, session, account=user.id, login=login[:64])
        if not gone:
            raise not_found("session", login[:64])
        await append_audit(session, audited(request, user, "session.end", kind="session", target=login))
    ended(parts, gone)


async def _own(session: AsyncSession, user: Identity) -> Account:
    """Raises ProblemError (403) for a machine, which has no account."""
    account = await account_by_id(session, user.id)
    if account is None:
        raise ProblemError(403, "only people have a profile; keys and the node's own tools do not")
    return account


async def _proved(parts: Services, user: Identity, request: Request, password: str) -> None:
    """Raises ProblemError (403) unless it is the caller's password; guessing is slowed like a login."""
    address = address_of(request)
    parts.throttle.attempt(f"password {user.id}", address)
    async with parts.database.read() as session:
        account = await _own(session, user)
    if not await parts.passwords.verify(account.password_hash or None, password):
        raise ProblemError(403, "this is not the password that counts now", code="password_wrong", field="old")
    parts.throttle.succeeded(f"password {user.id}", address)

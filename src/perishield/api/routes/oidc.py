"""Login at an OpenID provider, as a browser goes through it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from starlette.responses import RedirectResponse

from perishield.api.login import begun, refuse_login, set_cookie
from perishield.api.oidc import Oidc, Vouched
from perishield.api.problems import ProblemError
from perishield.api.security import ADMIN, Parts, address_of
from perishield.api.services import Services
from perishield.log import Log
from perishield.model.audit import AuditEntry
from perishield.store.accounts import (
    Account,
    account_named,
    account_vouched,
    add_account,
    count_accounts,
    other_administrators,
    update_account,
)
from perishield.store.chain import append_audit
from perishield.store.roles import get_role

log = Log("oidc")

router = APIRouter(prefix="/auth/oidc", tags=["entry"])

_BINDING = "perishield_oidc"
_PATH = "/api/auth/oidc"
REDIRECT: dict[int | str, dict[str, Any]] = {
    302: {"description": "Go there", "headers": {"Location": {"required": True, "schema": {"type": "string"}}}},
    404: {"description": "There is no provider"},
}
# What a provider may send is ASCII (RFC 6749, appendix A); so even the longest fit into one request's line.
Text = Annotated[str, Query(max_length=4096, pattern="^[ -~]*$")]


@router.get(
    "/start",
    summary="Send the browser to the OpenID provider",
    status_code=302,
    responses=REDIRECT,
    response_class=Response,
)
async def start(parts: Parts, request: Request) -> Response:
    provider = _provider(parts)
    parts.people.rates.take(f"address:{address_of(request)}")
    url, binding = await provider.begin()
    response = RedirectResponse(url, 302)
    # Lax, not strict: the answer comes with a navigation from the provider's site.
    response.set_cookie(
        _BINDING, binding, max_age=600, path=_PATH, secure=parts.people.secure, httponly=True, samesite="lax"
    )
    return response


@router.get(
    "/callback",
    summary="Where the OpenID provider sends the browser back to",
    status_code=302,
    responses=REDIRECT,
    response_class=Response,
)
async def callback(
    parts: Parts,
    request: Request,
    state: Text = "",
    code: Text = "",
    error: Text = "",
    binding: Annotated[str, Cookie(alias=_BINDING, max_length=200)] = "",
) -> Response:
    """Sets the login's cookie and goes on to the console, which renews it; with `?problem=CODE` where it failed."""
    provider = _provider(parts)
    parts.people.rates.take(f"address:{address_of(request)}")
    try:
        if error or not code:
            raise ProblemError(401, f"the provider refused ({error[:100] or 'no code'})", code="oidc_refused")
        vouched = await provider.finish(state, code, binding)
        account, lasts_s, refresh = await _log_in(parts, provider, vouched, request)
    except ProblemError as problem:
        await refuse_login(parts.database, request, "", f"oidc: {problem.message[:200]}")
        response = RedirectResponse(f"/login?{urlencode({'problem': problem.code})}", 302)
    else:
        log.info("login.accepted", username=account.username, address=address_of(request), how="oidc")
        response = RedirectResponse("/login?renew=1", 302)
        set_cookie(parts, response, refresh, lasts_s)
    response.delete_cookie(_BINDING, path=_PATH)
    return response


async def _log_in(parts: Services, provider: Oidc, vouched: Vouched, request: Request) -> tuple[Account, int, str]:
    role = provider.role_of(vouched.groups)
    if not role:
        raise ProblemError(401, f"{vouched.username!r} is in no group that may come in", code="oidc_no_role")
    try:
        async with parts.database.write() as session:
            if not await count_accounts(session):
                raise ProblemError(409, "the first account is made by the setup link", code="setup_needed")
            if await get_role(session, role, lock=True) is None:
                raise ProblemError(503, f"[oidc]: there is no role {role!r}", code="oidc_no_role")
            account = await account_vouched(session, vouched.issuer, vouched.subject)
            if account is None:
                name = vouched.username
                if await account_named(session, name) is not None:
                    # Never joined by name alone: whoever names the accounts there must not take over those here.
                    raise ProblemError(409, f"there is an account {name!r} that logs in by password", code="oidc_taken")
                account = await add_account(
                    session,
                    name,
                    "",
                    role,
                    full_name=vouched.full_name,
                    issuer=vouched.issuer,
                    subject=vouched.subject,
                )
                await append_audit(session, _entry(account, "account.add", request, role=role, by="oidc"))
            elif account.disabled:
                raise ProblemError(401, "this account is disabled; ask an administrator", code="account_disabled")
            elif provider.plan.roles and account.role != role:
                if account.role == ADMIN and not await other_administrators(session, account.id):
                    log.warning("oidc.last_administrator", username=account.username, role=role)
                else:
                    account = await update_account(session, replace(account, role=role)) or account
                    await append_audit(session, _entry(account, "account.change", request, role=role, by="oidc"))
            login, refresh = await begun(parts, session, request, account, "oidc")
    except IntegrityError as error:
        raise ProblemError(409, "this login was made twice at once; try again", code="oidc_taken") from error
    return account, int(login.expires - login.created), refresh


def _provider(parts: Services) -> Oidc:
    if parts.people.oidc is None:
        raise ProblemError(404, "no OpenID provider is set ([oidc] issuer)", code="oidc_off")
    return parts.people.oidc


def _entry(account: Account, action: str, request: Request, **detail: object) -> AuditEntry:
    return AuditEntry(
        at=time.time(),
        actor=account.id,
        actor_name=account.username,
        action=action,
        kind="account",
        target=account.id,
        address=address_of(request),
        detail=detail,
    )

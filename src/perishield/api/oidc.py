"""Login at an OpenID provider: the authorization code flow (OpenID Connect Core 1.0, section 3.1) with PKCE (RFC 7636).

The provider is found by its discovery document, its keys by that; an identity token counts when it is signed by one of
them, made for this client, fresh, and bears the nonce of the very login that it answers.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from perishield.api.problems import ProblemError
from perishield.log import Log
from perishield.model.people import OidcPlan

log = Log("oidc")

CALLBACK = "/api/auth/oidc/callback"
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""None that is symmetric: whoever knows the client's secret could make tokens then."""
_PENDING_S = 600.0
_MOST_PENDING = 1000
_KEEP_S = 3600.0
_LEEWAY_S = 60
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for."""

    issuer: str
    subject: str
    username: str
    full_name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Pending:
    nonce: str
    verifier: str
    binding: str
    until: float


class Oidc:
    """One provider. `address`: how browsers reach this node, without a slash at its end."""

    def __init__(self, plan: OidcPlan, address: str) -> None:
        self.plan = plan
        self._redirect = f"{address}{CALLBACK}"
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._about: Mapping[str, Any] = {}
        self._keys: jwt.PyJWKSet | None = None
        self._read = 0.0

    async def begin(self) -> tuple[str, str]:
        """Where to send the browser, and what to bind it to by a cookie."""
        async with _client() as client:
            about = await self._discovered(client)
        state, nonce, verifier, binding = (secrets.token_urlsafe(32) for _ in range(4))
        now = time.monotonic()
        while self._pending and next(iter(self._pending.values())).until < now:
            self._pending.popitem(last=False)
        while len(self._pending) >= _MOST_PENDING:
            self._pending.popitem(last=False)
        self._pending[state] = _Pending(nonce, verifier, _digest(binding), now + _PENDING_S)
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.plan.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self.plan.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = str(about["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", binding

    async def finish(self, state: str, code: str, binding: str) -> Vouched:
        """Whom a callback speaks of. Raises ProblemError (401 `oidc_refused`, 503 `oidc_unreachable`)."""
        pending = self._pending.pop(state, None)
        if pending is None or pending.until < time.monotonic():
            raise _refused("this login has expired or was answered before; begin anew")
        if not hmac.compare_digest(pending.binding, _digest(binding)):
            raise _refused("this answer belongs to another browser's login; begin anew")
        async with _client() as client:
            about = await self._discovered(client)
            token = await self._exchange(client, about, code, pending.verifier)
            claims = await self._verified(client, about, token, pending.nonce)
        return self._vouched(claims)

    async def _discovered(self, client: httpx.AsyncClient) -> Mapping[str, Any]:
        if self._about and time.monotonic() - self._read < _KEEP_S:
            return self._about
        issuer = self.plan.issuer
        found = await _fetch(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise _unreachable(f"the provider calls itself {str(found.get('issuer'))[:200]!r}, not {issuer!r}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(name), str):
                raise _unreachable(f"the provider's description lacks {name!r}")
        self._about, self._keys, self._read = found, None, time.monotonic()
        return found

    async def _exchange(self, client: httpx.AsyncClient, about: Mapping[str, Any], code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self.plan.client_id,
            "code_verifier": verifier,
        }
        auth = None
        if self.plan.client_secret:
            methods = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in methods:
                auth = httpx.BasicAuth(self.plan.client_id, self.plan.client_secret)
            else:
                form["client_secret"] = self.plan.client_secret
        try:
            answer = await client.post(about["token_endpoint"], data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable(f"its token endpoint: {error}") from error
        token = body.get("id_token") if isinstance(body, dict) else None
        if answer.status_code != 200 or not isinstance(token, str):
            reason = str(body.get("error", ""))[:100] if isinstance(body, dict) else ""
            raise _refused(f"the provider did not confirm this login ({reason or answer.status_code}); begin anew")
        return token

    async def _verified(
        self, client: httpx.AsyncClient, about: Mapping[str, Any], token: str, nonce: str
    ) -> Mapping[str, Any]:
        try:
            head = jwt.get_unverified_header(token)
            if head.get("alg") not in _ALGORITHMS:
                raise jwt.InvalidAlgorithmError("its algorithm is not allowed")
            key = await self._key(client, about, head.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[head["alg"]],
                audience=self.plan.client_id,
                issuer=self.plan.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise _refused(f"the provider's token does not hold: {error}") from error
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise _refused("the provider's token belongs to another login")
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.plan.client_id:
            raise _refused("the provider's token was made for another client")
        return claims

    async def _key(self, client: httpx.AsyncClient, about: Mapping[str, Any], kid: object) -> jwt.PyJWK:
        for fresh in (False, True):
            if self._keys is None or fresh:
                self._keys = jwt.PyJWKSet.from_dict(dict(await _fetch(client, about["jwks_uri"])))
            found = [key for key in self._keys.keys if kid is None or key.key_id == kid]
            # Providers change their keys: one that is not known yet is looked for once more.
            if found:
                return found[0]
        raise _refused("the provider's token is signed by a key that it does not publish")

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        name = next((str(claims[key]) for key in ("preferred_username", "email", "sub") if claims.get(key)), "")
        listed = claims.get(self.plan.groups_claim, [])
        groups = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
        clean = "".join(letter for letter in name if letter.isprintable()).strip()
        return Vouched(
            self.plan.issuer,
            str(claims["sub"])[:255],
            clean[:64] or str(claims["sub"])[:64],
            "".join(letter for letter in str(claims.get("name", "")) if letter.isprintable())[:100],
            frozenset(str(group) for group in groups),
        )

    def role_of(self, groups: frozenset[str]) -> str:
        """The role of the first of the settings' groups that somebody is in; else the default one, if any."""
        return next((role for group, role in self.plan.roles.items() if group in groups), self.plan.default_role)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=10, follow_redirects=False, headers={"accept": "application/json"})


async def _fetch(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    try:
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise _unreachable("its answer is too long")
        found = httpx.Response(200, content=body).json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("oidc.unreachable", url=url, message=str(error))
        raise _unreachable(str(error)) from error
    if not isinstance(found, dict):
        raise _unreachable("its answer is no JSON object")
    return found


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _refused(message: str) -> ProblemError:
    return ProblemError(401, message, code="oidc_refused")


def _unreachable(message: str) -> ProblemError:
    return ProblemError(503, f"the OpenID provider cannot be used: {message}", code="oidc_unreachable")

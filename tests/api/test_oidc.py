"""Login at an OpenID provider, against a real little one."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from perishield.model.people import AccountsPlan, OidcPlan

sys.path.insert(0, str(Path(__file__).parent))
from openid_provider import Provider, serving

Make = Callable[..., Awaitable[Any]]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as made:
        yield made


@pytest.fixture
async def make_site(node_with: Make, provider: Provider) -> Make:
    async def make(**fields: Any) -> Any:
        values: dict[str, Any] = {
            "issuer": provider.issuer,
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "roles": {"bosses": "admin", "guards": "operator"},
            "default_role": "viewer",
            "name": "Example login",
            **fields,
        }
        return await node_with(accounts=AccountsPlan(oidc=OidcPlan(**values)))

    return make


async def go(node: Any, *, meddle: Callable[[str], str] = str) -> tuple[httpx.Response, httpx.AsyncClient]:
    """A browser of its own goes through the login; the answer to its return, and the browser with its cookies."""
    transport = node.client._transport
    browser = httpx.AsyncClient(transport=transport, base_url="http://testserver")
    started = await browser.get("/api/auth/oidc/start")
    assert started.status_code == 302, started.text
    async with httpx.AsyncClient() as outside:
        asked = await outside.get(started.headers["location"])
    assert asked.status_code == 302
    back = asked.headers["location"]
    assert back.startswith("http://testserver/api/auth/oidc/callback?")
    return await browser.get(meddle(back)), browser


async def who(answer: httpx.Response, browser: httpx.AsyncClient) -> dict[str, Any]:
    assert answer.headers["location"] == "/login?renew=1", answer.headers["location"]
    renewed = await browser.post("/api/auth/refresh")
    assert renewed.status_code == 200, renewed.text
    user: dict[str, Any] = renewed.json()["user"]
    return user


def problem_of(answer: httpx.Response) -> str:
    assert answer.status_code == 302
    assert "perishield_refresh" not in answer.headers.get("set-cookie", "")
    return parse_qs(urlsplit(answer.headers["location"]).query)["problem"][0]


async def test_somebody_comes_in_with_the_role_of_their_group(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    assert (await node.client.get("/api/auth/ways")).json()["oidc"] == "Example login"
    provider.claims = {"groups": ["others", "guards"]}
    answer, browser = await go(node)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    user = await who(answer, browser)
    assert (user["username"], user["full_name"], user["role"]) == ("ann@example.org", "Ann Example", "operator")
    # The next login follows the provider's groups.
    provider.claims = {"groups": ["bosses"], "preferred_username": "renamed"}
    again = await who(*await go(node))
    assert (again["id"], again["role"]) == (user["id"], "admin")
    (listed,) = (await node.client.get("/api/users", params={"search": "ann"})).json()["items"]
    assert (listed["issuer"], listed["has_password"]) == (provider.issuer, False)
    login = await node.client.post("/api/auth/login", json={"username": "ann@example.org", "password": ""})
    assert login.status_code == 401


async def test_who_is_in_no_group_gets_the_default_role_or_is_refused(make_site: Make, provider: Provider) -> None:
    assert (await who(*await go(await make_site())))["role"] == "viewer"


async def test_without_a_default_role_they_are_refused(make_site: Make, provider: Provider) -> None:
    node = await make_site(default_role="")
    answer, _ = await go(node)
    assert problem_of(answer) == "oidc_no_role"
    assert (await node.client.get("/api/users")).json()["total"] == 1


async def test_a_name_that_is_here_already_is_not_taken_over(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    provider.claims = {"preferred_username": "ADMIN", "groups": ["bosses"]}
    answer, _ = await go(node)
    assert problem_of(answer) == "oidc_taken"


async def test_a_disabled_account_stays_out(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    user = await who(*await go(node))
    body = {"username": user["username"], "role": user["role"], "disabled": True}
    assert (await node.client.put(f"/api/users/{user['id']}", json=body)).status_code == 200
    answer, _ = await go(node)
    assert problem_of(answer) == "account_disabled"


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another login"},
        {"aud": "another client"},
        {"aud": ["perishield", "another client"], "azp": "another client"},
        {"iss": "https://another.example.org"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
    ],
)
async def test_a_token_that_was_not_made_for_this_login_is_refused(
    make_site: Make, provider: Provider, claims: dict[str, Any]
) -> None:
    node = await make_site()
    provider.claims = claims
    answer, _ = await go(node)
    assert problem_of(answer) == "oidc_refused"


async def test_a_signature_by_another_key_is_refused(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    provider.sign_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    answer, _ = await go(node)
    assert problem_of(answer) == "oidc_refused"


async def test_a_signature_by_a_shared_secret_is_refused(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    provider.algorithm = "HS256"
    answer, _ = await go(node)
    assert problem_of(answer) == "oidc_refused"


async def test_the_provider_may_change_its_key(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    await who(*await go(node))
    provider.change_key()
    await who(*await go(node))


@pytest.mark.parametrize(
    "meddle",
    [
        lambda back: back.replace("state=", "state=x"),
        lambda back: back.replace("code=", "code=x"),
        lambda _: "/api/auth/oidc/callback?error=access_denied",
        lambda _: "/api/auth/oidc/callback",
    ],
)
async def test_an_answer_that_fits_no_login_is_refused(
    make_site: Make, provider: Provider, meddle: Callable[[str], str]
) -> None:
    node = await make_site()
    answer, _ = await go(node, meddle=meddle)
    assert problem_of(answer) == "oidc_refused"
    refused = (await node.client.get("/api/audit", params={"action": "login.refused"})).json()["items"]
    assert len(refused) == 1


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(make_site: Make, provider: Provider) -> None:
    node = await make_site()
    seen: list[str] = []
    answer, browser = await go(node, meddle=lambda back: seen.append(back) or back)  # type: ignore[func-returns-value]
    await who(answer, browser)
    assert problem_of(await browser.get(seen[0])) == "oidc_refused"
    started = await browser.get("/api/auth/oidc/start")
    async with httpx.AsyncClient() as outside:
        back = (await outside.get(started.headers["location"])).headers["location"]
    stranger = httpx.AsyncClient(transport=node.client._transport, base_url="http://testserver")
    assert problem_of(await stranger.get(back)) == "oidc_refused"


async def test_a_provider_that_is_gone_is_said_so(node_with: Make, free_port: int) -> None:
    plan = OidcPlan(issuer=f"http://127.0.0.1:{free_port}", client_id="perishield")
    node = await node_with(accounts=AccountsPlan(oidc=plan))
    answer = await node.client.get("/api/auth/oidc/start")
    assert (answer.status_code, answer.json()["code"]) == (503, "oidc_unreachable")


async def test_without_a_provider_there_is_no_such_way(node: Any) -> None:
    answer = await node.client.get("/api/auth/oidc/start")
    assert (answer.status_code, answer.json()["code"]) == (404, "oidc_off")

"""The second factor: set up, asked for, used once, lost."""

from __future__ import annotations

import base64
import time
from typing import Any

import httpx
import pytest

from perishield.model.totp import code_at

PASSWORD = "correct horse battery"


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def now_code(secret: str, steps: int = 0) -> str:
    return code_at(base64.b32decode(secret), int(time.time() // 30) + steps)


async def enrolled(node: Any, name: str = "ann") -> tuple[str, list[str], dict[str, str]]:
    """Secret, recovery codes and headers of somebody with a second factor."""
    await node.add_user(name, "operator")
    headers = bearer(await node.log_in(name))
    begun = await node.client.post("/api/profile/totp", headers=headers)
    assert begun.status_code == 201
    secret = begun.json()["secret"]
    body = {"code": now_code(secret, -1)}
    confirmed = await node.client.post("/api/profile/totp/confirm", json=body, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json()["recovery_codes"], headers


async def log_in(node: Any, **more: str) -> httpx.Response:
    answer: httpx.Response = await node.client.post(
        "/api/auth/login", json={"username": "ann", "password": PASSWORD, **more}
    )
    return answer


async def test_a_code_is_asked_for_and_counts_once(node: Any) -> None:
    secret, _, headers = await enrolled(node)
    assert (await node.client.get("/api/profile", headers=headers)).json()["totp"] is True
    assert code_of(await log_in(node)) == (401, "totp_required")
    wrong = await node.client.post(
        "/api/auth/login", json={"username": "ann", "password": "wrong password", "code": now_code(secret)}
    )
    assert code_of(wrong) == (401, "unauthorized"), "the code alone opens nothing, nor tells that it is right"
    used = now_code(secret)
    assert (await log_in(node, code=used)).status_code == 200
    assert code_of(await log_in(node, code=used)) == (401, "totp_invalid")
    assert code_of(await log_in(node, code=now_code(secret, -1))) == (401, "totp_invalid"), "older than the last used"
    assert (await log_in(node, code=now_code(secret, 1))).status_code == 200


async def test_codes_cannot_be_guessed_for_long(node: Any) -> None:
    secret, _, _ = await enrolled(node)
    right = {now_code(secret, steps) for steps in (-1, 0, 1, 2)}
    wrong = next(f"{number:06}" for number in range(10) if f"{number:06}" not in right)
    answers = []
    for _ in range(8):
        # Whoever has the password cannot win tries back by not sending a code.
        await log_in(node)
        answers.append((await log_in(node, code=wrong)).status_code)
    assert answers[0] == 401
    assert answers[-1] == 429


async def test_a_recovery_code_stands_in_once(node: Any) -> None:
    _, codes, headers = await enrolled(node)
    assert (await log_in(node, code=codes[0].upper())).status_code == 200
    assert code_of(await log_in(node, code=codes[0])) == (401, "totp_invalid")
    left = (await node.client.get("/api/profile", headers=headers)).json()["recovery_codes_left"]
    assert left == len(codes) - 1


async def test_logins_without_it_end_when_it_is_set_up(node: Any) -> None:
    await node.add_user("ann", "viewer")
    elsewhere, here = await node.log_in("ann"), await node.log_in("ann")
    secret = (await node.client.post("/api/profile/totp", headers=bearer(here))).json()["secret"]
    assert (await node.client.get("/api/auth/me", headers=bearer(elsewhere))).status_code == 200
    bad = await node.client.post("/api/profile/totp/confirm", json={"code": "abc"}, headers=bearer(here))
    assert code_of(bad) == (422, "totp_invalid")
    await node.client.post("/api/profile/totp/confirm", json={"code": now_code(secret)}, headers=bearer(here))
    assert (await node.client.get("/api/auth/me", headers=bearer(here))).status_code == 200
    assert (await node.client.get("/api/auth/me", headers=bearer(elsewhere))).status_code == 401
    again = await node.client.post("/api/profile/totp", headers=bearer(here))
    assert code_of(again) == (409, "totp_on"), "one that counts is not replaced from an unlocked screen"


async def test_taking_it_away_needs_the_password_or_an_administrator(node: Any) -> None:
    _, _, headers = await enrolled(node)
    wrong = await node.client.post("/api/profile/totp/off", json={"password": "wrong password"}, headers=headers)
    assert code_of(wrong) == (403, "password_wrong")
    right = await node.client.post("/api/profile/totp/off", json={"password": PASSWORD}, headers=headers)
    assert right.status_code == 204
    assert (await log_in(node)).status_code == 200
    await enrolled(node, "bob")
    bob = (await node.client.get("/api/users", params={"search": "bob"})).json()["items"][0]
    assert bob["totp"] is True
    assert (await node.client.delete(f"/api/users/{bob['id']}/totp")).status_code == 204
    await node.log_in("bob")


async def test_a_role_may_ask_for_it(node: Any) -> None:
    body = {"name": "Careful", "actions": ["system.view"], "totp": True}
    role = (await node.client.post("/api/roles", json=body)).json()["id"]
    await node.add_user("ann", role)
    session = await node.log_in("ann")
    assert session["user"]["totp_enrolment"] is True
    headers = bearer(session)
    assert code_of(await node.client.get("/api/cameras", headers=headers)) == (403, "totp_enrolment")
    secret = (await node.client.post("/api/profile/totp", headers=headers)).json()["secret"]
    await node.client.post("/api/profile/totp/confirm", json={"code": now_code(secret)}, headers=headers)
    assert (await node.client.get("/api/cameras", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/api/profile", "/api/users", "/api/audit"])
async def test_no_answer_tells_a_secret(node: Any, path: str) -> None:
    secret, codes, headers = await enrolled(node)
    for who in (headers, node.headers):
        text = (await node.client.get(path, headers=who)).text
        assert secret not in text
        assert not any(code in text for code in codes)

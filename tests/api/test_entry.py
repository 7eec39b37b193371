"""Setup, login, tokens."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from perishield.api.keys import load_keys
from perishield.api.problems import ProblemError
from perishield.api.throttle import Throttle
from perishield.api.tokens import Tokens
from perishield.model.errors import ConfigError
from perishield.store.accounts import Account

PASSWORD = "correct horse battery"


def setup_token(node: Any) -> str:
    token: str = (node.folder / "setup_link.txt").read_text().strip().partition("token=")[2]
    return token


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def test_the_first_administrator_comes_in_through_the_link_once(fresh: Any) -> None:
    assert (await fresh.client.get("/api/setup")).json() == {"needed": True}
    link = fresh.folder / "setup_link.txt"
    assert link.stat().st_mode & 0o077 == 0
    body = {"token": setup_token(fresh), "username": "Ann", "password": PASSWORD}
    session = (await fresh.client.post("/api/setup", json=body)).json()
    assert session["token_type"] == "bearer"
    assert session["user"]["role"] == "admin"
    assert not link.exists()
    assert (await fresh.client.get("/api/setup")).json() == {"needed": False}
    assert code_of(await fresh.client.post("/api/setup", json=body)) == (409, "setup_done")
    me = await fresh.client.get("/api/auth/me", headers={"Authorization": f"Bearer {session['access_token']}"})
    assert me.json() == session["user"]


async def test_a_wrong_setup_token_makes_nobody(fresh: Any) -> None:
    body = {"token": "guess", "username": "Eve", "password": PASSWORD}
    assert code_of(await fresh.client.post("/api/setup", json=body)) == (403, "setup_token")
    assert (await fresh.client.get("/api/setup")).json() == {"needed": True}


async def test_setup_tokens_cannot_be_guessed_for_long(fresh: Any) -> None:
    body = {"token": "guess", "username": "Eve", "password": PASSWORD}
    codes = [code_of(await fresh.client.post("/api/setup", json=body)) for _ in range(6)]
    assert codes[:5] == [(403, "setup_token")] * 5
    assert codes[5] == (429, "rate_limited")


async def test_of_two_at_once_one_becomes_administrator(fresh: Any) -> None:
    token = setup_token(fresh)
    answers = await asyncio.gather(
        *(
            fresh.client.post("/api/setup", json={"token": token, "username": name, "password": PASSWORD})
            for name in ("Ann", "Bob")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize("password", ["", "brief", "123456789", "x" * 257])
async def test_a_poor_password_is_refused_and_never_repeated(fresh: Any, password: str) -> None:
    body = {"token": setup_token(fresh), "username": "Ann", "password": password}
    answer = await fresh.client.post("/api/setup", json=body)
    assert code_of(answer) == (422, "invalid")
    assert answer.json()["params"]["field"] == "password"
    assert not password or password not in answer.text


async def test_login_knows_names_in_any_case(node: Any) -> None:
    answer = await node.client.post("/api/auth/login", json={"username": " ADMIN ", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 900


async def test_wrong_password_and_unknown_name_are_told_alike(node: Any) -> None:
    wrong = await node.client.post("/api/auth/login", json={"username": "admin", "password": "x" * 12})
    unknown = await node.client.post("/api/auth/login", json={"username": "nobody", "password": "x" * 12})
    assert code_of(wrong) == code_of(unknown) == (401, "unauthorized")
    assert wrong.json() == unknown.json()


async def test_guessing_slows_down_even_for_the_right_password(node: Any) -> None:
    for _ in range(5):
        await node.client.post("/api/auth/login", json={"username": "admin", "password": "wrong guess"})
    answer = await node.client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
    assert code_of(answer) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await node.client.get("/api/auth/me")).status_code == 200


def test_the_throttle_forgives_with_time_and_success() -> None:
    now = [0.0]
    throttle = Throttle(free=3, free_per_address=100, clock=lambda: now[0])
    for _ in range(3):
        throttle.attempt("ann", "10.0.0.1")
    with pytest.raises(ProblemError, match="try again in 1 s"):
        throttle.attempt("ANN", "10.0.0.1")
    throttle.attempt("ann", "10.0.0.2")
    now[0] = 1.5
    throttle.attempt("ann", "10.0.0.1")
    with pytest.raises(ProblemError, match="try again in 2 s"):
        throttle.attempt("ann", "10.0.0.1")
    throttle.succeeded("ann", "10.0.0.1")
    throttle.attempt("ann", "10.0.0.1")


def test_an_address_that_tries_many_names_is_slowed_too() -> None:
    throttle = Throttle(free=3, free_per_address=10, clock=lambda: 0.0)
    for number in range(10):
        throttle.attempt(f"user{number}", "10.0.0.1")
    with pytest.raises(ProblemError):
        throttle.attempt("another", "10.0.0.1")
    throttle.attempt("another", "10.0.0.2")


def test_a_name_that_many_addresses_try_is_slowed_a_little() -> None:
    now = [0.0]
    throttle = Throttle(free=3, free_per_address=10, free_per_name=20, clock=lambda: now[0])
    for number in range(40):
        now[0] += 11
        throttle.attempt("ann", f"10.0.0.{number}")
    with pytest.raises(ProblemError) as refused:
        throttle.attempt("ann", "10.0.1.1")
    assert refused.value.headers == {"Retry-After": "10"}, "nobody can keep Ann out for longer"
    now[0] += 10
    throttle.attempt("ann", "10.0.1.1")


def test_a_try_that_was_no_guess_is_excused_and_those_before_it_are_not() -> None:
    throttle = Throttle(free=3, clock=lambda: 0.0)
    for _ in range(10):
        throttle.attempt("ann", "10.0.0.1")
        throttle.excused("ann", "10.0.0.1")
    for _ in range(3):
        throttle.attempt("ann", "10.0.0.1")
    with pytest.raises(ProblemError):
        throttle.attempt("ann", "10.0.0.1")


KEY = b"k" * 32
ANN = Account(id="a1", username="Ann", role="admin")


def forged(**changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "perishield", "sub": "a1", "name": "Ann", "role": "admin", "iat": now, "exp": now + 60}
    algorithm = changes.pop("algorithm", "HS256")
    key = changes.pop("key", KEY)
    merged = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(merged, key, algorithm=algorithm)


def test_a_token_says_who_bears_it() -> None:
    claims = Tokens(KEY, 5).read(Tokens(KEY, 5).issue(ANN))
    assert (claims.subject, claims.username, claims.role) == ("a1", "Ann", "admin")
    assert claims.expires == pytest.approx(time.time() + 300, abs=5)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "\ud800",
        forged(key=b"x" * 32),
        forged(exp=int(time.time()) - 1),
        forged(exp=None),
        forged(sub=None),
        forged(name=None),
        forged(iss="somebody"),
        forged(algorithm="none", key=None),
        forged(algorithm="HS512", key=b"k" * 64),
    ],
)
def test_tokens_that_are_not_ours_are_refused(token: str) -> None:
    with pytest.raises(ProblemError) as refused:
        Tokens(KEY, 5).read(token)
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")


async def test_the_machine_token_looks_and_does_not_touch(node: Any) -> None:
    path = node.folder / "run" / "token"
    await node.until(path.exists)
    assert path.stat().st_mode & 0o077 == 0
    headers = {"Authorization": f"Bearer {path.read_text()}"}
    assert (await node.client.get("/api/cameras", headers=headers)).status_code == 200
    body = {"name": "Gate", "url": "rtsp://10.0.0.4/"}
    assert code_of(await node.client.post("/api/cameras", json=body, headers=headers)) == (403, "forbidden")


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    keys = load_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path) == keys
    assert keys.tokens != keys.links
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]
    assert "b'" not in repr(keys)


def test_a_broken_secret_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"secret\.key"):
        load_keys(path)

"""Nothing is open that need not be; every answer is guarded; nothing that is sent makes the server fail."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from perishield.api.app import PUBLIC, routed
from perishield.store.database import Database

PROBLEM = "application/problem+json"


def http_routes() -> list[tuple[str, str]]:
    """Every (method, path) that the application serves."""
    found = []
    for context in iter_route_contexts(routed().routes):
        found += [(method, context.path) for method in sorted(context.methods or ())]
    return found


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "x", path)


async def test_every_route_needs_a_login_but_for_the_public_list(node: Any) -> None:
    routes = http_routes()
    assert len(routes) > 25
    assert set(routes) >= PUBLIC
    del node.client.headers["Authorization"]
    for method, path in routes:
        if (method, path) in PUBLIC:
            continue
        answer = await node.client.request(method, filled(path))
        wanted = 403 if path.startswith("/media/") else 401
        assert answer.status_code == wanted, (method, path, answer.status_code)
        if method != "HEAD":
            assert answer.headers["content-type"] == PROBLEM


async def test_public_routes_tell_nothing_about_the_site(node: Any) -> None:
    await node.add_camera(name="Secret gate", url="rtsp://10.1.2.3/")
    del node.client.headers["Authorization"]
    for method, path in sorted(PUBLIC):
        answer = await node.client.request(method, filled(path), json={})
        assert answer.status_code < 500 or answer.status_code == 503
        assert "Secret gate" not in answer.text
        assert "10.1.2.3" not in answer.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x", "Basic YWRtaW46YWRtaW4=", "Bearer a.b.c"])
async def test_headers_that_are_no_login_are_refused(node: Any, header: str) -> None:
    answer = await node.client.get("/api/cameras", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_token_of_a_deleted_account_is_worthless(node: Any) -> None:
    async with node.services.database.write() as session:
        await session.execute(text("DELETE FROM accounts"))
    assert (await node.client.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize("path", ["/", "/api/cameras", "/api/nothing", "/media/x", "/healthz", "/assets/none.js"])
async def test_every_answer_bears_the_security_headers(node: Any, path: str) -> None:
    answer = await node.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "media-src 'self' blob:" in policy
    assert "unsafe-eval" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_requests_have_ids_of_ours_or_of_the_proxy(node: Any) -> None:
    ids = {(await node.client.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    kept = await node.client.get("/healthz", headers={"X-Request-ID": "proxy-17"})
    assert kept.headers["x-request-id"] == "proxy-17"
    made = await node.client.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert made.headers["x-request-id"] != "a b\tc"


async def test_a_body_that_is_too_long_is_refused_told_or_untold(node: Any) -> None:
    async def untold() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    for content in (b"x" * (2 << 20), untold()):
        answer = await node.client.post("/api/cameras", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api", 404),
        ("GET", "/ws", 404),
        ("PATCH", "/api/cameras", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/assets/missing.js", 404),
    ],
)
async def test_addresses_that_are_not_there_are_problems(node: Any, method: str, path: str, status: int) -> None:
    answer = await node.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "params"}
    assert body["status"] == status


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"username": "\\ud800", "password": "\\udfff"}'],
)
async def test_bodies_that_are_no_json_object_are_problems(node: Any, content: bytes) -> None:
    for path in ("/api/auth/login", "/api/cameras", "/api/rules", "/api/setup"):
        answer = await node.client.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (path, answer.text)
        assert answer.headers["content-type"] == PROBLEM


async def test_an_unforeseen_error_says_nothing_of_itself(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: Any) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(Database, "read", crash)
    answer = await node.client.get("/api/cameras")
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "42" not in answer.text


fuzzing = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=120, deadline=None
)
MOMENTS = ["0", "-1", "1e999", "nan", "2026-11-22T17:37:17Z", "0001-01-01", "9999-12-31T23:59:59+00:00"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
points = st.lists(st.tuples(st.floats(), st.floats()) | json_values, max_size=4)
camera_like = st.fixed_dictionaries(
    {
        "name": st.text(max_size=12) | json_values,
        "url": st.sampled_from(["rtsp://10.0.0.4/", "http://a/"]) | json_values,
    },
    optional={
        "id": json_values,
        "username": json_values,
        "password": json_values,
        "enabled": json_values,
        "analysis": json_values | st.fixed_dictionaries({"fps": json_values, "min_score": json_values}),
        "revision": json_values,
    },
)
rule_like = st.fixed_dictionaries(
    {"kind": st.sampled_from(["tripwire", "zone", "fence"]) | json_values, "camera": st.just("gate") | json_values},
    optional={
        "id": json_values,
        "name": st.text(max_size=12) | json_values,
        "line": points,
        "polygon": points,
        "outer": points,
        "inner": points,
        "on": json_values,
        "labels": json_values,
        "level": json_values,
        "within_s": json_values,
        "cooldown_s": json_values,
        "revision": json_values,
    },
)
login_like = st.fixed_dictionaries({"username": json_values, "password": json_values}, optional={"token": json_values})


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=120, deadline=None
)
@given(
    route=st.sampled_from(
        [
            ("POST", "/api/cameras"),
            ("PUT", "/api/cameras/gate"),
            ("POST", "/api/rules"),
            ("PUT", "/api/rules/line"),
            ("POST", "/api/auth/login"),
            ("POST", "/api/setup"),
        ]
    ),
    body=camera_like | rule_like | login_like | json_values,
)
async def test_no_body_makes_the_server_fail(node: Any, route: tuple[str, str], body: object) -> None:
    if not node.services.streams.known("gate"):
        await node.add_camera()
    answer = await node.client.request(
        *route, content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code < 500, (route, body, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == PROBLEM


@fuzzing
@given(
    path=st.sampled_from(
        [
            "/api/alarms",
            "/api/alarms/{}",
            "/api/cameras/{}",
            "/api/rules/{}",
            "/api/rules",
            "/api/video/recordings/{}",
            "/api/video/playback/{}",
            "/api/video/streams/{}",
            "/api/video/snapshot/{}",
            "/media/{}",
            "/{}",
        ]
    ),
    name=st.text(max_size=12) | st.sampled_from(["gate", "..", "../../etc/passwd", "%00", "a" * 300]),
    query=st.dictionaries(
        st.sampled_from(["from", "to", "limit", "before", "camera", "level", "kind", "rule", "expires", "signature"]),
        st.text(max_size=12)
        | st.sampled_from(
            ["0", "-1", "1e999", "nan", "2026-11-22T17:37:17Z", "0001-01-01", "9999-12-31T23:59:59+00:00"]
        )
        | st.integers().map(str),
        max_size=4,
    ),
)
async def test_no_address_makes_the_server_fail(node: Any, path: str, name: str, query: dict[str, str]) -> None:
    answer = await node.client.get(path.replace("{}", quote(name, safe="")), params=query)
    assert answer.status_code < 500 or answer.status_code == 503, (path, name, query, answer.text)
    if answer.status_code >= 400 and answer.status_code != 503:
        assert answer.headers["content-type"] == PROBLEM


async def test_the_description_names_every_route_with_a_summary_and_examples(node: Any) -> None:
    described = (await node.client.get("/openapi.json")).json()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
    schemas = described["components"]["schemas"]
    for body in ("CameraBody", "LoginBody", "SetupBody", "TripwireBody"):
        assert schemas[body]["examples"], body
    assert (await node.client.get("/docs")).status_code in (200, 503)
    assert "swagger" not in (await node.client.get("/docs")).text.lower()

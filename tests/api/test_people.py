"""Users, roles, groups, sessions, keys: what can be done with them, and what cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from perishield.api.problems import ProblemError
from perishield.api.rate import Rates
from perishield.model.people import AccountsPlan

Make = Callable[..., Awaitable[Any]]
PASSWORD = "correct horse battery"
ANOTHER = "battery staple correct"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


async def actions_of(node: Any, **query: Any) -> list[str]:
    items = (await node.client.get("/api/audit", params={"limit": 500, **query})).json()["items"]
    return [item["action"] for item in items]


async def test_users_are_listed_searched_and_paged(node: Any) -> None:
    for name in ("ann", "bob", "Bert", "100%"):
        await node.add_user(name, "viewer")
    first = (await node.client.get("/api/users", params={"limit": 2})).json()
    assert ([item["username"] for item in first["items"]], first["total"]) == (["100%", "admin"], 5)
    second = (await node.client.get("/api/users", params={"limit": 2, "offset": 2})).json()
    assert [item["username"] for item in second["items"]] == ["ann", "Bert"]
    found = (await node.client.get("/api/users", params={"search": "B"})).json()
    assert {item["username"] for item in found["items"]} == {"bob", "Bert"}
    literal = (await node.client.get("/api/users", params={"search": "%"})).json()
    assert [item["username"] for item in literal["items"]] == ["100%"]
    assert (await node.client.get("/api/users", params={"role": "viewer"})).json()["total"] == 4
    assert "password" not in str(found["items"][0]).replace("has_password", "")


async def test_a_name_is_taken_in_any_case(node: Any) -> None:
    await node.add_user("Ann", "viewer")
    again = {"username": "ANN", "role": "viewer", "password": PASSWORD}
    assert code_of(await node.client.post("/api/users", json=again)) == (409, "conflict")


async def test_a_disabled_account_is_out_at_once_and_cannot_come_back(node: Any) -> None:
    ann = await node.add_user("ann", "operator")
    session = await node.log_in("ann")
    body = {"username": "ann", "role": "operator", "disabled": True}
    assert (await node.client.put(f"/api/users/{ann['id']}", json=body)).status_code == 200
    assert (await node.client.get("/api/cameras", headers=bearer(session))).status_code == 401
    refused = await node.client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})
    assert refused.status_code == 401
    again = await node.client.post("/api/auth/login", json={"username": "ann", "password": PASSWORD})
    assert code_of(again) == (401, "account_disabled")


async def test_two_who_change_an_account_at_once_do_not_undo_each_other(node: Any) -> None:
    ann = await node.add_user("ann", "viewer")
    shown = await node.client.get(f"/api/users/{ann['id']}")
    tag = shown.headers["etag"]
    body = {"username": "ann", "role": "operator"}
    changed = await node.client.put(f"/api/users/{ann['id']}", json=body, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    late = await node.client.put(f"/api/users/{ann['id']}", json=body, headers={"If-Match": tag})
    assert code_of(late) == (412, "stale")
    assert code_of(await node.client.put(f"/api/users/{ann['id']}", json={**body, "revision": 1})) == (412, "stale")
    odd = await node.client.put(f"/api/users/{ann['id']}", json=body, headers={"If-Match": '"x"'})
    assert code_of(odd) == (422, "invalid")


async def test_the_last_administrator_stays(node: Any) -> None:
    me = (await node.client.get("/api/auth/me")).json()
    path = f"/api/users/{me['id']}"
    for body in ({"username": "admin", "role": "viewer"}, {"username": "admin", "role": "admin", "disabled": True}):
        assert code_of(await node.client.put(path, json=body)) == (409, "last_administrator")
    assert code_of(await node.client.delete(path)) == (409, "last_administrator")
    second = await node.add_user("second", "admin")
    session = await node.log_in("second")
    # Of two who delete each other at the same moment, one stays.
    answers = await asyncio.gather(
        node.client.delete(path, headers=bearer(session)), node.client.delete(f"/api/users/{second['id']}")
    )
    assert sorted(answer.status_code for answer in answers) in ([204, 401], [204, 409])


async def test_nobody_gives_away_more_than_they_have(node: Any) -> None:
    boss = await node.client.post("/api/roles", json={"name": "Personnel", "actions": ["people.edit", "live.view"]})
    headers = await node.headers_of(boss.json()["id"])
    for method, path, body in [
        ("POST", "/api/users", {"username": "eve", "role": "admin", "password": PASSWORD}),
        ("POST", "/api/users", {"username": "eve", "role": "operator", "password": PASSWORD}),
        ("POST", "/api/roles", {"name": "More", "actions": ["audit.view"]}),
        ("PUT", f"/api/roles/{boss.json()['id']}", {"name": "Personnel", "actions": ["people.edit", "audit.view"]}),
        ("POST", "/api/api-keys", {"name": "Key", "actions": ["cameras.edit"]}),
    ]:
        answer = await node.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 403, (method, path, answer.text)
    admin = (await node.client.get("/api/auth/me")).json()["id"]
    for method, path in [
        ("POST", f"/api/users/{admin}/password-link"),
        ("DELETE", f"/api/users/{admin}"),
        ("DELETE", f"/api/users/{admin}/totp"),
        ("DELETE", f"/api/users/{admin}/sessions"),
    ]:
        assert (await node.client.request(method, path, headers=headers)).status_code == 403, (method, path)
    fine = {"username": "sam", "role": boss.json()["id"], "password": PASSWORD}
    assert (await node.client.post("/api/users", json=fine, headers=headers)).status_code == 201


async def test_putting_a_camera_into_a_group_gives_nobody_more_than_the_giver_has(node: Any) -> None:
    await node.add_camera(id="gate", name="Gate")
    group = (await node.client.post("/api/groups", json={"name": "North"})).json()["id"]
    body = {"name": "Personnel", "actions": ["people.edit", "system.view"], "grants": {group: ["live.view"]}}
    role = (await node.client.post("/api/roles", json=body)).json()["id"]
    headers = await node.headers_of(role)
    wider = {"name": "North", "cameras": ["gate"]}
    assert (await node.client.put(f"/api/groups/{group}", json=wider, headers=headers)).status_code == 403
    assert (await node.client.put(f"/api/groups/{group}", json=wider)).status_code == 200
    assert (await node.client.get("/api/live/ways/gate", headers=headers)).status_code == 200


async def test_a_role_in_use_stays_and_one_that_is_free_goes(node: Any) -> None:
    made = await node.client.post("/api/roles", json={"name": "Night shift", "actions": ["live.view"]})
    role = made.json()["id"]
    ann = await node.add_user("ann", role)
    assert (await node.client.get(f"/api/roles/{role}")).json()["users"] == 1
    assert code_of(await node.client.delete(f"/api/roles/{role}")) == (409, "in_use")
    await node.client.put(f"/api/users/{ann['id']}", json={"username": "ann", "role": "viewer"})
    assert (await node.client.delete(f"/api/roles/{role}")).status_code == 204
    assert (await node.client.get(f"/api/roles/{role}")).status_code == 404
    late = {"username": "late", "role": role, "password": PASSWORD}
    assert (await node.client.post("/api/users", json=late)).status_code == 422


async def test_built_in_roles_stay_as_they_are(node: Any) -> None:
    roles = {role["id"]: role for role in (await node.client.get("/api/roles")).json()["items"]}
    assert list(roles)[:3] == ["admin", "operator", "viewer"]
    viewer = roles["viewer"]
    body = {"name": viewer["name"], "actions": viewer["actions"], "grants": {}}
    for change in ({"name": "Looker"}, {"actions": []}):
        assert code_of(await node.client.put("/api/roles/viewer", json=body | change)) == (409, "built_in")
    assert code_of(await node.client.delete("/api/roles/viewer")) == (409, "built_in")
    assert (await node.client.put("/api/roles/viewer", json={**body, "totp": True})).json()["totp"] is True


async def test_a_change_of_a_role_counts_from_the_next_request_on(node: Any) -> None:
    made = await node.client.post("/api/roles", json={"name": "Guard", "actions": ["system.view"]})
    role, headers = made.json()["id"], await node.headers_of(made.json()["id"])
    assert (await node.client.get("/api/exports", headers=headers)).status_code == 403
    body = {"name": "Guard", "actions": ["system.view", "recordings.export"]}
    assert (await node.client.put(f"/api/roles/{role}", json=body)).status_code == 200
    assert (await node.client.get("/api/exports", headers=headers)).status_code == 200


async def test_grants_that_make_no_sense_are_refused(node: Any) -> None:
    group = (await node.client.post("/api/groups", json={"name": "North"})).json()["id"]
    for grants in ({"nowhere": ["live.view"]}, {group: ["people.edit"]}, {group: ["fly"]}):
        answer = await node.client.post("/api/roles", json={"name": "Odd", "grants": grants})
        assert answer.status_code == 422, grants
    assert code_of(await node.client.post("/api/roles", json={"name": "viewer"})) == (409, "conflict")


async def test_groups_are_made_changed_and_deleted(node: Any) -> None:
    for camera in ("gate", "yard"):
        await node.add_camera(id=camera, name=camera)
    made = await node.client.post("/api/groups", json={"name": "North", "kind": "site", "cameras": ["yard", "gate"]})
    group = made.json()
    assert group["cameras"] == ["gate", "yard"]
    shown = await node.client.get(f"/api/groups/{group['id']}")
    body = {"name": "North", "kind": "site", "cameras": ["gate"]}
    match = {"If-Match": shown.headers["etag"]}
    assert (await node.client.put(f"/api/groups/{group['id']}", json=body, headers=match)).status_code == 200
    assert code_of(await node.client.put(f"/api/groups/{group['id']}", json=body, headers=match)) == (412, "stale")
    unknown = {**body, "cameras": ["nowhere"]}
    assert (await node.client.put(f"/api/groups/{group['id']}", json=unknown)).status_code == 422
    await node.client.post("/api/groups", json={"name": "Fences"})
    sites = (await node.client.get("/api/groups", params={"kind": "site"})).json()
    assert [item["name"] for item in sites["items"]] == ["North"]
    inside = (await node.client.get("/api/groups", params={"camera": "gate"})).json()
    assert [item["name"] for item in inside["items"]] == ["North"]
    narrowed = (await node.client.get("/api/cameras", params={"group": group["id"]})).json()
    assert [camera["id"] for camera in narrowed["items"]] == ["gate"]
    await node.client.delete("/api/cameras/gate")
    assert (await node.client.get(f"/api/groups/{group['id']}")).json()["cameras"] == []
    role = {"name": "Guard", "grants": {group["id"]: ["live.view"]}}
    assert (await node.client.post("/api/roles", json=role)).status_code == 201
    assert code_of(await node.client.delete(f"/api/groups/{group['id']}")) == (409, "in_use")


async def test_cameras_are_paged_filtered_and_locked_by_their_tag(node: Any) -> None:
    for camera in ("gate", "yard", "dock"):
        await node.add_camera(id=camera, name=camera.title())
    page = (await node.client.get("/api/cameras", params={"limit": 1, "offset": 1})).json()
    assert ([item["id"] for item in page["items"]], page["total"]) == (["yard"], 3)
    found = (await node.client.get("/api/cameras", params={"search": "OCK"})).json()
    assert [item["id"] for item in found["items"]] == ["dock"]
    shown = await node.client.get("/api/cameras/gate")
    body, match = {"name": "Gate", "url": "rtsp://10.0.0.5/1"}, {"If-Match": shown.headers["etag"]}
    assert (await node.client.put("/api/cameras/gate", json=body, headers=match)).status_code == 200
    assert code_of(await node.client.put("/api/cameras/gate", json=body, headers=match)) == (412, "stale")


async def test_somebody_new_sets_a_password_by_a_link_once(node: Any) -> None:
    made = await node.client.post("/api/users", json={"username": "ann", "role": "viewer"})
    link = made.json()["password_link"]["password_url"]
    token = link.partition("token=")[2]
    assert (await node.client.post("/api/auth/login", json={"username": "ann", "password": ""})).status_code == 401
    poor = await node.client.post("/api/auth/password", json={"token": token, "password": "short"})
    assert poor.status_code == 422
    answer = await node.client.post("/api/auth/password", json={"token": token, "password": ANOTHER})
    assert answer.status_code == 204, answer.text
    again = await node.client.post("/api/auth/password", json={"token": token, "password": PASSWORD})
    assert code_of(again) == (403, "link_expired")
    session = await node.log_in("ann", ANOTHER)
    account = session["user"]["id"]
    newer = (
        (await node.client.post(f"/api/users/{account}/password-link")).json()["password_url"].partition("token=")[2]
    )
    assert (await node.client.get("/api/auth/me", headers=bearer(session))).status_code == 200
    await node.client.post("/api/auth/password", json={"token": newer, "password": PASSWORD})
    assert (await node.client.get("/api/auth/me", headers=bearer(session))).status_code == 401


async def test_ones_own_password_needs_the_old_one_and_ends_other_logins(node: Any) -> None:
    await node.add_user("ann", "viewer")
    here, elsewhere = await node.log_in("ann"), await node.log_in("ann")
    wrong = {"old": "not the password", "new": ANOTHER}
    assert code_of(await node.client.put("/api/profile/password", json=wrong, headers=bearer(here))) == (
        403,
        "password_wrong",
    )
    right = {"old": PASSWORD, "new": ANOTHER}
    assert (await node.client.put("/api/profile/password", json=right, headers=bearer(here))).status_code == 204
    assert (await node.client.get("/api/auth/me", headers=bearer(here))).status_code == 200
    assert (await node.client.get("/api/auth/me", headers=bearer(elsewhere))).status_code == 401
    await node.log_in("ann", ANOTHER)


async def test_ones_own_name_is_ones_own_to_change(node: Any) -> None:
    await node.add_user("ann", "viewer")
    headers = bearer(await node.log_in("ann"))
    answer = await node.client.put("/api/profile", json={"full_name": "Ann Guard"}, headers=headers)
    assert answer.json()["account"]["full_name"] == "Ann Guard"
    assert (await node.client.put("/api/profile", json={"role": "admin"}, headers=headers)).status_code == 422
    assert (await node.client.get("/api/auth/me", headers=headers)).json()["role"] == "viewer"


async def test_registration_is_closed_unless_the_settings_open_it(node_with: Make) -> None:
    closed = await node_with("closed")
    body = {"username": "ann", "password": PASSWORD}
    assert code_of(await closed.client.post("/api/auth/register", json=body)) == (403, "closed")
    assert (await closed.client.get("/api/auth/ways")).json() == {"registration": False, "oidc": ""}
    opened = await node_with("opened", accounts=AccountsPlan(registration=True, default_role="operator"))
    session = (await opened.client.post("/api/auth/register", json=body)).json()
    assert session["user"]["role"] == "operator"
    assert code_of(await opened.client.post("/api/auth/register", json=body)) == (409, "conflict")
    role = {**body, "username": "eve", "role": "admin"}
    assert (await opened.client.post("/api/auth/register", json=role)).status_code == 422


async def test_a_refresh_token_is_worth_one_renewal(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await node.log_in("admin")
    old = {"refresh_token": session["refresh_token"]}
    renewed = (await node.client.post("/api/auth/refresh", json=old)).json()
    assert renewed["refresh_token"] != session["refresh_token"]
    assert (await node.client.get("/api/auth/me", headers=bearer(renewed))).status_code == 200
    # Two tabs at the same moment: the second gets an access token, and the first's refresh token stays good.
    twin = (await node.client.post("/api/auth/refresh", json=old)).json()
    assert "refresh_token" not in twin
    assert (await node.client.get("/api/auth/me", headers=bearer(twin))).status_code == 200
    monkeypatch.setattr("perishield.api.sessions._GRACE_S", 0.0)
    assert (await node.client.post("/api/auth/refresh", json=old)).status_code == 401
    assert (await node.client.get("/api/auth/me", headers=bearer(renewed))).status_code == 401
    new = {"refresh_token": renewed["refresh_token"]}
    assert (await node.client.post("/api/auth/refresh", json=new)).status_code == 401
    assert "login.reused" in await actions_of(node)


async def test_the_console_keeps_its_refresh_token_where_no_script_reads_it(node: Any) -> None:
    body = {"username": "admin", "password": PASSWORD, "cookie": True}
    answer = await node.client.post("/api/auth/login", json=body)
    assert "refresh_token" not in answer.json()
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/api/auth"):
        assert part in cookie
    renewed = await node.client.post("/api/auth/refresh")
    assert renewed.status_code == 200, renewed.text
    assert "refresh_token" not in renewed.json()
    headers = bearer(renewed.json())
    assert (await node.client.post("/api/auth/logout", headers=headers)).status_code == 204
    assert (await node.client.get("/api/auth/me", headers=headers)).status_code == 401
    assert (await node.client.post("/api/auth/refresh")).status_code == 401


async def test_a_cookie_insists_on_tls_where_the_console_has_it(node_with: Make) -> None:
    node = await node_with()
    object.__setattr__(node.services.people, "address", "https://guard.example.org")
    body = {"username": "admin", "password": PASSWORD, "cookie": True}
    answer = await node.client.post("/api/auth/login", json=body)
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_logins_are_listed_and_ended_one_by_one_or_all(node: Any) -> None:
    await node.add_user("ann", "viewer")
    sessions = [await node.log_in("ann") for _ in range(3)]
    headers = bearer(sessions[0])
    listed = (await node.client.get("/api/profile/sessions", headers=headers)).json()["items"]
    assert len(listed) == 3
    (mine,) = (login for login in listed if login["current"])
    assert mine["device"].startswith("python-httpx")
    other = next(login["id"] for login in listed if not login["current"])
    assert (await node.client.delete(f"/api/profile/sessions/{other}", headers=headers)).status_code == 204
    assert (await node.client.delete(f"/api/profile/sessions/{other}", headers=headers)).status_code == 404
    states = [(await node.client.get("/api/auth/me", headers=bearer(one))).status_code for one in sessions]
    assert sorted(states) == [200, 200, 401]
    assert (await node.client.delete("/api/profile/sessions", headers=headers)).status_code == 204
    states = [(await node.client.get("/api/auth/me", headers=bearer(one))).status_code for one in sessions]
    assert states == [200, 401, 401]
    # Nobody ends the login of somebody else through their own profile.
    admins = (await node.client.get("/api/profile/sessions")).json()["items"][0]["id"]
    assert (await node.client.delete(f"/api/profile/sessions/{admins}", headers=headers)).status_code == 404


async def test_a_login_that_was_ended_by_another_process_ends_here(node: Any) -> None:
    session = await node.log_in("admin")
    async with node.services.database.write() as store:
        from perishield.store.sessions import revoke

        await revoke(store, time.time(), account=session["user"]["id"])
    await node.services.people.sessions.load()
    assert (await node.client.get("/api/auth/me", headers=bearer(session))).status_code == 401


async def test_a_key_does_what_it_says_and_no_more(node: Any) -> None:
    for camera in ("gate", "yard"):
        await node.add_camera(id=camera, name=camera)
    group = (await node.client.post("/api/groups", json={"name": "North", "cameras": ["gate"]})).json()["id"]
    body = {"name": "Gate controller", "actions": ["live.view"], "groups": [group], "days": 30}
    made = (await node.client.post("/api/api-keys", json=body)).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert made["key"].startswith(f"psk_{made['id']}_")
    assert (await node.client.get("/api/live/ways/gate", headers=headers)).status_code == 200
    assert (await node.client.get("/api/live/ways/yard", headers=headers)).status_code == 404
    assert (await node.client.get("/api/rules", headers=headers)).status_code == 200
    assert (await node.client.get("/api/exports", headers=headers)).status_code == 403
    assert (await node.client.get("/api/profile", headers=headers)).status_code == 403
    (listed,) = (await node.client.get("/api/api-keys")).json()["items"]
    assert listed["used"] is not None
    assert made["key"].rpartition("_")[2] not in str(listed)
    assert "hash" not in listed
    bad = {"Authorization": f"Bearer {made['key']}x"}
    assert (await node.client.get("/api/rules", headers=bad)).status_code == 401
    assert (await node.client.delete(f"/api/api-keys/{made['id']}")).status_code == 204
    assert (await node.client.get("/api/rules", headers=headers)).status_code == 401
    assert (await node.client.delete(f"/api/api-keys/{made['id']}")).status_code == 404


async def test_a_key_ends_when_it_says(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await node.client.post("/api/api-keys", json={"name": "K", "actions": ["system.view"], "days": 1})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await node.client.get("/api/cameras", headers=headers)).status_code == 200
    now = time.time()
    monkeypatch.setattr("perishield.api.security.time.time", lambda: now + 86_401)
    assert (await node.client.get("/api/cameras", headers=headers)).status_code == 401


def test_a_bucket_fills_at_its_rate() -> None:
    now = [0.0]
    rates = Rates(2, clock=lambda: now[0])
    for _ in range(8):
        rates.take("ann")
    with pytest.raises(ProblemError) as refused:
        rates.take("ann")
    assert refused.value.headers == {"Retry-After": "1"}
    rates.take("bob")
    now[0] = 0.5
    rates.take("ann")
    with pytest.raises(ProblemError):
        rates.take("ann")


async def test_too_many_requests_are_told_to_wait(node_with: Make) -> None:
    node = await node_with(accounts=AccountsPlan(requests_per_s=1))
    answers = [await node.client.get("/api/auth/me") for _ in range(8)]
    assert answers[0].status_code == 200
    assert code_of(answers[-1]) == (429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_other_sites_pages_call_only_where_they_are_named(node_with: Make) -> None:
    origin = {"Origin": "https://portal.example.org"}
    asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Authorization"}
    closed = await node_with("closed")
    assert "access-control-allow-origin" not in (await closed.client.get("/healthz", headers=origin)).headers
    opened = await node_with("opened", accounts=AccountsPlan(cors_origins=("https://portal.example.org",)))
    answer = await opened.client.options("/api/cameras", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://portal.example.org"
    assert "access-control-allow-credentials" not in answer.headers
    evil = await opened.client.get("/healthz", headers={"Origin": "https://evil.example.org"})
    assert "access-control-allow-origin" not in evil.headers

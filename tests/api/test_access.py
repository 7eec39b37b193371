"""Which action each route needs, tried by a role for every action; and that nothing reaches beyond a role's cameras."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from perishield.api.app import PUBLIC, routed
from perishield.model.access import EVERYTHING, LOOKING, OPERATING, SITEWIDE, Action
from perishield.model.people import AccountsPlan
from perishield.model.trajectory import Trajectory
from perishield.store.accounts import account_by_id, update_account
from perishield.store.api_keys import revoke_api_key
from perishield.store.roles import get_role, update_role
from perishield.store.sessions import revoke
from perishield.store.tracks import add_tracks

Make = Callable[..., Awaitable[Any]]

A = Action
SELF = "whoever has logged in"
SIGNED = "a signed link alone"
UPLOAD = "the upload key"

NEEDS: dict[tuple[str, str], Action | str] = {
    ("POST", "/api/auth/logout"): SELF,
    ("GET", "/api/auth/me"): SELF,
    ("GET", "/api/profile"): SELF,
    ("PUT", "/api/profile"): SELF,
    ("PUT", "/api/profile/password"): SELF,
    ("POST", "/api/profile/totp"): SELF,
    ("POST", "/api/profile/totp/confirm"): SELF,
    ("POST", "/api/profile/totp/off"): SELF,
    ("GET", "/api/profile/sessions"): SELF,
    ("DELETE", "/api/profile/sessions"): SELF,
    ("DELETE", "/api/profile/sessions/{login}"): SELF,
    ("GET", "/api/users"): A.PEOPLE_EDIT,
    ("POST", "/api/users"): A.PEOPLE_EDIT,
    ("GET", "/api/users/{account}"): A.PEOPLE_EDIT,
    ("PUT", "/api/users/{account}"): A.PEOPLE_EDIT,
    ("DELETE", "/api/users/{account}"): A.PEOPLE_EDIT,
    ("POST", "/api/users/{account}/password-link"): A.PEOPLE_EDIT,
    ("DELETE", "/api/users/{account}/totp"): A.PEOPLE_EDIT,
    ("GET", "/api/users/{account}/sessions"): A.PEOPLE_EDIT,
    ("DELETE", "/api/users/{account}/sessions"): A.PEOPLE_EDIT,
    ("GET", "/api/roles"): A.PEOPLE_EDIT,
    ("POST", "/api/roles"): A.PEOPLE_EDIT,
    ("GET", "/api/roles/{role}"): A.PEOPLE_EDIT,
    ("PUT", "/api/roles/{role}"): A.PEOPLE_EDIT,
    ("DELETE", "/api/roles/{role}"): A.PEOPLE_EDIT,
    ("GET", "/api/groups"): A.SYSTEM_VIEW,
    ("POST", "/api/groups"): A.PEOPLE_EDIT,
    ("GET", "/api/groups/{group}"): A.SYSTEM_VIEW,
    ("PUT", "/api/groups/{group}"): A.PEOPLE_EDIT,
    ("DELETE", "/api/groups/{group}"): A.PEOPLE_EDIT,
    ("GET", "/api/api-keys"): A.PEOPLE_EDIT,
    ("POST", "/api/api-keys"): A.PEOPLE_EDIT,
    ("DELETE", "/api/api-keys/{key}"): A.PEOPLE_EDIT,
    ("GET", "/api/audit"): A.AUDIT_VIEW,
    ("GET", "/api/audit/export"): A.AUDIT_VIEW,
    ("GET", "/api/audit/verify"): A.AUDIT_VIEW,
    ("GET", "/api/bulk/cameras"): A.SYSTEM_VIEW,
    ("POST", "/api/bulk/cameras"): A.CAMERAS_EDIT,
    ("GET", "/api/bulk/tasks"): A.SYSTEM_VIEW,
    ("POST", "/api/bulk/tasks"): A.CAMERAS_EDIT,
    ("GET", "/api/bulk/rules"): A.SYSTEM_VIEW,
    ("POST", "/api/bulk/rules"): A.RULES_EDIT,
    ("GET", "/api/bulk/schedules"): A.SYSTEM_VIEW,
    ("POST", "/api/bulk/schedules"): A.RULES_EDIT,
    ("GET", "/api/bulk/groups"): A.PEOPLE_EDIT,
    ("POST", "/api/bulk/groups"): A.PEOPLE_EDIT,
    ("GET", "/api/bulk/channels"): A.CHANNELS_EDIT,
    ("POST", "/api/bulk/channels"): A.CHANNELS_EDIT,
    ("GET", "/api/cameras"): A.SYSTEM_VIEW,
    ("POST", "/api/cameras"): A.CAMERAS_EDIT,
    ("GET", "/api/cameras/{camera}"): A.SYSTEM_VIEW,
    ("PUT", "/api/cameras/{camera}"): A.CAMERAS_EDIT,
    ("DELETE", "/api/cameras/{camera}"): A.CAMERAS_EDIT,
    ("GET", "/api/cameras/{camera}/health"): A.SYSTEM_VIEW,
    ("POST", "/api/cameras/{camera}/health/view"): A.CAMERAS_EDIT,
    ("POST", "/api/cameras/{camera}/ground/fit"): A.CAMERAS_EDIT,
    ("GET", "/api/cameras/{camera}/suppressed"): A.SYSTEM_VIEW,
    ("GET", "/api/rules"): A.SYSTEM_VIEW,
    ("POST", "/api/rules"): A.RULES_EDIT,
    ("GET", "/api/rules/condition"): A.SYSTEM_VIEW,
    ("POST", "/api/rules/condition"): A.RULES_EDIT,
    ("GET", "/api/rules/{rule}"): A.SYSTEM_VIEW,
    ("PUT", "/api/rules/{rule}"): A.RULES_EDIT,
    ("DELETE", "/api/rules/{rule}"): A.RULES_EDIT,
    ("POST", "/api/rules/{rule}/arm"): A.RULES_EDIT,
    ("POST", "/api/rules/{rule}/disarm"): A.RULES_EDIT,
    ("POST", "/api/rules/{rule}/rearm"): A.RULES_EDIT,
    ("GET", "/api/rules/{rule}/state"): A.SYSTEM_VIEW,
    ("GET", "/api/schedules"): A.SYSTEM_VIEW,
    ("POST", "/api/schedules"): A.RULES_EDIT,
    ("GET", "/api/schedules/{schedule}"): A.SYSTEM_VIEW,
    ("PUT", "/api/schedules/{schedule}"): A.RULES_EDIT,
    ("DELETE", "/api/schedules/{schedule}"): A.RULES_EDIT,
    ("GET", "/api/tasks"): A.SYSTEM_VIEW,
    ("POST", "/api/tasks"): A.CAMERAS_EDIT,
    ("GET", "/api/tasks/{task}"): A.SYSTEM_VIEW,
    ("PUT", "/api/tasks/{task}"): A.CAMERAS_EDIT,
    ("DELETE", "/api/tasks/{task}"): A.CAMERAS_EDIT,
    ("POST", "/api/tasks/{task}/start"): A.CAMERAS_EDIT,
    ("POST", "/api/tasks/{task}/stop"): A.CAMERAS_EDIT,
    ("GET", "/api/alarms"): A.ALARMS_VIEW,
    ("GET", "/api/alarms/{alarm}"): A.ALARMS_VIEW,
    ("POST", "/api/alarms/bulk"): A.ALARMS_HANDLE,
    ("GET", "/api/alarms/export"): A.ALARMS_VIEW,
    ("POST", "/api/alarms/{alarm}/acknowledge"): A.ALARMS_HANDLE,
    ("POST", "/api/alarms/{alarm}/assign"): A.ALARMS_HANDLE,
    ("POST", "/api/alarms/{alarm}/close"): A.ALARMS_HANDLE,
    ("POST", "/api/alarms/{alarm}/confirm"): A.ALARMS_HANDLE,
    ("POST", "/api/alarms/{alarm}/dismiss"): A.ALARMS_HANDLE,
    ("POST", "/api/alarms/{alarm}/reopen"): A.ALARMS_HANDLE,
    ("GET", "/api/alarms/{alarm}/comments"): A.ALARMS_VIEW,
    ("POST", "/api/alarms/{alarm}/comments"): A.ALARMS_HANDLE,
    ("GET", "/api/alarms/{alarm}/history"): A.ALARMS_VIEW,
    ("GET", "/api/alarms/{alarm}/hold"): A.ALARMS_VIEW,
    ("PUT", "/api/alarms/{alarm}/hold"): A.RECORDINGS_HOLD,
    ("DELETE", "/api/alarms/{alarm}/hold"): A.RECORDINGS_HOLD,
    ("GET", "/api/alarms/{alarm}/evidence"): A.ALARMS_VIEW,
    ("POST", "/api/alarms/{alarm}/evidence"): A.EVIDENCE_EXPORT,
    ("GET", "/api/alarms/{alarm}/evidence/check"): A.ALARMS_VIEW,
    ("GET", "/api/evidence/key"): SELF,
    ("GET", "/api/evidence/holds"): A.ALARMS_VIEW,
    ("GET", "/api/evidence/exports"): A.EVIDENCE_EXPORT,
    ("POST", "/api/evidence/exports"): A.EVIDENCE_EXPORT,
    ("GET", "/api/evidence/exports/{export_id}"): A.EVIDENCE_EXPORT,
    ("DELETE", "/api/evidence/exports/{export_id}"): A.EVIDENCE_EXPORT,
    ("HEAD", "/api/evidence/exports/{export_id}/archive"): A.EVIDENCE_EXPORT,
    ("GET", "/api/evidence/exports/{export_id}/archive"): A.EVIDENCE_EXPORT,
    ("GET", "/api/escalation"): A.ALARMS_VIEW,
    ("POST", "/api/escalation"): A.CHANNELS_EDIT,
    ("PUT", "/api/escalation/{step}"): A.CHANNELS_EDIT,
    ("DELETE", "/api/escalation/{step}"): A.CHANNELS_EDIT,
    ("GET", "/api/statistics/alarms"): A.STATISTICS_VIEW,
    ("GET", "/api/statistics/alarms/export"): A.STATISTICS_VIEW,
    ("GET", "/api/statistics/cameras"): A.STATISTICS_VIEW,
    ("GET", "/api/statistics/cameras/export"): A.STATISTICS_VIEW,
    ("GET", "/api/statistics/verdicts"): A.STATISTICS_VIEW,
    ("GET", "/api/cameras/{camera}/privacy"): A.SYSTEM_VIEW,
    ("PUT", "/api/cameras/{camera}/privacy"): A.CAMERAS_EDIT,
    ("GET", "/api/channels"): A.CHANNELS_EDIT,
    ("POST", "/api/channels"): A.CHANNELS_EDIT,
    ("GET", "/api/channels/names"): A.CHANNELS_EDIT,
    ("GET", "/api/channels/{channel}"): A.CHANNELS_EDIT,
    ("PUT", "/api/channels/{channel}"): A.CHANNELS_EDIT,
    ("DELETE", "/api/channels/{channel}"): A.CHANNELS_EDIT,
    ("POST", "/api/channels/{channel}/test"): A.CHANNELS_EDIT,
    ("POST", "/api/channels/{channel}/retry"): A.CHANNELS_EDIT,
    ("GET", "/api/deliveries"): A.CHANNELS_EDIT,
    ("POST", "/api/deliveries/{number}/retry"): A.CHANNELS_EDIT,
    ("GET", "/api/recorders"): A.CAMERAS_EDIT,
    ("GET", "/api/recorders/{camera}"): A.CAMERAS_EDIT,
    ("PUT", "/api/recorders/{camera}"): A.CAMERAS_EDIT,
    ("DELETE", "/api/recorders/{camera}"): A.CAMERAS_EDIT,
    ("POST", "/api/recorders/{camera}/test"): A.CAMERAS_EDIT,
    ("GET", "/api/video/ledger"): A.SYSTEM_VIEW,
    ("GET", "/api/video/ledger/{camera}"): A.SYSTEM_VIEW,
    ("GET", "/api/holds"): A.RECORDINGS_VIEW,
    ("POST", "/api/holds"): A.RECORDINGS_HOLD,
    ("GET", "/api/holds/{hold}"): A.RECORDINGS_VIEW,
    ("PUT", "/api/holds/{hold}"): A.RECORDINGS_HOLD,
    ("DELETE", "/api/holds/{hold}"): A.RECORDINGS_HOLD,
    ("GET", "/api/system"): A.SYSTEM_VIEW,
    ("GET", "/metrics"): A.SYSTEM_VIEW,
    ("GET", "/api/storage"): A.SYSTEM_VIEW,
    ("GET", "/api/storage/copies"): A.SYSTEM_VIEW,
    ("GET", "/api/models"): A.SYSTEM_VIEW,
    ("POST", "/api/models"): A.MODELS_EDIT,
    ("POST", "/api/models/{model}/enable"): A.MODELS_EDIT,
    ("POST", "/api/models/{model}/test"): A.MODELS_EDIT,
    ("POST", "/api/models/rollback"): A.MODELS_EDIT,
    ("DELETE", "/api/models/{model}"): A.MODELS_EDIT,
    ("GET", "/api/tracks/live"): A.LIVE_VIEW,
    ("GET", "/api/tracks"): A.RECORDINGS_VIEW,
    ("POST", "/api/video/recordings/{stream}/segments"): UPLOAD,
    ("GET", "/api/video/recordings/{stream}/segments"): UPLOAD,
    ("HEAD", "/api/video/recordings/{stream}/segments/{name}"): UPLOAD,
    ("GET", "/api/video/recordings/{stream}/segments/{name}"): UPLOAD,
    ("GET", "/api/video/streams"): A.SYSTEM_VIEW,
    ("GET", "/api/video/streams/{camera}"): A.SYSTEM_VIEW,
    ("GET", "/api/video/recordings/{camera}"): A.RECORDINGS_VIEW,
    ("GET", "/api/video/playback/{camera}"): A.RECORDINGS_VIEW,
    ("POST", "/api/video/playback"): A.RECORDINGS_VIEW,
    ("GET", "/api/video/snapshot/{camera}"): A.LIVE_VIEW,
    ("GET", "/api/video/keyframes/{camera}"): A.RECORDINGS_VIEW,
    ("GET", "/api/video/sprites/{camera}"): A.RECORDINGS_VIEW,
    ("GET", "/api/video/thumbnail/{camera}"): A.RECORDINGS_VIEW,
    ("GET", "/api/video/sprites/{camera}/{start}.jpg"): A.RECORDINGS_VIEW,
    ("POST", "/api/video/probe"): A.CAMERAS_EDIT,
    ("GET", "/api/exports"): A.RECORDINGS_EXPORT,
    ("POST", "/api/exports"): A.RECORDINGS_EXPORT,
    ("GET", "/api/exports/{export_id}"): A.RECORDINGS_EXPORT,
    ("DELETE", "/api/exports/{export_id}"): A.RECORDINGS_EXPORT,
    ("HEAD", "/api/exports/{export_id}/files/{name}"): A.RECORDINGS_EXPORT,
    ("GET", "/api/exports/{export_id}/files/{name}"): A.RECORDINGS_EXPORT,
    ("GET", "/api/shadow"): A.RECORDINGS_VIEW,
    ("POST", "/api/shadow"): A.RULES_EDIT,
    ("GET", "/api/shadow/{trial}"): A.RECORDINGS_VIEW,
    ("DELETE", "/api/shadow/{trial}"): A.RULES_EDIT,
    ("GET", "/api/shadow/{trial}/pictures/{name}"): A.RECORDINGS_VIEW,
    ("GET", "/api/live/ways/{camera}"): A.LIVE_VIEW,
    ("GET", "/api/live/credentials"): A.CAMERAS_EDIT,
    ("POST", "/api/live/credentials"): A.CAMERAS_EDIT,
    ("DELETE", "/api/live/credentials/{username}"): A.CAMERAS_EDIT,
    ("POST", "/api/whep/{camera}"): A.LIVE_VIEW,
    ("PATCH", "/api/whep/{camera}/{peer}"): A.LIVE_VIEW,
    ("DELETE", "/api/whep/{camera}/{peer}"): A.LIVE_VIEW,
    ("GET", "/api/whep/{camera}/{peer}/moment"): A.LIVE_VIEW,
    ("GET", "/media/live/{camera}/index.m3u8"): SIGNED,
    ("GET", "/media/live/{camera}/stream.m3u8"): SIGNED,
    ("GET", "/media/live/{camera}/{name}"): SIGNED,
    ("HEAD", "/media/playback/{camera}.mp4"): SIGNED,
    ("GET", "/media/playback/{camera}.mp4"): SIGNED,
    ("GET", "/media/playback/{camera}.m3u8"): SIGNED,
    ("HEAD", "/media/{path:path}"): SIGNED,
    ("GET", "/media/{path:path}"): SIGNED,
}
SOCKETS = {"/ws": SELF, "/ws/live/{camera}": A.LIVE_VIEW, "/ws/playback": A.RECORDINGS_VIEW}
AT_CAMERAS = sorted(EVERYTHING - SITEWIDE)
"""What can be allowed for a group."""
PLAN = AccountsPlan(requests_per_s=0)


def routes() -> set[tuple[str, str]]:
    found = iter_route_contexts(routed().routes)
    return {(method, context.path) for context in found for method in context.methods or ()}


def filled(path: str, **names: str) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: names.get(match[1], "x"), path)


async def role_with(
    node: Any, actions: list[Action] | None = None, grants: dict[str, list[Action]] | None = None
) -> str:
    name = f"Role {len((await node.client.get('/api/roles')).json()['items'])}"
    body = {"name": name, "actions": actions or [], "grants": grants or {}}
    answer = await node.client.post("/api/roles", json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def test_every_route_and_socket_is_in_the_table() -> None:
    served = routes()
    assert served == set(NEEDS) | PUBLIC, "say in NEEDS which action a new route needs"
    sockets = {route.path for route in routed().routes if isinstance(route, WebSocketRoute)}
    assert {context.path for context in iter_route_contexts(routed().routes)} >= set(SOCKETS)
    assert sockets <= set(SOCKETS)
    # What lies behind masks is no matter of routes; storages are set up in the settings file.
    assert {need for need in NEEDS.values() if isinstance(need, Action)} >= EVERYTHING - {
        A.PRIVACY_UNMASK,
        A.STORAGE_EDIT,
    }


async def _try(
    node: Any,
    headers: dict[str, str],
    allowed: frozenset[Action],
    routes: dict[tuple[str, str], Action | str] = NEEDS,
) -> list[str]:
    """Every route, by somebody who is allowed these: what was answered otherwise than it should be."""
    wrong = []
    for (method, path), need in sorted(routes.items()):
        if need is SELF and path.startswith("/api/auth/logout"):
            continue
        answer = await node.client.request(method, filled(path), headers=headers, json={})
        refused = answer.status_code == 403
        if need is SIGNED or need is UPLOAD:
            fine = refused
        elif need is SELF:
            # Their own password is asked for, and none was sent.
            fine = answer.status_code not in (401, 403)
        else:
            fine = refused != (need in allowed) and answer.status_code != 401
        if not fine or (answer.status_code >= 500 and answer.status_code != 503):
            wrong.append(f"{method} {path}: {answer.status_code}")
    return wrong


@pytest.mark.parametrize("role", ["admin", "operator", "viewer"])
async def test_built_in_roles_reach_just_what_they_say(node_with: Make, role: str) -> None:
    node = await node_with(accounts=PLAN)
    allowed = {"admin": EVERYTHING, "operator": OPERATING, "viewer": LOOKING}[role]
    assert await _try(node, await node.headers_of(role), allowed) == []


async def test_each_action_alone_opens_its_routes_and_all_others_together_do_not(node_with: Make) -> None:
    node = await node_with(accounts=PLAN)
    for action in Action:
        its = {route: need for route, need in NEEDS.items() if need is action}
        alone, others = frozenset({action}), frozenset(Action) - {action}
        assert await _try(node, await node.headers_of(await role_with(node, [action])), alone, its) == [], action
        assert await _try(node, await node.headers_of(await role_with(node, sorted(others))), others, its) == [], action
    headers = await node.headers_of(await role_with(node, [A.LIVE_VIEW]))
    assert await _try(node, headers, frozenset({A.LIVE_VIEW})) == []


async def test_nobody_without_a_login_gets_anywhere(node_with: Make) -> None:
    node = await node_with(accounts=PLAN)
    del node.client.headers["Authorization"]
    for (method, path), need in sorted(NEEDS.items()):
        answer = await node.client.request(method, filled(path), json={})
        assert answer.status_code == (403 if need is SIGNED else 401), (method, path)


def way(camera: str) -> Trajectory:
    return Trajectory(
        camera=camera,
        epoch=1,
        track=7,
        label="person",
        score=0.9,
        hits=5,
        start=1_790_000_000.0,
        end=1_790_000_001.0,
        path=((0.0, 0.1, 0.2), (1.0, 0.3, 0.4)),
        box=(0.2, 0.2, 0.4, 0.4),
    )


@pytest.fixture
async def two_sites(served: Any) -> tuple[Any, str]:
    """Cameras gate and yard, each with a rule, a hold and a way; and a group of the gate alone."""
    for camera in ("gate", "yard"):
        await served.add_camera(id=camera, name=camera)
        rule = {"id": f"{camera}-line", "kind": "tripwire", "camera": camera, "name": "Line", "line": [[0, 0], [1, 1]]}
        assert (await served.client.post("/api/rules", json=rule)).status_code == 201
        hold = {"camera": camera, "from": "2026-09-01T00:00:00Z", "to": "2026-09-02T00:00:00Z", "reason": "court"}
        assert (await served.client.post("/api/holds", json=hold)).status_code == 201
    async with served.services.database.write() as session:
        await add_tracks(session, [way("gate"), way("yard")])
    group = await served.client.post("/api/groups", json={"name": "North", "kind": "site", "cameras": ["gate"]})
    assert group.status_code == 201, group.text
    return served, group.json()["id"]


async def test_a_camera_out_of_reach_is_answered_like_one_that_is_not_there(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    headers = await node.headers_of(await role_with(node, grants={group: list(AT_CAMERAS)}))
    tried = 0
    for (method, path), need in sorted(NEEDS.items()):
        if "{camera}" not in path or not isinstance(need, Action):
            continue
        tried += 1
        answers = []
        for camera in ("yard", "nowhere"):
            answer = await node.client.request(method, filled(path, camera=camera), headers=headers, json={})
            answers.append((answer.status_code, answer.text.replace(camera, "*")))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 404, (method, path)
        within = await node.client.request(method, filled(path, camera="gate"), headers=headers, json={})
        # A camera within reach may have no recorder.
        assert "there is none" not in within.text or within.json()["params"]["kind"] == "recorder", (method, path)
        if method == "DELETE" and path == "/api/cameras/{camera}":
            assert within.status_code == 204
            await node.add_camera(id="gate", name="gate")
            body = {"name": "North", "kind": "site", "cameras": ["gate"]}
            assert (await node.client.put(f"/api/groups/{group}", json=body)).status_code == 200
    assert tried > 15


async def test_lists_have_what_lies_within_reach(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    headers = await node.headers_of(await role_with(node, grants={group: list(AT_CAMERAS)}))
    span = {"from": "2026-09-01T00:00:00Z", "to": "2026-09-02T00:00:00Z"}
    lists = {
        "/api/cameras": lambda item: item["id"],
        "/api/rules": lambda item: item["camera"],
        "/api/holds": lambda item: item["camera"],
        "/api/tracks": lambda item: item["camera"],
        "/api/video/streams": lambda item: item["camera"],
        "/api/video/ledger": lambda item: item["camera"],
    }
    for path, camera_of in lists.items():
        query = span if path.endswith("ledger") else {}
        seen = (await node.client.get(path, params=query, headers=headers)).json()["items"]
        every = (await node.client.get(path, params=query)).json()["items"]
        assert {camera_of(item) for item in seen} == {"gate"}, path
        assert {camera_of(item) for item in every} == {"gate", "yard"}, path
    (only,) = (await node.client.get("/api/groups", headers=headers)).json()["items"]
    assert only["cameras"] == ["gate"]
    wall = {"cameras": ["gate", "yard", "nowhere"], **span}
    answer = await node.client.post("/api/video/playback", json=wall, headers=headers)
    assert [item["code"] for item in answer.json()["items"]] == ["missing", "not_found", "not_found"]
    bulk = (await node.client.get("/api/bulk/cameras", params={"format": "json"}, headers=headers)).json()
    assert [camera["id"] for camera in bulk["cameras"]] == ["gate"]


async def test_what_belongs_to_a_camera_out_of_reach_is_not_there(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    headers = await node.headers_of(await role_with(node, grants={group: list(AT_CAMERAS)}))
    holds = {item["camera"]: item["id"] for item in (await node.client.get("/api/holds")).json()["items"]}
    hold = {"camera": "yard", "from": "2026-09-01T00:00:00Z", "to": "2026-09-02T00:00:00Z", "reason": "mine"}
    rule = {"kind": "tripwire", "camera": "yard", "name": "Line", "line": [[0, 0], [1, 1]]}
    span = {"camera": "yard", "from": hold["from"], "to": hold["to"]}
    for method, path, body, status in [
        ("GET", "/api/rules/yard-line", None, 404),
        ("PUT", "/api/rules/yard-line", rule, 404),
        ("DELETE", "/api/rules/yard-line", None, 404),
        ("POST", "/api/rules/yard-line/disarm", None, 404),
        ("GET", "/api/rules/yard-line/state", None, 404),
        ("POST", "/api/rules", rule, 422),
        ("PUT", "/api/rules/gate-line", rule, 422),
        ("GET", f"/api/holds/{holds['yard']}", None, 404),
        ("PUT", f"/api/holds/{holds['yard']}", hold, 404),
        ("DELETE", f"/api/holds/{holds['yard']}", None, 404),
        ("POST", "/api/holds", hold, 422),
        ("POST", "/api/exports", span, 404),
        ("POST", "/api/shadow", span, 404),
        ("POST", "/api/live/credentials", {"cameras": ["yard"]}, 422),
        ("POST", "/api/live/credentials", {"cameras": []}, 422),
        ("POST", "/api/cameras", {"name": "New", "url": "rtsp://10.0.0.9/"}, 403),
        ("GET", "/metrics", None, 403),
        ("GET", "/api/storage", None, 403),
    ]:
        answer = await node.client.request(method, path, headers=headers, json=body)
        assert answer.status_code == status, (method, path, answer.text)
    assert (await node.client.get("/api/rules/yard-line")).status_code == 200
    assert len((await node.client.get("/api/holds")).json()["items"]) == 2


async def test_actions_may_reach_differently_far(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    role = await role_with(node, [A.LIVE_VIEW], {group: [A.RULES_EDIT]})
    headers = await node.headers_of(role)
    for camera, editing in (("gate", 200), ("yard", 404)):
        assert (await node.client.get(f"/api/live/ways/{camera}", headers=headers)).status_code == 200
        armed = await node.client.post(f"/api/rules/{camera}-line/arm", headers=headers)
        assert armed.status_code == editing
    # What may be done at a camera at all lets somebody know that it is there; looking at it live does not list it.
    listed = (await node.client.get("/api/cameras", headers=headers)).json()["items"]
    assert [item["id"] for item in listed] == ["gate"]


async def test_sockets_tell_what_lies_within_reach(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    headers = await node.headers_of(await role_with(node, grants={group: list(AT_CAMERAS)}))
    token = headers["Authorization"].removeprefix("Bearer ")
    login = json.dumps({"type": "auth", "token": token})
    for camera, code in (("yard", 4404), ("nowhere", 4404)):
        async with connect(f"{node.url}/ws/live/{camera}", proxy=None) as socket:
            await socket.send(login)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == code
            assert socket.close_reason == f"camera {camera!r}: there is none"
    async with connect(f"{node.url}/ws", proxy=None) as socket:
        await socket.send(login)
        topics = ["alarms", "streams", "tracks", "site", "processes"]
        await socket.send(json.dumps({"type": "subscribe", "topics": topics}))
        await socket.send(json.dumps({"type": "ping"}))
        heard = []
        while (message := json.loads(await socket.recv()))["type"] != "pong":
            heard.append(message)
    assert {message["data"]["camera"] for message in heard if message["type"] in ("stream", "health")} == {"gate"}
    assert "site" in {message["type"] for message in heard}


async def test_a_socket_ends_when_the_role_changes_and_when_the_login_is_ended(two_sites: tuple[Any, str]) -> None:
    node, group = two_sites
    role = await role_with(node, grants={group: [A.LIVE_VIEW, A.ALARMS_VIEW]})
    await node.add_user("guard", role)
    session = await node.log_in("guard")
    login = json.dumps({"type": "auth", "token": session["access_token"]})

    async def connected() -> Any:
        socket = await connect(f"{node.url}/ws", proxy=None)
        await socket.send(login)
        assert json.loads(await socket.recv())["type"] == "ready"
        return socket

    async def end_of(socket: Any) -> int:
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionClosed):
                async for _ in socket:
                    pass
            await socket.wait_closed()
        code: int = socket.close_code
        return code

    first = await connected()
    found = (await node.client.get(f"/api/roles/{role}")).json()
    body = {"name": found["name"], "grants": {group: ["live.view"]}}
    assert (await node.client.put(f"/api/roles/{role}", json=body)).status_code == 200
    assert await end_of(first) == 1012
    second = await connected()
    assert (await node.client.delete(f"/api/users/{session['user']['id']}/sessions")).status_code == 204
    assert await end_of(second) == 4401


Change = Callable[[AsyncSession, dict[str, Any], str], Awaitable[object]]


async def _take_role(session: AsyncSession, user: dict[str, Any], role: str) -> None:
    account = await account_by_id(session, user["id"])
    assert account is not None
    await update_account(session, replace(account, role="viewer"), None)


async def _disable(session: AsyncSession, user: dict[str, Any], role: str) -> None:
    account = await account_by_id(session, user["id"])
    assert account is not None
    await update_account(session, replace(account, disabled=True), None)


async def _narrow(session: AsyncSession, user: dict[str, Any], role: str) -> None:
    found = await get_role(session, role)
    assert found is not None
    await update_role(session, replace(found, actions=frozenset({A.SYSTEM_VIEW})), None)


async def _end(session: AsyncSession, user: dict[str, Any], role: str) -> None:
    assert await revoke(session, time.time(), account=user["id"])


@pytest.mark.parametrize(
    ("change", "code"),
    [(_take_role, 1012), (_disable, 4401), (_narrow, 1012), (_end, 4401)],
    ids=("role", "disabled", "narrowed", "ended"),
)
async def test_a_socket_ends_when_another_process_takes_rights_away(served: Any, change: Change, code: int) -> None:
    """The database is all that this server shares with the command line and with other servers."""
    role = await role_with(served, [A.SYSTEM_VIEW, A.ALARMS_VIEW])
    await served.add_user("guard", role)
    session = await served.log_in("guard")
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": session["access_token"]}))
        assert json.loads(await socket.recv())["type"] == "ready"
        async with served.services.database.write() as writing:
            await change(writing, session["user"], role)
        # Half of what a socket looks by itself: it was woken.
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionClosed):
                async for _ in socket:
                    pass
        assert socket.close_code == code


async def test_a_machines_socket_ends_with_its_key(served: Any) -> None:
    made = (await served.client.post("/api/api-keys", json={"name": "Gate", "actions": ["alarms.view"]})).json()
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": made["key"]}))
        assert json.loads(await socket.recv())["type"] == "ready"
        async with served.services.database.write() as writing:
            assert await revoke_api_key(writing, made["id"], time.time())
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionClosed):
                async for _ in socket:
                    pass
        assert socket.close_code == 4401


async def test_a_role_of_nothing_hears_nothing(served: Any) -> None:
    await served.add_camera()
    token = (await served.headers_of(await role_with(served, [])))["Authorization"].removeprefix("Bearer ")
    async with connect(f"{served.url}/ws/live/gate", proxy=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": token}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4403
    async with connect(f"{served.url}/ws", proxy=None) as socket:
        await socket.send(json.dumps({"type": "auth", "token": token}))
        assert json.loads(await socket.recv())["type"] == "ready"
        await socket.send(json.dumps({"type": "subscribe", "topics": ["streams", "site", "processes"]}))
        await socket.send(json.dumps({"type": "ping"}))
        heard = [json.loads(await socket.recv())]
        while heard[-1]["type"] != "pong":
            heard.append(json.loads(await socket.recv()))
        # That something of the site changed is no secret; what it is, nobody is told.
        assert {one["type"] for one in heard} <= {"subscribed", "site", "pong"}
        assert heard[0]["topics"] == ["site"]


async def test_playback_over_a_socket_has_footage_of_what_lies_within_reach(
    two_sites: tuple[Any, str], make_recorder: Callable[..., Any]
) -> None:
    node, group = two_sites
    for camera in ("gate", "yard"):
        make_recorder(camera).record(0, 4)
    await node.services.footage.compare()
    headers = await node.headers_of(await role_with(node, grants={group: [A.RECORDINGS_VIEW]}))
    wall = 1_790_000_000.0
    message = {"type": "open", "cameras": ["gate", "yard"], "from": wall, "to": wall + 3}
    found = {}
    for who, bearer in (("admin", node.headers), ("guard", headers)):
        async with connect(f"{node.url}/ws/playback", proxy=None) as socket:
            token = bearer["Authorization"].removeprefix("Bearer ")
            await socket.send(json.dumps({"type": "auth", "token": token}))
            await socket.send(json.dumps(message))
            kinds, ends = set[tuple[str, int]](), 0
            async with asyncio.timeout(20):
                while ends < 2:
                    heard = await socket.recv()
                    if isinstance(heard, str):
                        told = json.loads(heard)
                        kinds.add((told["type"], told.get("index", -1)))
                        ends += told["type"] == "end"
            found[who] = kinds
    assert {("init", 0), ("init", 1)} <= found["admin"]
    assert ("error", 1) in found["guard"]
    assert ("init", 0) in found["guard"]
    assert ("init", 1) not in found["guard"]
    seen = (await node.client.get("/api/audit", params={"action": "recordings.view", "limit": 100})).json()["items"]
    assert sorted(item["camera"] for item in seen) == ["gate", "gate", "yard"]


async def test_evidence_of_exports_lies_within_reach(
    two_sites: tuple[Any, str], make_recorder: Callable[..., Any]
) -> None:
    node, group = two_sites
    for camera in ("gate", "yard"):
        make_recorder(camera).record(0, 4)
    await node.services.footage.compare()
    headers = await node.headers_of(await role_with(node, grants={group: [A.RECORDINGS_EXPORT]}))
    made = {}
    for camera in ("gate", "yard"):
        body = {"camera": camera, "from": 1_790_000_000.5, "to": 1_790_000_002.5}
        answer = await node.client.post("/api/exports", json=body)
        assert answer.status_code == 201, answer.text
        made[camera] = answer.json()["id"]

    async def done() -> bool:
        items = (await node.client.get("/api/exports")).json()["items"]
        return all(item["state"] == "done" for item in items)

    await node.until(done)
    listed = (await node.client.get("/api/exports", headers=headers)).json()["items"]
    assert [item["camera"] for item in listed] == ["gate"]
    file = (await node.client.get(f"/api/exports/{made['yard']}")).json()["files"][0]
    path = f"/api/exports/{made['yard']}/files/{file['name']}"
    assert (await node.client.get(f"/api/exports/{made['yard']}", headers=headers)).status_code == 404
    assert (await node.client.get(path, headers=headers)).status_code == 404
    assert (await node.client.delete(f"/api/exports/{made['yard']}", headers=headers)).status_code == 404
    assert (await node.client.get(path)).status_code == 200
    del node.client.headers["Authorization"]
    assert (await node.client.get(path)).status_code == 401
    assert (await node.client.get(file["url"])).status_code == 200
    node.client.headers.update(node.headers)
    seen = (await node.client.get("/api/audit", params={"action": "export.download"})).json()["items"]
    assert sorted(item["actor_name"] for item in seen) == ["admin", "signed link"]

"""Cameras and rules through the API: what is kept, what is hidden, what is refused and how it reaches the workers."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.api.camera_url import clean_url, is_metadata, slug
from perishield.api.problems import ProblemError
from perishield.bus import topics
from perishield.bus.site_file import read_site
from perishield.model.rules import rule_from_dict
from perishield.model.site import CAMERA_ID, RecordMode, TimeWindow

LINE = {"kind": "tripwire", "camera": "gate", "name": "Line", "line": [[0.1, 0.5], [0.9, 0.5]]}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def test_credentials_leave_the_address_and_never_come_back(node: Any) -> None:
    added = await node.add_camera(url="rtsp://viewer:p%40ss%2Fword@10.0.0.4:554/ch1?profile=1", name="Gate 3")
    assert added["id"] == "gate-3"
    assert added["url"] == "rtsp://10.0.0.4:554/ch1?profile=1"
    assert (added["username"], added["has_password"]) == ("viewer", True)
    for path in ("/api/cameras", "/api/cameras/gate-3"):
        answer = await node.client.get(path)
        assert "p@ss/word" not in answer.text
        assert "password" not in answer.json().get("items", [answer.json()])[0]
    site = read_site(node.folder / "site.json")
    assert site is not None
    assert (site.cameras[0].username, site.cameras[0].password) == ("viewer", "p@ss/word")


async def test_a_password_stays_until_it_is_replaced(node: Any) -> None:
    camera = await node.add_camera(username="viewer", password="first secret")
    body = {"name": "Gate", "url": "rtsp://10.0.0.9/ch2", "username": "viewer", "revision": camera["revision"]}
    changed = (await node.client.put("/api/cameras/gate", json={**body, "password": None})).json()
    assert (changed["has_password"], changed["revision"]) == (True, 2)
    assert node.services.site.site.cameras[0].password == "first secret"
    emptied = (await node.client.put("/api/cameras/gate", json={**body, "password": "", "revision": 2})).json()
    assert emptied["has_password"] is False


async def test_a_secret_in_the_query_is_masked_and_survives_being_sent_back(node: Any) -> None:
    camera = await node.add_camera(url="http://10.0.0.4/video?user=a&password=hidden")
    assert "hidden" not in camera["url"]
    await node.client.put("/api/cameras/gate", json={"name": "North", "url": camera["url"]})
    assert node.services.site.site.cameras[0].url == "http://10.0.0.4/video?user=a&password=hidden"


POLICY = {
    "mode": "scheduled",
    "windows": [{"days": [0, 1, 2, 3, 4], "start": 1080, "end": 1440}, {"days": [5, 6], "start": 0, "end": 1440}],
    "timezone": "Asia/Shanghai",
    "pre_s": 5.0,
    "post_s": 30.0,
    "keep_days": 30.0,
    "keep_gib": 120.5,
    "priority": 3,
}


async def test_a_policy_comes_back_as_it_was_given_and_reaches_the_workers(node: Any) -> None:
    fingerprint = "AB:" * 31 + "cd"
    added = await node.add_camera(
        url="rtsps://10.0.0.4:322/ch1", recording=POLICY, transport="udp", audio=False, tls_fingerprint=fingerprint
    )
    assert added["recording"] == POLICY
    assert (added["transport"], added["audio"], added["tls_fingerprint"]) == ("udp", False, "ab" * 31 + "cd")
    assert (await node.client.get("/api/cameras/gate")).json()["recording"] == POLICY
    site = read_site(node.folder / "site.json")
    assert site is not None
    policy = site.cameras[0].recording
    assert (policy.mode, policy.timezone, policy.keep_gib) == (RecordMode.SCHEDULED, "Asia/Shanghai", 120.5)
    assert policy.windows[1] == TimeWindow(days=(5, 6), start=0, end=1440)
    back = await node.client.put("/api/cameras/gate", json={"name": "Gate", "url": "rtspx://10.0.0.4/"})
    assert back.json()["recording"]["mode"] == "continuous", "what a body leaves out has its default"


async def test_the_switch_of_old_clients_is_refused_rather_than_overlooked(node: Any) -> None:
    answer = await node.client.post("/api/cameras", json={"name": "x", "url": "rtsp://10.0.0.4/", "record": False})
    assert code_of(answer) == (422, "invalid")
    assert "recording" in answer.json()["detail"]


async def test_the_stream_for_analysis_shares_the_login_and_hides_its_secrets(node: Any) -> None:
    added = await node.add_camera(url="rtsp://10.0.0.4/1", detect_url="rtsp://viewer:s3cret@10.0.0.4/2?token=hidden")
    assert added["detect_url"] == "rtsp://10.0.0.4/2?token=***"
    assert (added["username"], added["has_password"]) == ("viewer", True)
    again = {"name": "Gate", "url": added["url"], "username": "viewer", "detect_url": added["detect_url"]}
    assert (await node.client.put("/api/cameras/gate", json=again)).status_code == 200
    kept = node.services.site.site.cameras[0]
    assert (kept.detect_url, kept.password) == ("rtsp://10.0.0.4/2?token=hidden", "s3cret")
    same = {**again, "detect_url": "rtsp://viewer:s3cret@10.0.0.4/3"}
    assert (await node.client.put("/api/cameras/gate", json=same)).json()["detect_url"] == "rtsp://10.0.0.4/3"


async def test_two_editors_do_not_overwrite_each_other(node: Any) -> None:
    await node.add_camera()
    body = {"name": "Gate", "url": "rtsp://10.0.0.4/", "revision": 1}
    assert (await node.client.put("/api/cameras/gate", json=body)).status_code == 200
    assert code_of(await node.client.put("/api/cameras/gate", json=body)) == (412, "stale")


async def test_ids_come_from_names_and_stay_unique(node: Any) -> None:
    ids = [(await node.add_camera(name=name))["id"] for name in ("Gate", "Gate", "大门", "大门")]
    assert ids == ["gate", "gate-2", "camera", "camera-2"]
    taken = await node.client.post("/api/cameras", json={"id": "gate", "name": "x", "url": "rtsp://10.0.0.4/"})
    assert code_of(taken) == (409, "conflict")


async def test_a_camera_that_is_not_there_is_said_so(node: Any) -> None:
    for method, path in (("GET", "cameras/x"), ("PUT", "cameras/x"), ("DELETE", "cameras/x"), ("GET", "rules/x")):
        answer = await node.client.request(method, f"/api/{path}", json={"name": "x", "url": "rtsp://10.0.0.4/"})
        assert code_of(answer) == (404, "not_found")


BAD_CAMERAS: list[tuple[str, dict[str, Any]]] = [
    ("url", {"url": "ftp://10.0.0.4/"}),
    ("url", {"url": "javascript:alert(1)"}),
    ("url", {"url": "10.0.0.4"}),
    ("url", {"url": "rtsp://"}),
    ("url", {"url": "rtsp://10.0.0.4:99999/"}),
    ("url", {"url": "rtsp://10.0.0.4:secret/"}),
    ("url", {"url": "rtsp://10.0.0.4/a b"}),
    ("url", {"url": "rtsp://10.0.0.4/\r\nHost: x"}),
    ("url", {"url": "rtsp://[::1/"}),
    ("url", {"url": "rtsp://" + "a" * 2100}),
    ("url", {"url": ""}),
    ("url", {"url": 7}),
    ("url", {"url": "file://host/clip.mp4"}),
    ("url", {"url": "file:///"}),
    ("url", {"url": "http://169.254.169.254/latest/meta-data"}),
    ("url", {"url": "http://metadata.google.internal/"}),
    ("name", {"name": "  "}),
    ("name", {"name": "x" * 101}),
    ("name", {"name": "a\nb"}),
    ("id", {"id": "../etc"}),
    ("id", {"id": "Gate"}),
    ("id", {"id": "x" * 64}),
    ("analysis.fps", {"analysis": {"fps": 0}}),
    ("analysis.fps", {"analysis": {"fps": 1e400}}),
    ("analysis.min_score", {"analysis": {"min_score": 1.5}}),
    ("enabled", {"enabled": "perhaps"}),
    ("recording.mode", {"recording": {"mode": "sometimes"}}),
    ("recording.windows", {"recording": {"mode": "scheduled"}}),
    ("recording.windows.0.days", {"recording": {"windows": [{"days": []}]}}),
    ("recording.windows.0.days.0", {"recording": {"windows": [{"days": [7]}]}}),
    ("recording.windows.0.end", {"recording": {"windows": [{"days": [1], "start": 600, "end": 600}]}}),
    ("recording.windows.0.end", {"recording": {"windows": [{"days": [1], "end": 1441}]}}),
    ("recording.timezone", {"recording": {"timezone": "Mars/Olympus"}}),
    ("recording.timezone", {"recording": {"timezone": "../../etc/passwd"}}),
    ("recording.timezone", {"recording": {"timezone": "Europe"}}),
    ("recording.pre_s", {"recording": {"pre_s": -1}}),
    ("recording.keep_days", {"recording": {"keep_days": 1e400}}),
    ("recording.keep_gib", {"recording": {"keep_gib": -0.5}}),
    ("recording.priority", {"recording": {"priority": 1000}}),
    ("detect_url", {"detect_url": "ftp://10.0.0.4/"}),
    ("detect_url", {"detect_url": "http://169.254.169.254/latest"}),
    ("detect_url", {"detect_url": "rtsps://"}),
    ("detect_url", {"detect_url": "rtsp://other:login@10.0.0.4/2", "username": "viewer", "password": "x"}),
    ("transport", {"transport": "pigeon"}),
    ("audio", {"audio": "loud"}),
    ("tls_fingerprint", {"tls_fingerprint": "ab:cd"}),
    ("tls_fingerprint", {"tls_fingerprint": "g" * 64}),
    ("username", {"username": "x" * 257}),
    ("revision", {"revision": 10**30}),
]


async def test_bad_cameras_are_refused_by_field(node: Any) -> None:
    for field, change in BAD_CAMERAS:
        body = {"name": "Gate", "url": "rtsp://10.0.0.4/", **change}
        answer = await node.client.post(
            "/api/cameras", content=_json(body), headers={"content-type": "application/json"}
        )
        assert code_of(answer) == (422, "invalid"), change
        assert answer.json()["params"]["field"] == field, change
        assert answer.json()["detail"].startswith(field), change
    assert (await node.client.get("/api/cameras")).json()["total"] == 0


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "fd00:ec2::254",
        "FD00:0EC2:0:0:0:0:0:254",
        "100.100.100.200",
        "metadata.google.internal.",
        "METADATA.google.internal",
        "instance-data",
    ],
)
def test_metadata_services_are_known_however_they_are_spelt(host: str) -> None:
    assert is_metadata(host)
    shown = f"[{host}]" if ":" in host else host
    with pytest.raises(ProblemError, match="metadata"):
        clean_url(f"http://{shown}/latest", "", None)


@pytest.mark.parametrize("host", ["10.0.0.4", "169.254.10.20", "::1", "camera.local", "1", "metadata.example.org"])
def test_cameras_are_not_taken_for_metadata(host: str) -> None:
    assert not is_metadata(host)


@given(st.text(max_size=80))
def test_any_text_is_a_camera_address_or_a_sentence(url: str) -> None:
    try:
        clean, _, _ = clean_url(url, "", None)
    except ProblemError as error:
        assert (error.status, error.params["field"]) == (422, "url")  # noqa: PT017
    else:
        assert "@" not in clean.partition("://")[2].partition("/")[0]


@given(
    user=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    password=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20),
)
def test_whatever_the_credentials_are_they_are_taken_out(user: str, password: str) -> None:
    url = f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@camera.local:554/ch1"
    assert clean_url(url, "", None) == ("rtsp://camera.local:554/ch1", user, password)


@given(st.text(max_size=120))
def test_every_name_gives_an_id(name: str) -> None:
    assert CAMERA_ID.fullmatch(slug(name))


async def test_rules_are_drawn_changed_and_removed(node: Any) -> None:
    await node.add_camera()
    rule = (await node.client.post("/api/rules", json=LINE)).json()
    assert rule_from_dict(rule).camera == "gate"
    assert (rule["revision"], rule["level"], rule["labels"]) == (1, 2, ["person"])
    changed = await node.client.put(f"/api/rules/{rule['id']}", json={**rule, "level": 1})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["level"], changed.json()["revision"]) == (1, 2)
    stale = await node.client.put(f"/api/rules/{rule['id']}", json={**rule, "level": 3})
    assert code_of(stale) == (412, "stale")
    assert (stale.json()["params"]["revision"], changed.headers["etag"]) == (2, '"2"')
    assert (await node.client.get("/api/rules?camera=gate")).json()["total"] == 1
    assert (await node.client.get("/api/rules?camera=yard")).json() == {"items": [], "total": 0}
    assert (await node.client.delete(f"/api/rules/{rule['id']}")).status_code == 204
    assert code_of(await node.client.get(f"/api/rules/{rule['id']}")) == (404, "not_found")


async def test_zones_and_fences_are_rules_too(node: Any) -> None:
    await node.add_camera()
    zone = {"kind": "zone", "camera": "gate", "name": "Yard", "polygon": [[0, 0], [1, 0], [1, 1]], "on": ["exit"]}
    fence = {
        "kind": "fence",
        "camera": "gate",
        "name": "Fence",
        "outer": [[0, 0.2], [1, 0.2]],
        "inner": [[0, 0.4], [1, 0.4]],
    }
    for body in (zone, fence):
        answer = await node.client.post("/api/rules", json=body)
        assert answer.status_code == 201, answer.text
        shown = (await node.client.get(f"/api/rules/{answer.json()['id']}")).json()
        assert {**shown, **body} == shown


BAD_RULES: list[dict[str, Any]] = [
    {"camera": "nowhere"},
    {"kind": "magic"},
    {"kind": None},
    {"name": ""},
    {"level": 0},
    {"level": "urgent"},
    {"line": []},
    {"line": [[0.1, 0.5]]},
    {"line": [[0.1, 0.5], [0.1, 0.5]]},
    {"line": [[0.1, 0.5], [1.1, 0.5]]},
    {"line": [[0.1, 0.5], [float("nan"), 0.5]]},
    {"line": [[0.1], [0.2]]},
    {"line": [[0.1, 0.5]] * 65},
    {"direction": "up"},
    {"labels": []},
    {"labels": ["x"] * 101},
    {"cooldown_s": -1},
    {"cooldown_s": float("inf")},
    {"min_hits": 0},
    {"kind": "zone", "polygon": [[0, 0], [1, 1], [0.5, 0.5]]},
    {"kind": "zone", "polygon": [[0, 0], [1, 0], [1, 1]], "on": []},
    {"kind": "fence", "outer": [[0, 0], [1, 0]]},
]


async def test_rules_that_make_no_sense_are_refused(node: Any) -> None:
    await node.add_camera()
    for change in BAD_RULES:
        answer = await node.client.post(
            "/api/rules", content=_json({**LINE, **change}), headers={"content-type": "application/json"}
        )
        status, code = code_of(answer)
        assert status == 422, change
        assert code in ("invalid", "rule_invalid"), change
    assert (await node.client.get("/api/rules")).json()["total"] == 0


async def test_a_rule_cannot_move_to_a_camera_that_is_not_there(node: Any) -> None:
    await node.add_camera()
    rule = (await node.client.post("/api/rules", json=LINE)).json()
    answer = await node.client.put(f"/api/rules/{rule['id']}", json={**rule, "camera": "nowhere"})
    assert code_of(answer) == (422, "invalid")


async def test_deleting_a_camera_takes_its_rules_along(node: Any) -> None:
    await node.add_camera()
    await node.add_camera(name="Yard")
    await node.client.post("/api/rules", json=LINE)
    await node.client.post("/api/rules", json={**LINE, "camera": "yard"})
    assert (await node.client.delete("/api/cameras/gate")).status_code == 204
    assert [rule["camera"] for rule in (await node.client.get("/api/rules")).json()["items"]] == ["yard"]
    site = read_site(node.folder / "site.json")
    assert site is not None
    assert [camera.id for camera in site.cameras] == ["yard"]
    assert [rule["camera"] for rule in site.rules] == ["yard"]


async def test_every_change_reaches_the_workers_under_a_higher_revision(node: Any) -> None:
    async with node.peer.subscribe(topics.SITE) as changes:
        told: list[int] = []

        async def listen() -> None:
            async for _, change in changes:
                told.append(change.revision)

        listening = asyncio.create_task(listen())
        before = node.services.site.site.revision

        async def nudge() -> bool:
            await node.services.site.publish()
            return bool(told)

        await node.until(nudge)
        await node.add_camera()
        await node.client.post("/api/rules", json=LINE)
        site = read_site(node.folder / "site.json")
        assert site is not None
        await node.until(lambda: told[-1] == site.revision)
        assert told == sorted(set(told))
        assert site.revision >= before + 2
        assert (node.folder / "site.json").stat().st_mode & 0o077 == 0
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_concurrent_changes_end_with_the_newest_site_in_the_file(node: Any) -> None:
    await asyncio.gather(*(node.add_camera(name=f"Camera {number}") for number in range(8)))
    site = read_site(node.folder / "site.json")
    assert site is not None
    assert len(site.cameras) == 8
    assert site.revision == node.services.site.site.revision

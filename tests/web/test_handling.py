"""Several alarms at once, their evidence and holds, what they add up to, masks and keys, in a real browser."""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Page, expect

from perishield.alarms.bundle_check import check_bundle
from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Event, EventKind

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]

LINE = {"id": "line", "name": "North fence", "kind": "tripwire", "line": [[0.1, 0.5], [0.9, 0.5]]}


def crossing(name: str, wall: float, *, track: int, score: float = 0.8) -> Event:
    return Event(
        id=name, camera="gate", epoch=1, kind=EventKind.TRIPWIRE, rule=LINE, level=2, label="person", score=score,
        track=track, stream_time=900_000, wall=wall, arrival=wall, point=(0.5, 0.5), direction="left_to_right",
        box=(0.4, 0.2, 0.6, 0.5), path=(), detector="motion",
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(node: Any) -> Iterator[httpx.Client]:
    answer = httpx.post(f"{node.address}/api/auth/login", json={"username": USERNAME, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    with httpx.Client(base_url=node.address, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def alarmed(node: Any, client: httpx.Client, camera_url: str) -> httpx.Client:
    """One intrusion of three alarms, and twelve alarms long ago."""
    # Switched off, so that no alarm of its own comes in between.
    camera = {"id": "gate", "name": "Gate", "url": camera_url, "enabled": False}
    assert client.post("/api/cameras", json=camera).status_code == 201
    assert client.post("/api/rules", json={**LINE, "camera": "gate"}).status_code == 201
    now = time.time()
    spool = Spool(node.data / "spool" / "events.db")
    events = [
        crossing(f"old-{number}", now - 86_400 * (2 + number), track=100 + number, score=0.3 if number < 6 else 0.7)
        for number in range(12)
    ]
    events += [crossing(f"now-{number}", now - 6 + number, track=7) for number in range(3)]
    for event in events:
        spool.put(event.id, encode(event))
    spool.close()
    deadline = time.monotonic() + 30
    while client.get("/api/alarms").json()["total"] < len(events):
        assert time.monotonic() < deadline, "the alarms did not come"
        time.sleep(0.1)
    return client


def revision(client: httpx.Client, alarm: str) -> dict[str, str]:
    return {"If-Match": client.get(f"/api/alarms/{alarm}").headers["etag"]}


def test_an_intrusion_unfolds_and_several_alarms_are_handled_at_once(
    node: Any, alarmed: httpx.Client, page: Page
) -> None:
    log_in(page, node.address, "/alarms?camera=gate")
    first = page.locator(".list > li").first
    expect(page.locator(".list > li")).to_have_count(13)
    first.get_by_role("button", name="Show the 3 alarms").click()
    expect(first.locator(".members > li")).to_have_count(2)
    first.get_by_role("checkbox").nth(0).check()
    first.get_by_role("checkbox").nth(1).check()
    first.get_by_role("checkbox").nth(2).check()
    # Somebody else is faster with one of them.
    step = alarmed.post("/api/alarms/now-1/acknowledge", json={"comment": ""}, headers=revision(alarmed, "now-1"))
    assert step.status_code == 200
    alarmed.post("/api/alarms/now-0/confirm", json={"comment": ""}, headers=revision(alarmed, "now-0"))
    expect(first).to_contain_text("Acknowledged")
    expect(first).to_contain_text("Confirmed")
    bulk = page.get_by_role("region", name="Handle several at once")
    expect(bulk).to_contain_text("3 chosen")
    bulk.get_by_role("button", name="Dismiss").click()
    bulk.locator(".el-select").click()
    page.get_by_role("option", name="Vegetation").click()
    bulk.get_by_role("button", name="Dismiss 3").click()
    expect(page.get_by_role("status").filter(has_text="Done with 2.")).to_contain_text("1 refused it")
    refused = page.locator(".members .refused")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("is confirmed")
    expect(bulk).to_contain_text("1 chosen")
    bulk.get_by_role("button", name="Assign").click()
    page.get_by_role("menuitem", name="Assign to me").click()
    expect(page.get_by_role("status").filter(has_text="Done with 1.")).to_be_visible()
    states = {name: alarmed.get(f"/api/alarms/{name}").json() for name in ("now-0", "now-1", "now-2")}
    assert [states[name]["state"] for name in states] == ["confirmed", "dismissed", "dismissed"]
    assert states["now-0"]["assignee"]["name"] == USERNAME


def test_the_chosen_row_is_marked_from_edge_to_edge(node: Any, alarmed: httpx.Client, page: Page) -> None:
    log_in(page, node.address, "/alarms?camera=gate")
    page.get_by_role("button", name="Show the 3 alarms").click()
    marked = page.locator(".list .line").filter(has=page.locator("[aria-current]"))
    for name, link in (("intrusion", ".list > li > .line a"), ("member", ".members a")):
        page.locator(link).first.click()
        expect(marked).to_have_count(1)
        expect(marked).to_have_css("background-color", "rgba(44, 104, 224, 0.1)")
        assert marked.evaluate("row => row.closest('.card').clientWidth - row.offsetWidth") == 0
        keep(page, f"alarms-chosen-{name}")


def test_evidence_is_checked_held_exported_and_verifies(
    node: Any, alarmed: httpx.Client, page: Page, tmp_path: Path
) -> None:
    log_in(page, node.address, "/alarms/old-0")
    part = page.get_by_role("region", name="Evidence")
    expect(part).to_contain_text("Chain of records", timeout=20_000)
    part.get_by_label("Why it must stay").fill("Police file 4711")
    part.get_by_role("button", name="Hold", exact=True).click()
    expect(part).to_contain_text("Police file 4711")
    part.get_by_role("button", name="Export an archive").click()
    link = part.get_by_role("link", name=re.compile("Download evidence_"))
    with page.expect_download() as downloading:
        link.click(timeout=30_000)
    archive = tmp_path / "evidence.zip"
    downloading.value.save_as(archive)
    assert "alarms/old-0/alarm.json" in zipfile.ZipFile(archive).namelist()
    part.get_by_text("How to verify it").click()
    command = part.locator("pre").inner_text().split()
    verdict = check_bundle(archive, command[-1])
    assert (verdict.accepted, verdict.signer) == (True, "proven"), "the key that the console names has signed"
    page.goto(f"{node.address}/holds")
    held = page.locator("li").filter(has_text="Police file 4711")
    expect(held).to_contain_text("Line crossed")
    held.get_by_role("button", name="Lift the hold").click()
    page.get_by_role("dialog").get_by_role("button", name="Lift the hold").click()
    expect(page.get_by_text("Nothing is held")).to_be_visible()
    assert alarmed.get("/api/alarms/old-0/hold").status_code == 404


@pytest.mark.parametrize(
    "page", [{}, {"viewport": PHONE, "color_scheme": "dark"}], indirect=True, ids=["desk", "phone"]
)
def test_why_something_is_missing_is_told_in_the_language_of_the_console(
    node: Any, alarmed: httpx.Client, page: Page, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    log_in(page, node.address, "/alarms/old-3")
    clip = page.locator(".clip")
    expect(clip).to_contain_text("There is no footage of that time: it was not recorded", timeout=30_000)
    part = page.get_by_role("region", name="Evidence")
    expect(part).to_contain_text("The alarm was raised without a picture.")
    keep(page, f"remarks-en-{name}")
    page.locator(".language").click()
    expect(clip).to_contain_text("该时段没有录像：未曾录制，或已删除。")
    part = page.get_by_role("region", name="证据")
    expect(part).to_contain_text("告警产生时没有图片。")
    part.get_by_role("button", name="导出归档").click()
    expect(part.locator("p.whole").first).to_have_text(
        "缺少原图。告警产生时没有图片。没有片段。该时段没有录像：未曾录制，或已删除。", timeout=30_000
    )
    part.scroll_into_view_if_needed()
    keep(page, f"remarks-zh-{name}")
    expect(page.get_by_text("raised without")).to_have_count(0)


def test_statistics_add_up_and_suggest_and_change_nothing(node: Any, alarmed: httpx.Client, page: Page) -> None:
    for number in range(12):
        name = f"old-{number}"
        body = {"comment": "", "reason": "animal"} if number < 6 else {"comment": ""}
        step = "dismiss" if number < 6 else "confirm"
        assert alarmed.post(f"/api/alarms/{name}/{step}", json=body, headers=revision(alarmed, name)).is_success
    log_in(page, node.address, "/statistics")
    tiles = page.locator("dl.card > div")
    expect(tiles.filter(has_text="Alarms").locator(".value")).to_have_text("15")
    expect(page.locator(".ranked").filter(has_text="By rule")).to_contain_text("North fence")
    advice = page.locator("section").filter(has_text="What verdicts suggest")
    expect(advice).to_contain_text(
        re.compile(r"to 0\.31: would have spared 6 of \d dismissed, lost none of \d confirmed")
    )
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save as a table").click()
        page.get_by_role("menuitem", name="Alarms (CSV)").click()
    assert "all,," in Path(downloading.value.path()).read_text()
    advice.get_by_role("link", name="Open the rule").click()
    expect(page.locator("#rule-name")).to_have_value("North fence")
    expect(page.get_by_role("button", name="Save")).to_be_enabled()
    assert alarmed.get("/api/rules/line").json()["min_score"] == 0, "only a person saves it"
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Rule saved")).to_be_visible(timeout=20_000)
    assert alarmed.get("/api/rules/line").json()["min_score"] == pytest.approx(0.31)


def test_a_mask_is_drawn_previewed_and_kept(node: Any, alarmed: httpx.Client, page: Page) -> None:
    log_in(page, node.address, "/cameras/gate/privacy")
    page.get_by_role("button", name="Draw a mask").click()
    surface = page.get_by_role("application")
    box = surface.bounding_box()
    assert box is not None
    for x, y in ((0.1, 0.1), (0.4, 0.1), (0.4, 0.5)):
        page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    page.get_by_role("button", name="Finish").click()
    page.get_by_text("Preview").click()
    expect(page.locator("svg.masked polygon")).to_have_count(1)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The masks count from now on")).to_be_visible()
    (mask,) = alarmed.get("/api/cameras/gate/privacy").json()["masks"]
    assert mask == [pytest.approx(corner, abs=0.02) for corner in ([0.1, 0.1], [0.4, 0.1], [0.4, 0.5])]
    page.get_by_role("button", name="Take away").click()
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No mask:")).to_be_visible()
    assert alarmed.get("/api/cameras/gate/privacy").json()["masks"] == []


def test_a_key_is_made_shown_once_used_and_revoked(node: Any, page: Page) -> None:
    log_in(page, node.address, "/people")
    page.get_by_text("Keys", exact=True).click()
    page.get_by_role("button", name="Make a key").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("#key-name").fill("Gate controller")
    dialog.locator(".el-select").first.click()
    page.get_by_role("option", name="Alarms", exact=True).click()
    dialog.locator(".el-dialog__title").click()
    dialog.get_by_role("button", name="Make", exact=True).click()
    secret = dialog.locator("pre").inner_text()
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{node.address}/api/alarms", headers=headers).status_code == 200
    assert httpx.get(f"{node.address}/api/users", headers=headers).status_code == 403
    dialog.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text(secret)).to_have_count(0)
    row = page.locator("li").filter(has_text="Gate controller")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No key yet")).to_be_visible()
    assert httpx.get(f"{node.address}/api/alarms", headers=headers).status_code == 401


@pytest.mark.parametrize("page", [{"locale": "zh-CN", "viewport": PHONE}], indirect=True)
def test_refusals_are_told_in_chinese_and_pages_fit_a_phone(node: Any, alarmed: httpx.Client, page: Page) -> None:
    page.goto(f"{node.address}/login?next=/people")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("button", name="添加账户").click()
    page.locator("#new-username").fill(USERNAME)
    page.get_by_role("dialog").get_by_role("button", name="创建").click()
    expect(page.get_by_text("名称已被占用")).to_be_visible()
    for path in ("/people", "/alarms", "/alarms/old-1", "/holds", "/statistics", "/cameras/gate/privacy"):
        page.goto(node.address + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.querySelector('.content').scrollWidth") <= PHONE["width"], path

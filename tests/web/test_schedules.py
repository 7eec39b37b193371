"""Schedules in the console: set down once, given to rules and channels, changed for all of them, kept while in use."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]
WATCHER = "correct horse battery watcher"
LINE = {"id": "line", "kind": "tripwire", "camera": "gate", "name": "Gate line", "line": [[0.1, 0.6], [0.9, 0.6]]}


@pytest.fixture(scope="module")
def site(node: Any) -> Iterator[httpx.Client]:
    """The API of a node with a camera that nobody answers for, and a rule that watches always."""
    with httpx.Client(base_url=node.address, timeout=30) as client:
        login = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        camera = {"id": "gate", "name": "Gate", "url": "rtsp://127.0.0.1:9/1"}
        assert client.post("/api/cameras", json=camera).status_code == 201
        assert client.post("/api/rules", json=LINE).status_code == 201
        yield client


def published(node: Any, holds: Callable[[Any], bool]) -> None:
    """Workers soon read hours of the rule of which that holds."""
    deadline = time.monotonic() + 20
    while not holds(json.loads((node.data / "site.json").read_text())["rules"][0]["schedule"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_schedule_is_set_down_given_to_a_rule_and_changed_for_it(node: Any, site: httpx.Client, page: Page) -> None:
    log_in(page, node.address, "/cameras")
    page.get_by_role("link", name="Schedules").click()
    expect(page.get_by_text("No schedules yet")).to_be_visible()
    keep(page, "schedules-none")
    page.get_by_role("button", name="Add a schedule").first.click()
    dialog = page.get_by_role("dialog", name="Add a schedule")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Give it a name.")
    dialog.get_by_label("Name", exact=True).fill("Night shift")
    keep(page, "schedules-add")
    dialog.get_by_role("button", name="Save").click()
    row = page.locator("li.schedule")
    expect(row).to_contain_text("Mon–Sun 22:00–06:00")
    expect(row).to_contain_text("Not in use")

    page.goto(f"{node.address}/cameras/gate/rules")
    page.get_by_role("button", name="Gate line").click()
    page.get_by_text("When it watches").click()
    page.get_by_text("Only at certain hours").click()
    expect(page.get_by_role("application", name="Hours of the week")).to_be_visible()
    page.locator(".el-select").filter(has_text="Hours of its own").click()
    page.get_by_role("option", name="Night shift").click()
    expect(page.get_by_role("application", name="Hours of the week")).to_have_count(0)
    page.get_by_text("Mon–Sun 22:00–06:00").scroll_into_view_if_needed()
    keep(page, "schedules-rule")
    page.get_by_role("button", name="Save rule").click()
    expect(page.get_by_text("Rule saved")).to_be_visible()
    rule = site.get("/api/rules/line").json()
    (night,) = site.get("/api/schedules").json()["items"]
    assert (rule["schedule"], rule["schedule_id"]) == (None, night["id"])
    published(node, lambda hours: hours["windows"][0]["start"] == 1320)

    page.goto(f"{node.address}/schedules")
    expect(row).to_contain_text("Rules: 1 · tasks: 0")
    row.get_by_role("button", name="Delete Night shift").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    refusal = page.get_by_role("dialog", name="It stays")
    expect(refusal).to_contain_text("rule 'Gate line' of camera 'gate'")
    keep(page, "schedules-in-use")
    refusal.get_by_role("button").last.click()
    row.get_by_role("button", name="Change Night shift").click()
    dialog = page.get_by_role("dialog", name="Change Night shift")
    dialog.get_by_role("button", name="Always").click()
    # Somebody else is quicker.
    body = {"name": "Night shift", "schedule": night["schedule"]}
    assert site.put(f"/api/schedules/{night['id']}", json=body).status_code == 200
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Somebody else has changed this schedule")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    published(node, lambda hours: hours["windows"][0]["start"] == 0)
    expect(row).to_contain_text("Mon–Sun")


def test_a_channel_is_quiet_by_a_schedule_that_names_it_then(node: Any, site: httpx.Client, page: Page) -> None:
    night = {"windows": [{"days": [0, 1, 2, 3, 4, 5, 6], "start": 1260, "end": 300}], "timezone": "Europe/Berlin"}
    body = {"id": "late", "name": "Late shift", "schedule": night}
    assert site.post("/api/schedules", json=body).status_code == 201
    hook = {"kind": "webhook", "url": "https://platform.example/hook"}
    assert site.post("/api/channels", json={"id": "hook", "name": "Control room", "target": hook}).status_code == 201
    log_in(page, node.address, "/channels")
    page.get_by_role("button", name="Edit Control room").click()
    dialog = page.get_by_role("dialog", name="Edit Control room")
    for tab, switch, picture in (
        ("Quiet hours", dialog.get_by_text("Quiet hours", exact=True).last, "quiet"),
        ("Which alarms", dialog.get_by_text("Only alarms at certain hours"), "route"),
    ):
        dialog.get_by_text(tab, exact=True).first.click()
        switch.click()
        expect(dialog.get_by_role("application", name="Hours of the week")).to_be_visible()
        dialog.locator(".el-select").filter(has_text="Hours of its own").click()
        page.get_by_role("option", name="Late shift").click()
        expect(dialog.get_by_role("application", name="Hours of the week")).to_have_count(0)
        dialog.get_by_text("Mon–Sun 21:00–05:00").scroll_into_view_if_needed()
        keep(page, f"schedules-channel-{picture}")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_be_hidden()
    card = page.locator("li.channel", has_text="Control room")
    expect(card).to_contain_text("at certain hours (Late shift) · quiet hours (Late shift)")
    keep(page, "schedules-channel-card")
    route = site.get("/api/channels/hook").json()["route"]
    assert (route["schedule"], route["schedule_id"]) == (None, "late")
    assert (route["quiet"]["schedule"], route["quiet"]["schedule_id"], route["quiet"]["then"]) == (None, "late", "hold")

    page.goto(f"{node.address}/schedules")
    row = page.locator("li.schedule").filter(has_text="Late shift")
    expect(row).to_contain_text("Channels: Control room (hours, quiet hours)")
    row.get_by_role("button", name="Delete Late shift").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    refusal = page.get_by_role("dialog", name="It stays")
    expect(refusal).to_contain_text("Control room")
    keep(page, "schedules-channel-in-use")
    refusal.get_by_role("button").last.click()

    page.goto(f"{node.address}/channels")
    page.get_by_role("button", name="Edit Control room").click()
    dialog.get_by_text("Quiet hours", exact=True).first.click()
    dialog.locator(".el-select").filter(has_text="Late shift").click()
    page.get_by_role("option", name="Hours of its own").click()
    expect(dialog.get_by_role("application", name="Hours of the week")).to_be_visible()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(card).to_contain_text("at certain hours (Late shift) · quiet hours")
    quiet = site.get("/api/channels/hook").json()["route"]["quiet"]
    assert (quiet["schedule"]["windows"], quiet["schedule_id"]) == (night["windows"], None), "they begin as those of it"


@pytest.mark.parametrize(
    "page",
    [{"viewport": PHONE, "color_scheme": "dark"}, {"locale": "zh-CN"}, {"locale": "zh-CN", "viewport": PHONE}],
    indirect=True,
    ids=["phone-dark", "chinese", "chinese-phone"],
)
def test_nothing_runs_over_the_edge(node: Any, site: httpx.Client, page: Page, request: pytest.FixtureRequest) -> None:
    special = [{"date": f"2026-12-{day}", "counts_as": "day_off"} for day in (24, 25, 26)]
    days = {"windows": [{"days": [0, 1, 2, 3, 4], "start": 360, "end": 1320}, {"days": [5, 6]}], "special": special}
    body = {"name": "Early and late shift with weekends", "schedule": {**days, "timezone": "Asia/Shanghai"}}
    assert site.put("/api/schedules/long", json=body).status_code in (200, 404)
    site.post("/api/schedules", json={**body, "id": "long"})
    hook = {"kind": "webhook", "url": "https://platform.example/hook"}
    channel = {"id": "long", "name": "Early and late guards", "target": hook}
    route = {"schedule_id": "long", "quiet": {"schedule_id": "long"}}
    assert site.post("/api/channels", json={**channel, "route": route}).status_code in (201, 409)
    name = request.node.callspec.id
    page.goto(f"{node.address}/cameras")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    expect(page.locator("li.camera")).to_be_visible()
    keep(page, f"schedules-cameras-{name}")
    page.locator("a[href='/schedules']").click()
    row = page.locator("li.schedule").filter(has_text="Early and late")
    expect(row).to_contain_text("06:00–22:00")
    keep(page, f"schedules-{name}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row.get_by_role("button").first.click()
    dialog = page.locator(".el-dialog:visible")
    expect(dialog.locator("#schedule-name")).to_have_value("Early and late shift with weekends")
    keep(page, f"schedules-dialog-{name}")
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.goto(f"{node.address}/channels")
    page.locator("li.channel", has_text="Early and late").locator(".actions .el-button:not(.test)").first.click()
    for number, picture in ((1, "route"), (2, "quiet")):
        dialog.locator(".parts label").nth(number).click()
        expect(dialog.get_by_text("06:00–22:00")).to_be_visible()
        dialog.get_by_text("06:00–22:00").scroll_into_view_if_needed()
        keep(page, f"schedules-channel-{picture}-{name}")
        assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_who_may_only_look_sees_schedules_and_is_offered_no_change(
    node: Any, site: httpx.Client, browser: Browser
) -> None:
    body = {"id": "day", "name": "Day shift", "schedule": {"windows": [{"days": [0], "start": 480, "end": 960}]}}
    assert site.post("/api/schedules", json=body).status_code == 201
    added = site.post(
        "/api/users", json={"username": "watcher", "role": "viewer", "full_name": "", "password": WATCHER}
    )
    assert added.status_code == 201, added.text
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{node.address}/schedules")
    page.locator("#username").fill("watcher")
    page.locator("#password").fill(WATCHER)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("li.schedule").filter(has_text="Day shift")).to_contain_text("Mon 08:00–16:00")
    for name in (re.compile("^Add"), re.compile("^Change"), re.compile("^Delete")):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    context.close()

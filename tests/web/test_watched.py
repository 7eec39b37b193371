"""How a camera is watched, set in the console: exactly what was changed changes, and nobody's change is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Browser, Locator, Page, Route, expect

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]
WATCHER = "correct horse battery watcher"
POINTS = [
    {"picture": [0.1, 0.9], "site": [-4, 5]},
    {"picture": [0.9, 0.9], "site": [4, 5]},
    {"picture": [0.3, 0.4], "site": [-4, 20]},
    {"picture": [0.7, 0.4], "site": [4, 20]},
]
CAMERA = {
    "id": "gate",
    "name": "Gate",
    "url": "rtsp://127.0.0.1:9/1?key=secret",
    "username": "viewer",
    "password": "to be kept",
    "recording": {"mode": "event", "pre_s": 7, "post_s": 21, "keep_days": 30},
    "analysis": {"fps": 45, "doubts": {"ignored": ["light"]}, "health": {"ignored": ["glare"], "level": 3}},
    "detect_url": "rtsp://127.0.0.1:9/2",
    "transport": "tcp",
    "audio": False,
    "ground": {"points": POINTS},
}


@pytest.fixture(scope="module")
def site(node: Any) -> Iterator[httpx.Client]:
    """The API of a node with a camera that nobody answers for."""
    with httpx.Client(base_url=node.address, timeout=30) as client:
        login = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        assert client.post("/api/cameras", json=CAMERA).status_code == 201
        yield client


def kept(site: httpx.Client) -> dict[str, Any]:
    """All of the camera that somebody sets."""
    camera = site.get("/api/cameras/gate").json()
    for passing in ("stream", "snapshot_url", "revision"):
        del camera[passing]
    return camera


def opened(page: Page) -> Locator:
    page.get_by_role("button", name="More of Gate").click()
    page.get_by_role("menuitem", name="How it is watched").click()
    dialog = page.get_by_role("dialog", name="How Gate is watched")
    expect(dialog).to_be_visible()
    return dialog


def flip(dialog: Locator, text: str) -> None:
    dialog.get_by_text(text, exact=True).click()


def part(dialog: Locator, name: str) -> None:
    dialog.locator(".parts").get_by_text(name, exact=True).click()


def test_exactly_what_was_set_changes(node: Any, site: httpx.Client, page: Page) -> None:
    before = kept(site)
    log_in(page, node.address, "/cameras")
    dialog = opened(page)
    fps = dialog.get_by_label("Pictures per second")
    expect(fps).to_have_value("45")
    fps.fill("")
    fps.press("Tab")
    expect(fps).to_have_value("45")
    fps.fill("2.5")
    dialog.get_by_label("Least confidence").fill("0.45")
    flip(dialog, "The camera sways")
    flip(dialog, "Livestock is about")
    keep(page, "watched-analysis")
    part(dialog, "False alarms")
    expect(dialog.get_by_text("Nothing has been counted yet.")).to_be_visible()
    expect(dialog.get_by_role("switch", name="Change of light")).not_to_be_checked()
    flip(dialog, "Animal")
    flip(dialog, "Change of light")
    keep(page, "watched-doubts")
    part(dialog, "Camera health")
    expect(dialog.get_by_role("switch", name="Flooded with light")).not_to_be_checked()
    flip(dialog, "Blurred")
    dialog.get_by_text("Critical", exact=True).click()
    keep(page, "watched-health")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()

    after = kept(site)
    assert {**after, "analysis": None} == {**before, "analysis": None}
    assert after["has_password"]
    assert after["analysis"] == {
        "enabled": True,
        "fps": 2.5,
        "min_score": 0.45,
        "steady": True,
        "livestock": True,
        "doubts": {"enabled": True, "ignored": ["animal"]},
        "health": {"enabled": True, "ignored": ["glare", "blurred"], "level": 1},
    }


def test_what_two_people_change_at_once_is_both_kept(node: Any, site: httpx.Client, page: Page) -> None:
    camera = site.get("/api/cameras/gate").json()
    analysis = {**camera["analysis"], "fps": 6, "steady": False, "health": {"ignored": [], "level": 2}}
    assert site.put("/api/cameras/gate", json={**camera, "analysis": analysis}).status_code == 200
    log_in(page, node.address, "/cameras")
    dialog = opened(page)
    dialog.get_by_label("Pictures per second").fill("8")
    part(dialog, "Camera health")
    flip(dialog, "Frozen")

    camera = site.get("/api/cameras/gate").json()
    theirs = {**camera["analysis"], "steady": True, "health": {"ignored": ["dark"], "level": 2}}
    assert site.put("/api/cameras/gate", json={**camera, "name": "Gate", "analysis": theirs}).status_code == 200
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this camera")
    expect(dialog.get_by_role("switch", name="Too dark")).not_to_be_checked()
    expect(dialog.get_by_role("switch", name="Frozen")).not_to_be_checked()
    keep(page, "watched-stale")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    saved = kept(site)["analysis"]
    assert (saved["fps"], saved["steady"]) == (8, True)
    assert (set(saved["health"]["ignored"]), saved["health"]["level"]) == ({"dark", "frozen"}, 2)


def test_what_is_refused_is_told_at_its_field_and_what_was_counted_beside_it(
    node: Any, site: httpx.Client, page: Page
) -> None:
    """The form itself lets nothing wrong through: it is made so on its way."""

    def spoil(route: Route) -> None:
        if route.request.method != "PUT":
            route.fallback()
            return
        body = route.request.post_data_json
        body["analysis"]["health"]["level"] = 9
        route.continue_(post_data=json.dumps(body))

    counts = {"camera": "gate", "since": "2026-05-04T21:00:00Z", "counts": {"sway": 1234, "animal": 7}, "samples": []}
    page.route("**/api/cameras/gate", spoil)
    page.route("**/api/cameras/gate/suppressed", lambda route: route.fulfill(json=counts))
    before = kept(site)
    log_in(page, node.address, "/cameras")
    dialog = opened(page)
    dialog.get_by_role("button", name="Save").click()
    wrong = dialog.locator(".el-form-item.is-error")
    expect(wrong).to_contain_text("less than or equal to 4")
    expect(wrong).to_be_in_viewport()
    keep(page, "watched-refused")
    part(dialog, "False alarms")
    expect(dialog.locator(".doubt", has_text="Sways in place")).to_contain_text("1,234 held back")
    expect(dialog.locator(".doubt", has_text="Animal").first).to_contain_text("7 held back")
    keep(page, "watched-counts")
    flip(dialog, "Hold back what is probably a false alarm")
    expect(dialog.get_by_role("switch", name="Sways in place")).to_be_disabled()
    page.unroute("**/api/cameras/gate/suppressed")
    page.route("**/api/cameras/gate/suppressed", lambda route: route.abort())
    part(dialog, "Analysis")
    flip(dialog, "Analyse its pictures")
    part(dialog, "False alarms")
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(dialog.get_by_role("switch", name="Hold back")).to_be_disabled()
    keep(page, "watched-idle")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert kept(site) == before


def test_editing_the_camera_leaves_it_as_it_is(node: Any, site: httpx.Client, page: Page) -> None:
    camera = site.get("/api/cameras/gate").json()
    slow = {**camera["analysis"], "fps": 0.5, "min_score": 0.02}
    assert site.put("/api/cameras/gate", json={**camera, "analysis": slow}).status_code == 200
    before = kept(site)
    log_in(page, node.address, "/cameras")
    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit Gate")
    part(dialog, "Analysis")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert kept(site) == before


@pytest.mark.parametrize(
    "page",
    [
        {"color_scheme": "dark"},
        {"viewport": PHONE},
        {"locale": "zh-CN"},
        {"locale": "zh-CN", "viewport": PHONE, "color_scheme": "dark"},
    ],
    indirect=True,
    ids=["dark", "phone", "chinese", "chinese-phone-dark"],
)
def test_it_is_set_by_keyboard_and_nothing_runs_over_the_edge(
    node: Any, site: httpx.Client, page: Page, request: pytest.FixtureRequest
) -> None:
    counts = {"camera": "gate", "since": "2026-05-04T21:00:00Z", "counts": {"sway": 1234, "animal": 7}, "samples": []}
    page.route("**/api/cameras/gate/suppressed", lambda route: route.fulfill(json=counts))
    name = request.node.callspec.id
    page.goto(f"{node.address}/cameras")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    more = page.get_by_role("button", name=re.compile("^More of Gate|^Gate 的更多"))
    more.focus()
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name=re.compile("^How it is watched|^如何监看")).focus()
    page.keyboard.press("Enter")
    dialog = page.locator(".el-dialog:visible")
    livestock = dialog.get_by_role("switch", name=re.compile("^Livestock|^附近有牲畜"))
    was = livestock.is_checked()
    livestock.focus()
    page.keyboard.press("Space")
    expect(livestock).to_be_checked(checked=not was)
    tabs = dialog.locator(".parts input")
    for tab, count in (("analysis", 3), ("doubts", 9), ("health", 8)):
        expect(dialog.locator(".el-switch:visible")).to_have_count(count)
        keep(page, f"watched-{tab}-{name}")
        assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        fields = dialog.locator(".scroll")
        fields.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        keep(page, f"watched-{tab}-{name}-end")
        if tab != "health":
            tabs.nth(0 if tab == "analysis" else 1).focus()
            page.keyboard.press("ArrowRight")
    dialog.get_by_role("button", name=re.compile("^Save|^保存")).focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(more).to_be_focused()
    assert kept(site)["analysis"]["livestock"] is not was


def test_who_may_only_look_is_not_offered_it(node: Any, site: httpx.Client, browser: Browser) -> None:
    added = site.post(
        "/api/users", json={"username": "watcher", "role": "viewer", "full_name": "", "password": WATCHER}
    )
    assert added.status_code == 201, added.text
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{node.address}/cameras")
    page.locator("#username").fill("watcher")
    page.locator("#password").fill(WATCHER)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="More of Gate").click()
    expect(page.get_by_role("menuitem", name="Camera health")).to_be_visible()
    expect(page.get_by_role("menuitem", name="How it is watched")).to_have_count(0)
    context.close()

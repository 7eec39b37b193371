"""The console in a real browser, on a real node."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in, until
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]


def add_camera(page: Page, url: str, name: str) -> None:
    page.get_by_role("link", name="Cameras").click()
    page.get_by_role("button", name="Add camera").first.click()
    page.locator("#camera-name").fill(name)
    page.locator("#camera-url").fill(url)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Camera saved")).to_be_visible()


def inked(canvas: Locator) -> int:
    """Pixels of a canvas on which something is drawn."""
    count: int = canvas.evaluate(
        """canvas => {
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
            let inked = 0
            for (let i = 3; i < data.length; i += 4) if (data[i]) inked += 1
            return inked
        }"""
    )
    return count


def play_time(page: Page, selector: str) -> float:
    seconds: float = page.locator(selector).evaluate("video => video.currentTime")
    return seconds


def test_the_setup_link_makes_the_administrator_and_leads_to_the_wall(fresh_node: Any, page: Page) -> None:
    page.goto(fresh_node.address)
    expect(page.get_by_text("Open the setup link")).to_be_visible()
    page.goto(fresh_node.setup_link())
    page.locator("#password").fill("short")
    page.locator("#confirm").fill("other")
    page.get_by_role("button", name="Create and continue").click()
    expect(page.get_by_text("Use at least 10 characters.")).to_be_visible()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.locator("#confirm").fill(PASSWORD)
    page.get_by_role("button", name="Create and continue").click()
    expect(page.get_by_text("No camera yet")).to_be_visible()
    assert page.url == f"{fresh_node.address}/"
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#username")).to_be_visible()


def test_a_wrong_password_is_refused_in_words(node: Any, page: Page) -> None:
    page.goto(f"{node.address}/alarms")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("password")
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{node.address}/alarms")


def test_from_a_camera_to_a_drawn_line_to_an_alarm_with_its_clip(node: Any, page: Page, camera_url: str) -> None:
    log_in(page, node.address)
    add_camera(page, camera_url, "Gate")

    page.get_by_role("link", name="Live").click()
    until(page, "document.querySelector('.tile video')?.videoWidth === 640")
    before = play_time(page, ".tile video")
    until(page, "from => document.querySelector('.tile video').currentTime > from + 1", before)
    assert page.locator(".tile .notice").count() == 0
    behind = "video => video.buffered.end(video.buffered.length - 1) - video.currentTime"
    assert 0 <= page.locator(".tile video").evaluate(behind) < 4

    page.get_by_label("Draw rules").click()
    page.get_by_role("button", name=re.compile("^Tripwire")).click()
    picture = page.get_by_role("application")
    box = picture.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] - 12)
    expect(page.locator("circle.point")).to_have_count(2)
    page.locator("#rule-name").fill("Middle of the picture")
    page.get_by_role("button", name="Save rule").click()
    expect(page.get_by_text("Rule saved")).to_be_visible()

    page.get_by_role("link", name="Live").click()
    item = page.locator(".column li").first
    expect(item).to_contain_text("Line crossed", timeout=60_000)
    expect(item).to_contain_text("Middle of the picture")
    expect(page.locator(".tile.alarmed")).to_have_count(1)
    assert inked(page.locator(".tile canvas")) > 200

    item.get_by_role("link").click()
    expect(page.get_by_text("To the crossing")).to_be_visible(timeout=30_000)
    until(page, "document.querySelector('.clip video').currentTime > 0.5")
    until(page, "document.querySelector('.clip video').videoWidth === 640")
    assert inked(page.locator(".clip canvas")) > 200
    page.get_by_text("Snapshot", exact=True).click()
    expect(page.get_by_role("img", name="Snapshot")).to_be_visible()
    until(page, "document.querySelector('.picture img').naturalWidth === 640")
    assert inked(page.locator(".picture canvas")) > 200

    page.get_by_role("link", name="Footage", exact=True).click()
    page.locator(".timeline .ledger.recorded").first.wait_for()
    bar = page.locator(".timeline .ledger.recorded").first.bounding_box()
    assert bar is not None
    page.mouse.click(bar["x"] + bar["width"] / 3, bar["y"] + bar["height"] / 2)
    until(page, "document.querySelector('.screen video')?.videoWidth === 640")
    at = play_time(page, ".screen video")
    until(page, "from => document.querySelector('.screen video').currentTime > from + 0.5", at)


def test_a_camera_that_cannot_be_read_says_why(node: Any, page: Page) -> None:
    log_in(page, node.address, "/cameras")
    page.get_by_role("button", name="Add camera").first.click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Give it a name.")).to_be_visible()
    page.keyboard.press("Escape")
    add_camera(page, "rtsp://127.0.0.1:9/none", "Broken")
    expect(page.locator(".camera", has_text="Broken")).to_contain_text("refuses connections", timeout=30_000)
    page.locator(".camera", has_text="Broken").get_by_label("Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".camera", has_text="Broken")).to_have_count(0)


def test_language_and_appearance_are_remembered(node: Any, page: Page) -> None:
    log_in(page, node.address, "/system")
    page.get_by_role("button", name="简体中文").click()
    page.get_by_role("button", name="深色外观").click()
    expect(page.locator("html.dark")).to_have_count(1)
    page.reload()
    expect(page.get_by_role("heading", name="系统")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    expect(page.locator("html.dark")).to_have_count(1)


def test_a_chinese_browser_is_greeted_in_chinese(node: Any, browser: Browser) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(f"{node.address}/login")
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    context.close()


@pytest.mark.parametrize("page", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], indirect=True)
def test_every_page_fits_a_phone(node: Any, page: Page) -> None:
    log_in(page, node.address)
    for path in ("/", "/alarms", "/cameras", "/recordings", "/channels", "/system", "/schedules", "/tasks"):
        page.goto(node.address + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        wide = page.evaluate(
            "Math.max(document.documentElement.scrollWidth, document.querySelector('.content').scrollWidth)"
        )
        keep(page, f"phone-{path[1:] or 'wall'}")
        assert wide <= PHONE["width"], path

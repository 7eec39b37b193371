"""Footage as a guard works with it, in a real browser on a real node: found, played, held, exported, configured."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, log_in, until
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]

RECORDED = ".timeline .row:first-child .ledger.recorded"


@pytest.fixture(scope="module")
def site(node: Any, camera_url: str) -> httpx.Client:
    """Two cameras with some footage, a pause while the first was switched off, and some more."""
    client = httpx.Client(base_url=node.address, timeout=30)
    login = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
    client.headers["Authorization"] = f"Bearer {login['access_token']}"
    for name in ("North", "South"):
        body = {"name": name, "url": camera_url, "recording": {"mode": "continuous"}, "analysis": {"enabled": False}}
        assert client.post("/api/cameras", json=body).status_code == 201
    wait(lambda: seconds(client, "north") >= 12 and seconds(client, "south") >= 12)
    switch(client, "north", on=False)
    wait(lambda: any(span["state"] == "disabled" and span["seconds"] >= 4 for span in spans(client, "north")[-2:]))
    before = seconds(client, "north")
    switch(client, "north", on=True)
    wait(lambda: seconds(client, "north") >= before + 12)
    return client


def wait(true: Callable[[], bool], deadline_s: float = 90) -> None:
    end = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end, "that did not come true in time"
        time.sleep(0.2)


def spans(client: httpx.Client, camera: str) -> list[dict[str, Any]]:
    now = time.time()
    answer = client.get(f"/api/video/ledger/{camera}", params={"from": now - 3600, "to": now})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["spans"]
    return found


def seconds(client: httpx.Client, camera: str) -> float:
    return sum(span["seconds"] for span in spans(client, camera) if span["state"] == "recorded")


def switch(client: httpx.Client, camera: str, *, on: bool) -> None:
    kept = client.get(f"/api/cameras/{camera}").json()
    body = {key: kept[key] for key in ("name", "url", "recording", "analysis")}
    assert client.put(f"/api/cameras/{camera}", json={**body, "enabled": on}).status_code == 200


def footage(page: Page, node: Any, cameras: str) -> None:
    log_in(page, node.address, f"/recordings?camera={cameras}")
    page.locator(RECORDED).first.wait_for()
    until(page, "[...document.querySelectorAll('.screen video')].every(video => video.videoWidth === 640)")


def shown(page: Page) -> float:
    """Seconds of the day on the screen."""
    hours, minutes, some = re.findall(r"\d+", page.locator("output.clock").inner_text())[-3:]
    return int(hours) * 3600 + int(minutes) * 60 + int(some)


def place(page: Page, share: float) -> tuple[float, float]:
    """A point of the first stretch of footage, `share` of its way."""
    box = page.locator(RECORDED).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def media_time(page: Page) -> float:
    found: float = page.locator(".screen video").first.evaluate("video => video.currentTime")
    return found


def test_a_click_plays_from_there_at_any_speed_and_frame_by_frame(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north")
    page.mouse.click(*place(page, 0.15))
    start = media_time(page)
    until(page, "from => document.querySelector('.screen video').currentTime > from + 1", start)
    page.get_by_role("button", name="Pause").click()
    for speed in ("0.5×", "2×", "8×"):
        page.mouse.click(*place(page, 0.05))
        page.locator(".controls").get_by_text(speed, exact=True).click()
        page.get_by_role("button", name="Play", exact=True).click()
        before = media_time(page)
        until(page, "from => document.querySelector('.screen video').currentTime > from + 0.6", before)
        rate = page.locator(".screen video").first.evaluate("video => video.playbackRate")
        assert rate == pytest.approx(float(speed[:-1]), rel=0.15)
        page.get_by_role("button", name="Pause").click()
    page.locator(".controls").get_by_text("1×", exact=True).click()
    page.mouse.click(*place(page, 0.3))
    expect(page.locator(".screen .spinner")).to_have_count(0)
    until(page, "(video => !video.seeking && video.readyState >= 2)(document.querySelector('.screen video'))")
    page.get_by_label("One frame on").click()
    until(page, "!document.querySelector('.screen video').seeking")
    first = media_time(page)
    page.get_by_label("One frame on").click()
    until(page, "from => document.querySelector('.screen video').currentTime > from + 0.005", first)
    assert media_time(page) - first < 0.2
    page.get_by_label("One frame back").click()
    until(page, "from => document.querySelector('.screen video').currentTime < from + 0.005", first)


def test_what_was_not_recorded_says_why_and_is_left_out(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north")
    gap = page.locator(".timeline .ledger.disabled").last.bounding_box()
    assert gap is not None
    page.mouse.move(gap["x"] + gap["width"] / 2, gap["y"] + 5)
    expect(page.locator(".hint")).to_contain_text("Camera switched off")
    expect(page.locator(".legend")).to_contain_text("Camera switched off")
    page.mouse.click(*place(page, 0.9))
    expect(page.locator(".skipped")).to_contain_text("Camera switched off", timeout=30_000)
    where = media_time(page)
    until(page, "from => document.querySelector('.screen video').currentTime > from + 0.5", where)


def test_small_pictures_show_under_the_pointer(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north")
    x, y = place(page, 0.5)
    page.mouse.move(x - 5, y)
    with page.expect_response(lambda answer: "/sprites/" in answer.url and ".jpg" in answer.url) as sheet:
        for step in range(6):
            page.mouse.move(x + step, y)
            page.wait_for_timeout(400)
    assert sheet.value.status == 200
    expect(page.locator(".hint .tile")).to_be_visible()


def test_cameras_play_in_step_on_one_clock(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north,south")
    expect(page.locator(".screen video")).to_have_count(2)
    page.mouse.click(*place(page, 0.1))
    before = media_time(page)
    until(page, "from => document.querySelector('.screen video').currentTime > from + 2", before)
    apart = "() => { const [a, b] = document.querySelectorAll('.screen video'); return a.currentTime - b.currentTime }"
    assert abs(page.evaluate(apart)) < 0.15
    times = page.locator(".screen figcaption .figures").all_inner_texts()
    assert times[0] == times[1]


def test_the_keyboard_does_what_the_mouse_does(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north")
    page.mouse.click(*place(page, 0.2))
    until(page, "!document.querySelector('.screen video').paused")
    page.keyboard.press("k")
    until(page, "document.querySelector('.screen video').paused")
    line = page.get_by_role("slider")
    line.focus()
    wide = page.locator(RECORDED).first.bounding_box()
    page.keyboard.press("+")
    near = page.locator(RECORDED).first.bounding_box()
    assert wide is not None
    assert near is not None
    assert near["width"] > wide["width"] * 1.3
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".zoom .chosen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".zoom .chosen")).to_have_count(0)


def test_a_stretch_is_held_with_its_reason_and_exported_to_a_file(
    node: Any, site: httpx.Client, page: Page, tmp_path: Path
) -> None:
    footage(page, node, "north")
    page.get_by_role("button", name="Choose a stretch").click()
    page.mouse.move(*place(page, 0.2))
    page.mouse.down()
    page.mouse.move(*place(page, 0.7), steps=5)
    page.mouse.up()
    chosen = page.locator(".zoom .chosen").inner_text()
    page.get_by_role("button", name="Hold").click()
    page.get_by_role("dialog").get_by_role("button", name="Hold").click()
    expect(page.get_by_text("Say why.")).to_be_visible()
    page.locator("#hold-reason").fill("Break-in, file 4711")
    page.get_by_role("dialog").get_by_role("button", name="Hold").click()
    expect(page.locator(".holds")).to_contain_text("Break-in, file 4711")
    assert [hold["reason"] for hold in site.get("/api/holds").json()["items"]] == ["Break-in, file 4711"]

    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Make the file").click()
    link = page.locator(".exports .file").first
    expect(link).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        link.click()
    target = tmp_path / "export.mp4"
    download.value.save_as(target)
    with av.open(str(target)) as container:
        length = float(container.duration or 0) / av.time_base
    said = re.search(r"\((\d+(?:\.\d+)?) s\)", chosen)
    assert said is not None
    assert length == pytest.approx(float(said[1]), abs=0.6)
    page.locator(".exports").get_by_role("button", name="Delete").click()
    expect(page.locator(".exports .file")).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator(".holds").get_by_role("button", name="Lift").click()
    page.locator(".el-message-box").get_by_role("button", name="Lift").click()
    expect(page.locator(".holds")).to_have_count(0)


def test_hours_are_drawn_and_a_schedule_without_any_is_refused_at_its_field(
    node: Any, site: httpx.Client, page: Page
) -> None:
    log_in(page, node.address, "/cameras")
    page.locator(".camera", has_text="South").get_by_label("Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".parts").get_by_text("Recording").click()
    dialog.get_by_text("By schedule").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("would never record")).to_be_visible()
    grid = dialog.get_by_role("application").bounding_box()
    assert grid is not None
    page.mouse.move(grid["x"] + grid["width"] * 8.5 / 24, grid["y"] + 8)
    page.mouse.down()
    page.mouse.move(grid["x"] + grid["width"] * 17.5 / 24, grid["y"] + 90, steps=4)
    page.mouse.up()
    expect(dialog.get_by_text("50 h a week")).to_be_visible()
    dialog.get_by_label("Keep for days").fill("14")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Camera saved")).to_be_visible()
    policy = site.get("/api/cameras/south").json()["recording"]
    assert (policy["mode"], policy["keep_days"]) == ("scheduled", 14)
    assert policy["windows"] == [{"days": [0, 1, 2, 3, 4], "start": 480, "end": 1080}]


def test_a_camera_is_tested_before_it_is_saved(node: Any, site: httpx.Client, page: Page, camera_url: str) -> None:
    log_in(page, node.address, "/cameras")
    page.get_by_role("button", name="Add camera").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("#camera-url").fill("rtsp://127.0.0.1:9/none")
    dialog.get_by_role("button", name="Test the connection").click()
    expect(dialog.get_by_text("The camera does not work like this.")).to_be_visible(timeout=40_000)
    expect(dialog.locator(".test li.fail")).to_contain_text("refuses connections")
    dialog.locator("#camera-url").fill(camera_url)
    dialog.get_by_role("button", name="Test again").click()
    expect(dialog.get_by_text("The camera works")).to_be_visible(timeout=60_000)
    expect(dialog.locator(".test li", has_text="First picture")).to_have_class(re.compile("ok"))


@pytest.mark.parametrize("page", [{"locale": "zh-CN", "color_scheme": "dark"}], indirect=True)
def test_it_speaks_chinese_in_the_dark(node: Any, site: httpx.Client, page: Page) -> None:
    page.goto(f"{node.address}/recordings?camera=north")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.locator(RECORDED).first.wait_for()
    expect(page.get_by_role("heading", name="录像")).to_be_visible()
    expect(page.locator(".legend")).to_contain_text("摄像机已停用")
    expect(page.locator("html.dark")).to_have_count(1)


@pytest.mark.parametrize("page", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], indirect=True)
def test_a_finger_seeks_on_a_phone_and_nothing_overflows(node: Any, site: httpx.Client, page: Page) -> None:
    footage(page, node, "north,south")
    page.touchscreen.tap(*place(page, 0.3))
    until(page, "!document.querySelector('.screen video').paused")
    wide = page.evaluate(
        "Math.max(document.documentElement.scrollWidth, document.querySelector('.content').scrollWidth)"
    )
    assert wide <= PHONE["width"]

"""Models, tasks, camera health, the ground and movements, as somebody at the console meets them, on a real node."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import av
import httpx
import numpy as np
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).parent.parent / "api"))
from toy_network import network
from walker_clip import make_clip

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]
WATCHER = "correct horse battery watcher"


def plain_clip(path: Path) -> Path:
    """What an encoder sends when its camera is gone: blue, all over."""
    blue = np.full((360, 640, 3), (40, 60, 150), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10", "bf": "0"}
        for _ in range(60):
            for packet in stream.encode(av.VideoFrame.from_ndarray(blue, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def api(node: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.address, timeout=30) as client:
        login = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        yield client


@pytest.fixture(scope="module")
def site(node: Any, api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A camera past which somebody walks again and again, and one that gives a plain picture."""
    folder = tmp_path_factory.mktemp("clips")
    clips = [str(make_clip(folder / "walker.mp4")), str(plain_clip(folder / "plain.mp4"))]
    process = subprocess.Popen(
        [sys.executable, "-m", "perishield", "simulate", *clips, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout)
        urls = [next(line for line in lines if line.startswith("rtsp://")).strip() for _ in clips]
        for camera, url in zip(("gate", "roof"), urls, strict=True):
            body = {"id": camera, "name": camera.capitalize(), "url": url}
            assert api.post("/api/cameras", json=body).status_code == 201
        yield node
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def wait_for(what: Any, seconds: float = 60) -> Any:
    """What it gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_camera_without_signal_is_unwell_everywhere(site: Any, page: Page) -> None:
    log_in(page, site.address)
    roof = page.get_by_role("region", name="Roof")
    expect(roof.get_by_role("button", name="Camera health: No signal")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("region", name="Gate").get_by_role("button", name="Camera health")).to_have_count(0)
    page.get_by_role("button", name="Unwell").click()
    expect(page.get_by_role("region", name="Gate")).to_have_count(0)
    expect(roof).to_be_visible()

    page.get_by_role("link", name="Cameras").click()
    rows = page.locator("li.camera")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Unwell").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("No signal")
    rows.get_by_role("button", name="Camera health").click()
    dialog = page.get_by_role("dialog", name="Health of Roof")
    expect(dialog).to_contain_text("look at its cable and power")
    expect(dialog.get_by_role("img", name="Now")).to_be_visible()
    keep(page, "health")


def test_the_ground_is_calibrated_on_the_picture(site: Any, api: httpx.Client, page: Page) -> None:
    wait_for(lambda: api.get("/api/video/snapshot/gate").status_code == 200)
    log_in(page, site.address, "/cameras")
    page.get_by_role("button", name="More of Gate").click()
    page.get_by_role("menuitem", name="Calibrate the ground").click()
    dialog = page.get_by_role("dialog", name="Ground of Gate")
    picture = dialog.get_by_role("application")
    expect(picture.locator("img")).to_have_js_property("naturalWidth", 640)
    box = picture.bounding_box()
    assert box is not None

    def set_point(number: int, share: tuple[float, float], metres: tuple[float, float]) -> None:
        picture.click(position={"x": share[0] * box["width"], "y": share[1] * box["height"]})
        for axis, value in zip("xy", metres, strict=True):
            field = dialog.get_by_label(f"{axis} of point {number} in metres")
            field.fill(str(value))
            field.press("Enter")

    save = dialog.get_by_role("button", name="Save")
    corners = (((0.1, 0.9), (-4, 5)), ((0.9, 0.9), (4, 5)), ((0.3, 0.4), (-4, 20)), ((0.7, 0.4), (4, 20)))
    for number, (share, metres) in enumerate(corners, 1):
        expect(save).to_be_disabled()
        set_point(number, share, metres)
    expect(dialog).to_contain_text("Error left: 0 m")
    expect(dialog).to_contain_text("Lines every 2 m")
    # A place that contradicts the others is refused, and which one is told.
    set_point(5, (0.5, 0.6), (0, 19))
    expect(dialog.get_by_role("alert")).to_contain_text("point 5 most")
    keep(page, "ground-wrong")
    expect(save).to_be_disabled()
    dialog.get_by_role("button", name="Remove point 5").click()
    expect(save).to_be_enabled()

    # Somebody else is quicker.
    body = api.get("/api/cameras/gate").json()
    assert api.put("/api/cameras/gate", json={**body, "name": "Gate"}).status_code == 200
    save.click()
    expect(dialog).to_contain_text("Somebody else has changed this camera")
    save.click()
    expect(dialog).to_be_hidden()
    kept = api.get("/api/cameras/gate").json()["ground"]
    assert [point["site"] for point in kept["points"]] == [list(metres) for _, metres in corners]
    for point, (share, _) in zip(kept["points"], corners, strict=True):
        assert point["picture"] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("page", [{}, {"viewport": PHONE}], indirect=True, ids=["desk", "phone"])
def test_a_way_is_found_and_leads_to_its_footage(
    site: Any, api: httpx.Client, page: Page, request: pytest.FixtureRequest
) -> None:
    way = wait_for(lambda: api.get("/api/tracks", params={"camera": "gate"}).json()["items"])[-1]
    log_in(page, site.address, "/ways?camera=gate")
    rows = page.get_by_role("complementary", name="Movements").get_by_role("link")
    expect(rows.first).to_be_visible()
    keep(page, f"ways-{request.node.callspec.id}")
    # The way runs from side to side: its middle is clicked, and the footage of that moment asked for.
    picture = page.locator(".layer")
    box = picture.bounding_box()
    assert box is not None
    middle = way["path"][len(way["path"]) // 2]
    picture.click(position={"x": middle[1] * box["width"], "y": middle[2] * box["height"]})
    page.wait_for_url("**/recordings?*")
    query = parse_qs(urlparse(page.url).query)
    assert query["camera"] == ["gate"]
    page.go_back()
    rows.last.click()
    page.wait_for_url("**/recordings?*")


def test_only_what_went_through_a_rectangle_is_found(site: Any, api: httpx.Client, page: Page) -> None:
    wait_for(lambda: api.get("/api/tracks", params={"camera": "gate"}).json()["items"])
    log_in(page, site.address, "/ways?camera=gate")
    rows = page.get_by_role("complementary", name="Movements").get_by_role("link")
    expect(rows.first).to_be_visible()
    box = page.locator(".layer").bounding_box()
    assert box is not None

    def draw(top: float, bottom: float) -> None:
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + top * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + bottom * box["height"], steps=4)
        page.mouse.up()

    draw(0.02, 0.2)
    expect(page.get_by_text("Nobody moved")).to_be_visible()
    draw(0.3, 0.98)
    expect(rows.first).to_be_visible()
    page.get_by_role("button", name="Everywhere").click()
    expect(page.get_by_text("Draw a rectangle")).to_be_visible()


def test_a_model_of_ones_own_is_brought_in_enabled_and_taken_back(site: Any, page: Page, tmp_path: Path) -> None:
    network(tmp_path / "Yard Guard.onnx")
    (tmp_path / "junk.onnx").write_bytes(b"\x08\x07junk" * 100)
    log_in(page, site.address, "/system")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_text("perishield models pull yolox-nano")).to_be_visible()
    page.get_by_role("button", name="Add a model").first.click()
    dialog = page.get_by_role("dialog", name="Add a model")
    dialog.get_by_role("button", name="Add a model").click()
    expect(dialog).to_contain_text("Choose a file.")
    dialog.locator("input[type=file]").set_input_files(tmp_path / "junk.onnx")
    dialog.get_by_role("button", name="Add a model").click()
    expect(dialog.locator(".el-form-item__error", has_text="junk")).to_be_visible(timeout=30_000)
    dialog.locator("input[type=file]").set_input_files(tmp_path / "Yard Guard.onnx")
    expect(dialog.get_by_label("Name")).to_have_value("yard-guard")
    dialog.get_by_label("Version").fill("1")
    dialog.get_by_text("What the file does not say").click()
    dialog.get_by_label("Classes, one a line").fill("worker\n安全帽")
    dialog.get_by_role("button", name="Add a model").click()
    expect(dialog).to_be_hidden(timeout=30_000)

    row = page.locator("li.model")
    expect(row).to_contain_text("yard-guard")
    expect(row).to_contain_text("worker, 安全帽")
    keep(page, "models")
    row.get_by_role("button", name="Enable").click()
    page.get_by_role("dialog").get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("in use · CPU", timeout=60_000)
    expect(row.get_by_role("button", name="Remove")).to_have_count(0)
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    remove = row.get_by_role("button", name="Remove yard-guard@1")
    expect(remove).to_be_visible(timeout=60_000)
    row.get_by_role("button", name="Test").click()
    expect(page.locator("section", has_text="History")).to_contain_text("Tested", timeout=30_000)
    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No model is installed")).to_be_visible()


def test_a_task_is_set_and_its_state_is_seen_live(site: Any, api: httpx.Client, page: Page) -> None:
    log_in(page, site.address, "/system")
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    keep(page, "tasks-none")
    page.get_by_role("button", name="Add task").first.click()
    dialog = page.get_by_role("dialog", name="New task")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Choose a camera.")
    dialog.get_by_label("Name").fill("Gate at night")
    dialog.locator(".el-select").first.click()
    page.get_by_role("option", name="Gate").click()
    dialog.locator(".el-select").nth(1).click()
    page.get_by_role("option", name="Movement alone").click()
    dialog.get_by_label("Priority").fill("5")
    expect(dialog).not_to_contain_text("Choose a camera.")
    keep(page, "task-new")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    row = page.locator("li.task").filter(has=page.locator("strong", has_text="Gate at night"))
    expect(row).to_contain_text("Gate · Movement alone")
    expect(row).to_contain_text("Looking", timeout=30_000)

    # What others do is seen as it happens.
    other = {"id": "gate-day", "name": "Gate by day", "camera": "gate"}
    assert api.post("/api/tasks", json=other).status_code == 201
    second = page.locator("li.task").filter(has=page.locator("strong", has_text="Gate by day"))
    expect(second).to_contain_text("“Gate at night” goes first", timeout=30_000)
    row.get_by_role("button", name="Stop").click()
    expect(row).to_contain_text("until somebody starts it")
    expect(second).to_contain_text("Looking", timeout=30_000)

    row.get_by_role("button", name="Edit Gate at night").click()
    dialog = page.get_by_role("dialog", name="Task Gate at night")
    dialog.get_by_text("Only at certain hours").click()
    keep(page, "task-edit")
    (task,) = (one for one in api.get("/api/tasks").json()["items"] if one["id"] != "gate-day")
    body = {name: task[name] for name in ("name", "camera", "model", "priority")}
    assert api.put(f"/api/tasks/{task['id']}", json={**body, "priority": 7}).status_code == 200
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else has changed this task")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(row).to_contain_text("Mon–Sun 18:00–06:00")
    expect(row).to_contain_text("Priority 5")
    keep(page, "tasks")
    page.locator(".language").click()
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    expect(row).to_contain_text("已停止")
    keep(page, "tasks-zh-phone")
    page.get_by_role("button", name="编辑 Gate at night").click()
    expect(page.get_by_role("dialog", name="任务 Gate at night")).to_be_visible()
    keep(page, "task-edit-zh-phone")
    page.keyboard.press("Escape")
    page.locator(".language").click()

    page.locator(".filters .el-select").last.click()
    page.get_by_role("option", name="Stopped").click()
    expect(page.locator("li.task")).to_have_count(1)
    page.get_by_label("Name or id").fill("nothing like it")
    expect(page.get_by_text("No task is like that")).to_be_visible()
    page.get_by_label("Name or id").fill("")
    row.get_by_role("button", name="Delete Gate at night").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No task is like that")).to_be_visible()
    assert api.delete("/api/tasks/gate-day").status_code == 204
    page.reload()
    expect(page.get_by_text("No tasks yet")).to_be_visible()


def test_who_may_only_look_is_offered_nothing_to_change(site: Any, api: httpx.Client, browser: Browser) -> None:
    added = api.post("/api/users", json={"username": "watcher", "role": "viewer", "full_name": "", "password": WATCHER})
    assert added.status_code == 201, added.text
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{site.address}/models")
    page.locator("#username").fill("watcher")
    page.locator("#password").fill(WATCHER)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    expect(page.get_by_text("perishield models pull yolox-nano")).to_be_visible()
    expect(page.get_by_role("button", name="Add a model")).to_have_count(0)
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    expect(page.get_by_role("button", name="Add task")).to_have_count(0)
    page.get_by_role("link", name="Cameras").click()
    page.get_by_role("button", name="More of Gate").click()
    expect(page.get_by_role("menuitem", name="Movements")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Calibrate the ground")).to_have_count(0)
    page.keyboard.press("Escape")
    for name in ("Add camera", "Edit", "Delete"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.locator(".camera").get_by_role("link", name=re.compile("^Rules")).first.click()
    expect(page.get_by_text("No rules yet")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Tripwire"))).to_have_count(0)
    context.close()

"""A rule tried on recordings, as somebody who draws rules does it, in a real browser on a real node."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Page, expect

sys.path.insert(0, str(Path(__file__).parent.parent / "evaluation"))
from recorded_scene import crossing, record, rendered

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def site(node: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A camera with footage of a walker, a line that he crosses, and one that he does not."""
    clip, truth = rendered(tmp_path_factory.mktemp("scene"))
    at = crossing(truth)
    with httpx.Client(base_url=node.address, timeout=30) as client:
        login = client.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        body = {"id": "gate", "name": "Gate", "url": "rtsp://127.0.0.1:1/none", "analysis": {"enabled": False}}
        assert client.post("/api/cameras", json=body).status_code == 201
        for name, line in (("Path", [[at.x, 0], [at.x, 1]]), ("Sky", [[0, 0.02], [1, 0.02]])):
            rule = {"kind": "tripwire", "camera": "gate", "name": name, "line": line}
            assert client.post("/api/rules", json=rule).status_code == 201
    record(node.data / "media", clip, "gate", wall=float(int(time.time()) - 1500))
    return node


@pytest.mark.parametrize(
    "page",
    [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}],
    indirect=True,
    ids=["desk", "phone"],
)
def test_all_rules_of_a_camera_are_tried(site: Any, page: Page, request: pytest.FixtureRequest) -> None:
    log_in(page, site.address, "/cameras/gate/rules")
    page.get_by_role("button", name="Try on recordings").click()
    dialog = page.get_by_role("dialog", name="Try on recordings")
    expect(dialog).to_contain_text("every rule of this camera")
    dialog.get_by_role("button", name="Try", exact=True).click()
    expect(dialog.locator("figure")).to_have_count(1, timeout=90_000)
    expect(dialog.locator("figure")).to_contain_text("Path")
    expect(dialog.locator("dl > div").first).to_contain_text("1")
    image = dialog.locator("figure img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") == 480
    keep(page, f"shadow-{request.node.callspec.id}")
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("page", [{"locale": "zh-CN", "color_scheme": "dark"}], indirect=True)
def test_a_rule_that_is_open_is_tried_alone(site: Any, page: Page) -> None:
    page.goto(f"{site.address}/cameras/gate/rules")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Sky").click()
    page.get_by_role("button", name="用录像试运行").click()
    dialog = page.get_by_role("dialog", name="用录像试运行")
    expect(dialog).to_contain_text("Sky")
    dialog.get_by_role("button", name="试运行", exact=True).click()
    expect(dialog).to_contain_text("不会有任何报警", timeout=90_000)
    keep(page, "shadow-zh")

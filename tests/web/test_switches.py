"""Switches tell whoever hears the page what they are, and Enter on one leaves its form alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, USERNAME, keep, log_in
from playwright.sync_api import Locator, Page, Request, expect

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]
WATCHER = "correct horse battery watcher"
CAMERA = {"id": "gate", "name": "Gate", "url": "rtsp://127.0.0.1:9/1", "enabled": False}
LINE = {"id": "line", "kind": "tripwire", "camera": "gate", "name": "Gate line", "line": [[0.1, 0.6], [0.9, 0.6]]}
VIEWER = {"username": "watcher", "role": "viewer", "full_name": "", "password": WATCHER}


@pytest.fixture(scope="module")
def site(node: Any) -> Any:
    """A node with a camera that nobody answers for, a rule, and somebody who may only look."""
    login = httpx.post(f"{node.address}/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    for path, body in (("cameras", CAMERA), ("rules", LINE), ("users", VIEWER)):
        assert httpx.post(f"{node.address}/api/{path}", json=body, headers=headers).status_code == 201
    return node


def camera(page: Page, address: str) -> Locator:
    log_in(page, address, "/cameras")
    page.get_by_role("button", name="Edit").click()
    return page.get_by_role("dialog", name="Edit Gate")


def group(page: Page, address: str) -> Locator:
    log_in(page, address, "/people")
    page.get_by_text("Sites and groups").click()
    page.get_by_role("button", name="Add a group of cameras").click()
    page.locator("#group-name").fill("North")
    return page.get_by_role("dialog", name="Add a group of cameras")


def heard(page: Page, name: str) -> str:
    """What the browser tells of it to a screen reader, of its attributes and of the box itself."""
    session = page.context.new_cdp_session(page)
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    asked = {"nodeId": root, "accessibleName": name, "role": "switch"}
    (found,) = session.send("Accessibility.queryAXTree", asked)["nodes"]
    session.detach()
    (checked,) = (one["value"]["value"] for one in found["properties"] if one["name"] == "checked")
    return str(checked)


@pytest.mark.parametrize(
    ("opened", "name"), [(camera, "Take in its sound"), (group, "It is a site, a place")], ids=["camera", "group"]
)
def test_a_switch_tells_what_it_is_and_enter_does_not_save(site: Any, page: Page, opened: Any, name: str) -> None:
    dialog = opened(page, site.address)
    switch = dialog.get_by_role("switch", name=name)
    on = switch.is_checked()
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method in ("POST", "PUT"):
            sent.append(request.url)

    page.on("request", note)
    switch.focus()
    for turn in ("Space", "a click on its label", "a click on itself", "Enter", "Space"):
        if turn == "a click on its label":
            dialog.get_by_text(name, exact=True).click()
        elif turn == "a click on itself":
            switch.locator("..").click()
        else:
            switch.press(turn)
        on = not on
        expect(switch, turn).to_have_attribute("aria-checked", str(on).lower())
        expect(switch, turn).to_be_checked(checked=on)
        assert heard(page, name) == str(on).lower(), turn
        keep(page, f"switch-{opened.__name__}-{turn.split()[-1].lower()}")
    expect(dialog).to_be_visible()
    assert not sent, "nothing was saved"
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert sent, "it would have been seen"


def test_what_a_form_forbids_its_switches_forbid(site: Any, page: Page) -> None:
    page.goto(f"{site.address}/cameras/gate/rules")
    page.locator("#username").fill("watcher")
    page.locator("#password").fill(WATCHER)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Gate line").click()
    expect(page.get_by_label("Name", exact=True)).to_be_disabled()
    expect(page.get_by_role("switch", name="Switched on")).to_be_disabled()
    keep(page, "switch-forbidden")

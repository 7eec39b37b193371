"""Logging in and staying so, one's own account, and the people's page, in a real browser on a real node."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest
from console_steps import PASSWORD, USERNAME, log_in
from playwright.sync_api import Browser, Page, expect

from perishield.model.totp import code_at

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]

KEY = "perishield.session"


def test_a_login_is_renewed_in_silence_and_its_secret_is_out_of_scripts_reach(node: Any, page: Page) -> None:
    log_in(page, node.address)
    kept = page.evaluate("key => localStorage.getItem(key)", KEY)
    assert "psr_" not in kept
    assert "perishield_refresh" not in page.evaluate("document.cookie")
    (cookie,) = (
        one for one in page.context.cookies(f"{node.address}/api/auth/refresh") if one["name"].startswith("per")
    )
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    spoil = """key => {
        const kept = JSON.parse(localStorage.getItem(key))
        localStorage.setItem(key, JSON.stringify({ ...kept, token: 'of no worth', until: Date.now() - 1000 }))
    }"""
    page.evaluate(spoil, KEY)
    page.goto(f"{node.address}/system")
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    expect(page.get_by_text("PyPeriShield", exact=False).first).to_be_visible()
    expect(page.locator(".dot.online")).to_be_visible()
    assert "of no worth" not in page.evaluate("key => localStorage.getItem(key)", KEY)


def test_signing_out_ends_the_login_at_the_server(node: Any, page: Page) -> None:
    log_in(page, node.address)
    token = page.evaluate("key => JSON.parse(localStorage.getItem(key)).token", KEY)
    headers = {"Authorization": f"Bearer {token}"}
    assert page.request.get(f"{node.address}/api/auth/me", headers=headers).status == 200
    with page.expect_response(re.compile("/api/auth/logout")):
        page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#username")).to_be_visible()
    assert page.request.get(f"{node.address}/api/auth/me", headers=headers).status == 401


def test_somebody_new_sets_a_password_by_the_link_and_sees_what_their_role_allows(
    node: Any, page: Page, browser: Browser
) -> None:
    log_in(page, node.address)
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Add an account").click()
    page.locator("#new-username").fill("newcomer")
    page.locator("#new-full-name").fill("New Comer")
    page.get_by_role("button", name="Create").click()
    words = page.locator(".password-link")
    expect(words).to_contain_text("/password?token=")
    found = re.search(r"https?://\S+token=[\w-]+", words.inner_text())
    assert found is not None
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("New Comer")).to_be_visible()

    with browser.new_context() as context:
        other = context.new_page()
        other.goto(found[0])
        other.locator("#password").fill("another long passphrase")
        other.locator("#confirm").fill("another long passphrase")
        other.get_by_role("button", name="Set the password").click()
        other.get_by_role("link", name="To sign-in").click()
        other.locator("#username").fill("newcomer")
        other.locator("#password").fill("another long passphrase")
        other.get_by_role("button", name="Sign in").click()
        expect(other.get_by_role("navigation")).to_be_visible()
        expect(other.get_by_role("link", name="People")).to_have_count(0)

    page.get_by_text("Audit log").click()
    expect(page.get_by_role("list", name="Audit log")).to_contain_text("account.add")
    page.get_by_role("button", name="Check the log").click()
    expect(page.get_by_text("The log is whole")).to_be_visible()


def test_a_second_factor_is_set_up_asked_for_and_taken_away(node: Any, page: Page) -> None:
    log_in(page, node.address)
    page.get_by_role("link", name="My account").click()
    page.get_by_role("button", name="Set up").click()
    secret = page.locator("code").first.inner_text()
    key = base64.b32decode(secret)
    page.get_by_label("Code that the app shows").fill(code_at(key, int(time.time() // 30) - 1))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("pre")).to_contain_text(re.compile(r"\w{5}-\w{5}"))
    page.get_by_role("button", name="Sign out").click()
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#code").fill(code_at(key, int(time.time() // 30)))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation")).to_be_visible()
    page.get_by_role("link", name="My account").click()
    away = page.get_by_role("button", name="Take it away")
    page.locator("form").filter(has=away).get_by_label("Password of now").fill(PASSWORD)
    away.click()
    expect(page.get_by_role("button", name="Set up")).to_be_visible()


def test_a_role_for_one_site_is_made_in_the_console(node: Any, page: Page) -> None:
    log_in(page, node.address)
    token = page.evaluate("key => JSON.parse(localStorage.getItem(key)).token", KEY)
    headers = {"Authorization": f"Bearer {token}"}
    body = {"id": "fence", "name": "Fence", "url": "rtsp://127.0.0.1:1/none", "enabled": False}
    assert page.request.post(f"{node.address}/api/cameras", headers=headers, data=body).status == 201
    page.get_by_role("link", name="People").click()
    page.get_by_text("Sites and groups").click()
    page.get_by_role("button", name="Add a group of cameras").click()
    page.locator("#group-name").fill("North")
    page.get_by_role("dialog").locator(".el-select").click()
    page.get_by_role("option", name="Fence").click()
    page.locator("#group-name").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".card", has_text="North")).to_contain_text("Fence")
    page.get_by_text("Roles", exact=True).click()
    page.get_by_role("button", name="Add a role").click()
    page.locator("#role-name").fill("Guards of the north")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".card", has_text="Guards of the north")).to_be_visible()
    roles = page.request.get(f"{node.address}/api/roles", headers=headers).json()["items"]
    assert "Guards of the north" in {role["name"] for role in roles}
    groups = page.request.get(f"{node.address}/api/groups", headers=headers).json()["items"]
    assert [(group["name"], group["cameras"]) for group in groups] == [("North", ["fence"])]

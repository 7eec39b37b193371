"""What every test of the console does."""

from __future__ import annotations

import os
import time

from playwright.sync_api import Page, expect

USERNAME, PASSWORD = "guard", "correct horse battery staple"
PHONE = {"width": 390, "height": 844}


def log_in(page: Page, address: str, path: str = "/") -> None:
    page.goto(address + path)
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation")).to_be_visible()


def until(page: Page, expression: str, argument: object = None) -> None:
    """Wait until it holds in the page. Playwright's own `wait_for_function` needs eval, which the policy forbids."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(100)


def keep(page: Page, name: str) -> None:
    """A picture to look at, where somebody asks for it."""
    folder = os.environ.get("PERISHIELD_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{folder}/{name}.png")

"""A guard handles an alarm in a real browser: takes it up, dismisses it, thinks again, confirms, closes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from console_steps import log_in
from playwright.sync_api import Page, expect

from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Event, EventKind

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]


def raise_event(node: Any, name: str) -> None:
    """As the vision process would: into the spool on the disk."""
    now = time.time()
    rule = {"id": "line", "name": "Line", "kind": "tripwire", "line": [[0.1, 0.5], [0.9, 0.5]]}
    event = Event(
        id=name,
        camera="gate",
        epoch=1,
        kind=EventKind.TRIPWIRE,
        rule=rule,
        level=2,
        label="person",
        score=0.8,
        track=4,
        stream_time=900_000,
        wall=now,
        arrival=now,
        point=(0.5, 0.5),
        direction="left_to_right",
        box=(0.4, 0.2, 0.6, 0.5),
        path=(),
        detector="motion",
    )
    spool = Spool(node.data / "spool" / "events.db")
    spool.put(event.id, encode(event))
    spool.close()


def test_an_alarm_is_handled_from_the_first_look_to_the_last_word(node: Any, page: Page) -> None:
    raise_event(node, "life-1")
    log_in(page, node.address, "/alarms")
    page.locator("a.row").first.click(timeout=20_000)
    life = page.locator("section.life")
    expect(life.locator(".stands")).to_contain_text("New")
    life.get_by_role("button", name="Acknowledge").click()
    expect(life.locator(".stands")).to_contain_text("Acknowledged")
    life.get_by_role("button", name="Assign to me").click()
    expect(life.locator(".stands")).to_contain_text("Assigned to")
    life.get_by_label("Comment").fill("a fox")
    life.get_by_role("button", name="Dismiss").click()
    life.locator(".el-select").click()
    page.get_by_role("option", name="Animal").click()
    expect(life.locator(".stands")).to_contain_text("Dismissed")
    expect(life.locator(".stands")).to_contain_text("Animal")
    expect(life.locator(".history")).to_contain_text("a fox")
    expect(life.get_by_role("button", name="Reopen")).to_be_disabled()
    life.get_by_label("Comment").fill("no, somebody")
    life.get_by_role("button", name="Reopen").click()
    life.get_by_role("button", name="Confirm").click()
    expect(life.locator(".stands")).to_contain_text("Confirmed")
    life.get_by_role("button", name="Close").click()
    expect(life.locator(".stands")).to_contain_text("Closed")
    expect(life.locator(".steps").get_by_role("button")).to_have_count(0)
    # Evidence is taken in beside, whenever its pictures are there.
    expect(life.locator(".history li").filter(has_not_text="Evidence taken in")).to_have_count(7)

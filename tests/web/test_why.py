"""An alarm says in the console why it was raised, in the console's language."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, keep, log_in
from playwright.sync_api import Page, expect

from perishield.bus.codec import encode
from perishield.bus.spool import Spool
from perishield.model.alarms import Event, EventKind
from perishield.model.remarks import Remark
from perishield.model.rules import Loiter, Tripwire, rule_to_dict
from perishield.rules.verdict import UNKNOWN_HEIGHT, UNKNOWN_METRES, weighed

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(240)]

FENCE = Tripwire(
    id="fence", camera="gate", name="North fence", line=((0.1, 0.5), (0.9, 0.5)), min_score=0.4, min_height=1.2,
    height_unit="m", max_speed=4, speed_unit="m", rule_cooldown_s=30, condition="hour >= 22 || speed > 0.5",
)  # fmt: skip
YARD = Loiter(
    id="yard", camera="gate", name="Yard", polygon=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)), stay_s=30, min_height=1,
    height_unit="m", min_speed=0.1, speed_unit="m",
)  # fmt: skip


def explained(make_event: Callable[..., Event], now: float) -> Iterator[Event]:
    """One that is measured, one of which much could not be told, one of an earlier version."""
    moment, before = {"wall": now, "arrival": now}, {"wall": now - 172_800, "arrival": now - 172_800}
    yield make_event(
        "measured", **moment, rule=rule_to_dict(FENCE), score=0.62, scores=(0.41, 0.62, 0.83), evidence=(14, 16),
        height=0.214, height_m=1.7241, speed=0.81, speed_mps=1.3049, weighed=weighed(FENCE),
    )  # fmt: skip
    yield make_event(
        "doubted", **moment, track=8, rule=rule_to_dict(YARD), kind=EventKind.LOITER, direction="", score=0.5,
        scores=(0.5, 0.5, 0.5), evidence=(20, 20), height=0.1, speed=0.04, stayed_s=42.4, weighed=weighed(YARD),
        doubts=(UNKNOWN_HEIGHT, UNKNOWN_METRES, Remark("label_too", "label: said horse", {"label": "horse"})),
    )  # fmt: skip
    yield make_event("old", **before, track=9, doubts=("height: the ground is not calibrated there",))


@pytest.fixture
def alarmed(node: Any, make_event: Callable[..., Event]) -> str:
    answer = httpx.post(f"{node.address}/api/auth/login", json={"username": USERNAME, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    spool = Spool(node.data / "spool" / "events.db")
    for event in explained(make_event, time.time()):
        spool.put(event.id, encode(event))
    spool.close()
    deadline = time.monotonic() + 30
    while httpx.get(f"{node.address}/api/alarms", headers=headers).json()["total"] < 3:
        assert time.monotonic() < deadline, "the alarms did not come"
        time.sleep(0.1)
    return str(node.address)


LOOKS = {"desk": {}, "dark": {"color_scheme": "dark"}, "phone": {"viewport": PHONE}}


@pytest.mark.parametrize("page", LOOKS.values(), indirect=True, ids=LOOKS)
def test_an_alarm_says_why_it_was_raised(alarmed: str, page: Page, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    log_in(page, alarmed, "/alarms/measured")
    why = page.get_by_role("region", name="Why this alarm")
    expect(why.locator(".rule")).to_have_text("North fence (Tripwire)")
    expect(why.locator("ul").first.locator("li")).to_have_text(
        [
            "Seen in 14 of 16 pictures rule: at least 3",
            "Confidence 0.41 to 0.83, mostly 0.62 rule: at least 0.4",
            "1.72 m high, 21 % of the picture’s height rule: at least 1.2 m",
            "1.3 m/s, 0.81 times its height a second rule: at most 4 m/s",
            "Crossed left to right",
        ]
    )
    expect(why.locator(".doubts")).to_have_count(0)
    why.get_by_text("It passed 9 tests").click()
    expect(why.get_by_text("Its height is within the limits")).to_be_visible()
    expect(why.locator("code")).to_have_text("hour >= 22 || speed > 0.5")
    keep(page, f"measured-en-{name}")
    page.locator(".language").click()
    why = page.get_by_role("region", name="告警依据")
    expect(why.locator(".rule")).to_have_text("North fence（绊线）")
    expect(why.locator("li").first).to_have_text("16 幅画面中有 14 幅检测到 规则：至少 3")
    expect(why).to_contain_text("从左到右越过")
    keep(page, f"measured-zh-{name}")
    assert page.evaluate("document.querySelector('.content').scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


@pytest.mark.parametrize("page", LOOKS.values(), indirect=True, ids=LOOKS)
def test_what_could_not_be_told_is_told(alarmed: str, page: Page, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    log_in(page, alarmed, "/alarms/doubted")
    why = page.get_by_role("region", name="Why this alarm")
    expect(why.locator(".doubts li")).to_have_text(
        [
            "Its height could not be tested: the ground is not calibrated there.",
            "Its speed could not be tested: the ground is not calibrated there.",
            "The detector called it “Horse”, too.",
        ]
    )
    expect(why).to_contain_text("What could not be tested did not stop the alarm.")
    expect(why).to_contain_text("Stayed for 42 s")
    keep(page, f"doubted-en-{name}")
    page.locator(".language").click()
    why = page.get_by_role("region", name="告警依据")
    expect(why.locator(".doubts li")).to_have_text(
        ["无法检验高度：该处地面未标定。", "无法检验速度：该处地面未标定。", "检测器也曾判为“马”。"]
    )
    keep(page, f"doubted-zh-{name}")


@pytest.mark.parametrize("page", [LOOKS["phone"]], indirect=True)
def test_an_alarm_of_an_earlier_version_says_what_there_is(alarmed: str, page: Page) -> None:
    log_in(page, alarmed, "/alarms/old")
    why = page.get_by_role("region", name="Why this alarm")
    expect(why.locator(".rule")).to_have_text("Line (Tripwire)")
    expect(why.locator("li")).to_have_text(
        ["Confidence 0.75", "Crossed left to right", "height: the ground is not calibrated there."]
    )
    expect(why.locator("details")).to_have_count(0)
    keep(page, "old")

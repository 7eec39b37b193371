"""Channels as somebody who sets them up does it, in a real browser on a real node, against a receiver on loopback."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from console_steps import PASSWORD, PHONE, USERNAME, log_in
from playwright.sync_api import Locator, Page, expect

from perishield.alarms.composing import sample_alarm
from perishield.bus.codec import encode
from perishield.bus.spool import Spool

pytestmark = [pytest.mark.real("chromium"), pytest.mark.timeout(300)]


@dataclass
class Platform:
    """Somebody else's system: answers as it is told to, and keeps what it got."""

    status: int = 200
    words: str = '{"result":"filed"}'
    got: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alarms"

    def answers(self, status: int, words: str) -> None:
        self.status, self.words = status, words


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append({"headers": dict(self.headers), "body": json.loads(body)})
            words = made.words.encode()
            self.send_response(made.status)
            self.send_header("content-length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join(5)


@pytest.fixture
def client(node: Any) -> Iterator[httpx.Client]:
    """Signed in; takes away what channels there are, so that each test begins with none."""
    with httpx.Client(base_url=node.address, timeout=30) as opened:
        login = opened.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD}).json()
        opened.headers["Authorization"] = f"Bearer {login['access_token']}"
        for channel in opened.get("/api/channels").json()["items"]:
            assert opened.delete(f"/api/channels/{channel['id']}").status_code == 204
        yield opened


def raise_alarm(node: Any, level: int = 1) -> str:
    """As the vision process does it: an event in the spool, from where the server takes it."""
    event = replace(sample_alarm(time.time()).event, level=level, camera="gate")
    spool = Spool(node.data / "spool" / "events.db")
    try:
        spool.put(event.id, encode(event))
    finally:
        spool.close()
    return event.id


def keep(page: Page, name: str) -> None:
    """A picture to look at, where somebody asks for it."""
    folder = os.environ.get("PERISHIELD_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{folder}/{name}.png")


def card(page: Page, name: str) -> Locator:
    return page.locator("li.channel", has_text=name)


def test_a_webhook_is_added_and_tried_and_its_receiver_quoted(
    node: Any, client: httpx.Client, page: Page, platform: Platform
) -> None:
    log_in(page, node.address)
    page.get_by_role("link", name="Channels").click()
    expect(page.get_by_text("No channel yet")).to_be_visible()
    keep(page, "channels-empty")
    page.get_by_role("button", name="Add channel").first.click()
    dialog = page.get_by_role("dialog", name="Add a channel")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_text("Give it a name.")).to_be_visible()
    dialog.get_by_text("Webhook", exact=True).click()
    dialog.get_by_label("Name", exact=True).fill("Control room")
    dialog.get_by_label("Address", exact=True).fill(platform.url)
    dialog.get_by_label("Signing secret", exact=True).fill("too short")
    dialog.get_by_text("This machine", exact=True).click()
    dialog.get_by_role("button", name="Save and test").click()
    expect(dialog.get_by_text("the secret of Standard Webhooks is whsec_")).to_be_in_viewport()
    keep(page, "channels-webhook")
    secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    dialog.get_by_label("Signing secret", exact=True).fill(secret)
    platform.answers(403, "who are you? ask Mr Lee for a key")
    dialog.get_by_role("button", name="Save and test").click()

    test = page.get_by_role("dialog", name="Test of Control room")
    expect(test).to_contain_text("The receiver refuses us.")
    expect(test).to_contain_text("who are you? ask Mr Lee for a key")
    expect(test).to_contain_text("403")
    keep(page, "channels-refused")
    platform.answers(200, '{"result":"filed"}')
    test.get_by_role("button", name="Test again").click()
    expect(test).to_contain_text("The receiver has taken it.")
    expect(test).to_contain_text('{"result":"filed"}')
    keep(page, "channels-taken")
    assert platform.got[-1]["body"]["data"]["test"] is True
    assert platform.got[-1]["headers"]["webhook-signature"].startswith("v1,")
    test.get_by_role("button", name="Close", exact=True).last.click()

    page.get_by_role("button", name="Edit Control room").click()
    dialog = page.get_by_role("dialog", name="Edit Control room")
    field = dialog.get_by_label("Signing secret", exact=True)
    expect(field).to_have_value("")
    expect(field).to_have_attribute("placeholder", "Set; leave empty to keep it")
    assert secret not in page.content()
    dialog.get_by_label("Address", exact=True).fill("http://127.0.0.1:1/elsewhere")
    expect(dialog).to_contain_text("has to be entered again")


def test_what_is_undeliverable_is_shown_and_tried_again(
    node: Any, client: httpx.Client, page: Page, platform: Platform
) -> None:
    body = {"name": "Platform", "target": {"kind": "webhook", "url": platform.url, "reach": "host"}}
    body["route"] = {"topics": ["raised"]}
    assert client.post("/api/channels", json=body).status_code == 201
    platform.answers(400, "field deviceId is missing")
    first, second = raise_alarm(node), raise_alarm(node)
    log_in(page, node.address, "/channels")
    card(page, "Platform").get_by_text("2 undeliverable").click(timeout=30_000)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Undeliverable")
    expect(rows.first).to_contain_text("field deviceId is missing")
    expect(rows.first).to_contain_text("HTTP 400")
    keep(page, "channels-dead")

    platform.answers(200, "thanks")
    rows.first.get_by_role("button").click()
    expect(card(page, "Platform").get_by_text("1 undeliverable")).to_be_visible()
    page.get_by_role("button", name="Try all undeliverable again").click()
    page.get_by_role("dialog").get_by_role("button", name="Try all undeliverable again").click()
    expect(rows).to_have_count(0)
    page.locator(".bar .el-select").nth(1).click()
    page.get_by_role("option", name="Delivered", exact=True).click()
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("thanks")
    keep(page, "channels-delivered")
    told = [one["body"]["data"]["id"] for one in platform.got]
    assert sorted(told[-2:]) == sorted([first, second])
    assert len({one["headers"]["idempotency-key"] for one in platform.got}) == 2


def test_trouble_is_told_on_the_channel_and_ends_with_a_test_that_is_taken(
    node: Any, client: httpx.Client, page: Page, platform: Platform
) -> None:
    body = {"name": "Platform", "target": {"kind": "webhook", "url": platform.url, "reach": "host"}}
    body["route"] = {"topics": ["raised"], "groups": ["north"], "cameras": ["gate"]}
    made = client.post("/api/channels", json=body).json()
    platform.answers(403, "no entry")
    raise_alarm(node)
    log_in(page, node.address, "/channels")
    channel = card(page, "Platform")
    expect(channel).to_contain_text("Trouble", timeout=30_000)
    expect(channel).to_contain_text("refuses us (403); check address and credentials")
    expect(channel).to_contain_text("Next try at")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("Waiting")
    expect(row).to_contain_text("no entry")
    keep(page, "channels-trouble")
    platform.answers(200, "welcome")
    channel.get_by_role("button", name="Test", exact=True).click()
    test = page.get_by_role("dialog", name="Test of Platform")
    expect(test).to_contain_text("The receiver has taken it.")
    test.get_by_role("button", name="Close", exact=True).last.click()
    expect(channel).to_contain_text("Ready")
    expect(row).to_contain_text("Delivered", timeout=30_000)

    page.get_by_role("button", name="Edit Platform").click()
    dialog = page.get_by_role("dialog", name="Edit Platform")
    assert client.put(f"/api/channels/{made['id']}", json={**body, "name": "Platform of others"}).status_code == 200
    dialog.get_by_label("Name", exact=True).fill("Platform of mine")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("somebody else has changed it")
    dialog.get_by_role("button", name="Cancel").click()
    expect(card(page, "Platform of others")).to_contain_text("gate · north")


FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "DingTalk": ("dingtalk", {"Address of the robot": "https://oapi.dingtalk.com/robot/send?access_token=0123"}),
    "WeCom": ("wecom", {"Address of the robot": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123"}),
    "Feishu / Lark": ("feishu", {"Address of the bot": "https://open.feishu.cn/open-apis/bot/v2/hook/0123"}),
    "E-mail": (
        "email",
        {
            "Host": "smtp.example.org",
            "From": "gate@example.org",
            "To, one address a line": "a@example.org, b@example.org",
        },
    ),
    "MQTT": ("mqtt", {"Host": "broker.example.org"}),
    "Webhook": ("webhook", {"Address": "https://platform.example/hook"}),
    "HTTP platform": ("http", {"Address": "https://platform.example/api/{{camera.id}}"}),
}


def test_every_kind_can_be_added_and_saved_again_as_it_is(node: Any, client: httpx.Client, page: Page) -> None:
    log_in(page, node.address, "/channels")
    for title, (kind, fields) in FORMS.items():
        page.get_by_role("button", name="Add channel").first.click()
        dialog = page.get_by_role("dialog", name="Add a channel")
        dialog.get_by_text(title, exact=True).click()
        dialog.get_by_label("Name", exact=True).fill(f"To {kind}")
        for label, value in fields.items():
            dialog.get_by_label(label, exact=True).fill(value)
        if kind == "email":
            keep(page, "channels-email")
        dialog.get_by_role("button", name="Save", exact=True).click()
        expect(card(page, f"To {kind}")).to_contain_text(title)
    before = {one["target"]["kind"]: one for one in client.get("/api/channels").json()["items"]}
    assert set(before) == {kind for kind, _ in FORMS.values()}
    assert before["email"]["target"]["to"] == ["a@example.org", "b@example.org"]
    for kind in before:
        page.get_by_role("button", name=f"Edit To {kind}").click()
        dialog = page.get_by_role("dialog", name=f"Edit To {kind}")
        dialog.get_by_role("button", name="Save", exact=True).click()
        expect(dialog).to_be_hidden()
    keep(page, "channels-all")
    after = {one["target"]["kind"]: one for one in client.get("/api/channels").json()["items"]}
    for kind, one in after.items():
        assert one == {**before[kind], "revision": before[kind]["revision"] + 1}


@pytest.mark.parametrize("page", [{"color_scheme": "dark"}], indirect=True)
def test_a_platform_is_told_in_its_own_words(node: Any, client: httpx.Client, page: Page, platform: Platform) -> None:
    log_in(page, node.address, "/channels")
    page.get_by_role("button", name="Add channel").first.click()
    dialog = page.get_by_role("dialog", name="Add a channel")
    dialog.get_by_text("HTTP platform", exact=True).click()
    dialog.get_by_label("Name", exact=True).fill("City platform")
    dialog.get_by_label("Address", exact=True).fill(platform.url)
    dialog.get_by_text("This machine", exact=True).click()
    template = dialog.get_by_label("Body (JSON)", exact=True)
    template.fill('{"event": "{{alarm.di}}", "level": ')
    expect(dialog).to_contain_text("This is no JSON")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_be_visible()
    template.fill('{"event": "{{alarm.di}}"}')
    expect(dialog).to_contain_text("There are no such names: alarm.di")
    template.fill('{"event": "{{alarm.id}}", "level": ')
    dialog.get_by_text("Names that stand for values").first.click()
    dialog.get_by_role("button", name="alarm.level", exact=True).click()
    expect(template).to_have_value('{"event": "{{alarm.id}}", "level": "{{alarm.level}}"')
    template.press_sequentially("}")
    dialog.get_by_text("What is sent, with example values").first.click()
    expect(dialog.locator("pre")).to_contain_text('"level": 4')
    dialog.get_by_label("Field of the answer").fill("code")
    keep(page, "channels-template")
    for part in ("Which alarms", "Quiet hours", "Advanced"):
        dialog.get_by_text(part, exact=True).first.click()
        if part == "Which alarms":
            dialog.get_by_text("Critical", exact=True).click()
        if part == "Quiet hours":
            dialog.get_by_text("Quiet hours", exact=True).last.click()
            expect(dialog.get_by_role("application")).to_be_visible()
        keep(page, f"channels-{part.split()[-1].lower()}")
    platform.answers(200, '{"code": 17, "message": "no such device"}')
    dialog.get_by_role("button", name="Save and test").click()
    test = page.get_by_role("dialog", name="Test of City platform")
    expect(test).to_contain_text("Not taken this time.")
    expect(test).to_contain_text("code is 17, not 0")
    expect(test).to_contain_text("no such device")
    assert set(platform.got[-1]["body"]) == {"event", "level"}
    assert platform.got[-1]["body"]["level"] == 4
    page.keyboard.press("Escape")
    expect(card(page, "City platform")).to_contain_text("Critical")
    (stored,) = client.get("/api/channels").json()["items"]
    assert (stored["route"]["levels"], stored["route"]["quiet"]["then"]) == ([1], "hold")
    card(page, "City platform").get_by_role("switch").locator("..").click()
    expect(card(page, "City platform")).to_contain_text("Switched off")
    page.get_by_role("button", name="Delete City platform").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No channel yet")).to_be_visible()


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": PHONE, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
        {"locale": "zh-CN", "color_scheme": "light"},
    ],
    indirect=True,
    ids=["phone", "zh"],
)
def test_the_page_fits_a_phone_and_speaks_chinese(
    node: Any, client: httpx.Client, page: Page, platform: Platform, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    for body in (
        {"name": "值班群", "target": {"kind": "dingtalk"}, "secrets": {"token": "0123"}, "enabled": False},
        {"name": "Platform", "target": {"kind": "webhook", "url": platform.url, "reach": "host"}},
    ):
        assert client.post("/api/channels", json=body).status_code == 201
    platform.answers(400, "field deviceId is missing")
    raise_alarm(node)
    page.goto(f"{node.address}/channels")
    page.locator("#username").fill(USERNAME)
    page.locator("#password").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    expect(page.locator("tbody tr.dead")).to_have_count(1, timeout=30_000)
    if name == "phone":
        wide = page.evaluate("document.querySelector('.content').scrollWidth")
        assert wide <= PHONE["width"]
    keep(page, f"channels-{name}")
    card(page, "值班群").locator(".actions button[title]").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#channel-secret-token")).to_be_visible()
    keep(page, f"channels-{name}-dialog")
    dialog.locator(".parts label").nth(3).click()
    expect(dialog.locator("#channel-pace-per_minute")).to_be_visible()
    keep(page, f"channels-{name}-advanced")
    page.keyboard.press("Escape")
    card(page, "Platform").locator("button.test").click()
    expect(page.get_by_role("dialog")).to_contain_text("field deviceId is missing")
    if name == "zh":
        expect(page.get_by_role("dialog")).to_contain_text("接收方拒绝了这条消息")
    keep(page, f"channels-{name}-test")

"""Signatures, texts and templates, against published vectors and what receivers document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.alarms.channels.dingtalk import DingTalkSender
from perishield.alarms.channels.feishu import FeishuSender
from perishield.alarms.channels.http import at_path, judge, retry_after
from perishield.alarms.channels.mail import EmailSender
from perishield.alarms.channels.outward import Reply
from perishield.alarms.channels.robot import Robot
from perishield.alarms.channels.sender import Links, Message, Outcome
from perishield.alarms.channels.signatures import (
    dingtalk_sign,
    feishu_sign,
    github_signature,
    signature_headers,
    standard_key,
    standard_signature,
)
from perishield.alarms.channels.template import check_template, render, render_address
from perishield.alarms.channels.texts import cut, tame
from perishield.alarms.channels.wecom import WeComSender
from perishield.alarms.composing import sample_alarm, template_names
from perishield.model.channels import Acknowledgement, DingTalk, Email, Feishu, Signature, Topic, WeCom
from perishield.model.errors import ChannelError

BODY = b'{"type":"alarm.raised","timestamp":"2026-01-01T00:00:00Z","data":{"id":"al_1"}}'
SECRET = "whsec_c3RhbmRhcmQtd2ViaG9vay1kZW1vLWtleS0wMQ=="

MakeMessage = Callable[..., Message]


@pytest.fixture
def message() -> MakeMessage:
    def make(name: str = "North gate", others: int = 0, **more: Any) -> Message:
        alarm = replace(sample_alarm(1_790_000_000.0), camera_name=name)
        links = Links(console="https://node.example/alarms/1", snapshot="https://node.example/s.jpg", public=True)
        values: dict[str, Any] = {"key": "c.1.raised", "topic": Topic.RAISED, "sequence": 1, "links": links}
        rest = tuple(replace(alarm, id=f"a{number}", camera_name=f"{name} {number}") for number in range(others))
        return Message(alarm=alarm, others=rest, **{**values, **more})

    return make


def test_signatures_are_those_of_the_published_examples() -> None:
    assert quote(dingtalk_sign("SECexample0123456789", 1767225600000), safe="") == (
        "rYbUSMx6m8MaaxLNrNk2POld8FjXHciS3tZt3hlCCeA%3D"
    )
    assert feishu_sign("feishu-demo", 1767225600) == "Otmmm7XnRfu1q+VuTqzzsdH4tor9TqK10Bafr1vMre0="
    assert standard_signature(standard_key(SECRET), "msg_demo_1", 1767225600, BODY) == (
        "v1,FzKYd+6QDa9oheYEWDVwkWXums5TrqYSPjC6Rsi9nrA="
    )
    assert github_signature("gh-demo-secret", BODY) == (
        "sha256=d6b641e1808a8bdf3de35bac0b22b7571d87f2417e4d767c0661426a1bcab72a"
    )


def test_while_secrets_change_both_sign() -> None:
    other = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
    secrets = {"secret": other, "old_secret": SECRET}
    headers = signature_headers(Signature.STANDARD, secrets, "msg_demo_1", 1767225600, BODY)
    assert headers["webhook-id"] == "msg_demo_1"
    signed = headers["webhook-signature"].split(" ")
    assert len(signed) == 2
    assert signed[1] == "v1,FzKYd+6QDa9oheYEWDVwkWXums5TrqYSPjC6Rsi9nrA="
    assert signature_headers(Signature.STANDARD, {}, "a", 1, BODY) == {}


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "c3RhbmRhcmQtd2ViaG9vay1kZW1vLWtleS0wMQ=="])
def test_what_is_no_standard_secret_is_said(secret: str) -> None:
    with pytest.raises(ChannelError, match="whsec_"):
        standard_key(secret)


@given(st.text(max_size=200), st.integers(0, 60))
def test_texts_are_cut_by_bytes_at_the_edge_of_a_character(text: str, most: int) -> None:
    found = cut(text, most)
    assert len(found.encode()) <= most
    assert found in (text, "") or found.endswith("…")
    assert text.startswith(found.rstrip("…")) or found == ""


@given(st.text(alphabet='<>@/at font"=user_id\n ０北', max_size=60))
def test_foreign_names_mention_nobody(text: str) -> None:
    found = tame(text)
    assert "<" not in found
    assert "\n" not in found
    assert "@a" not in found


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.text(max_size=40),
)
def test_no_value_breaks_out_of_a_template(template: Any, value: str) -> None:
    whole = {"given": template, "alone": "{{name}}", "inside": "<{{ name }}>"}
    found = json.loads(json.dumps(render(whole, {"name": value})))
    assert found["alone"] == value
    assert found["inside"] == f"<{value}>"
    assert set(found) == set(whole)


def test_people_read_times_of_their_zone(message: MakeMessage) -> None:
    body = WeComSender(WeCom(), {}, "zh").body(message(timezone="Asia/Shanghai"))
    assert "2026-09-21 22:13:20 +08:00" in body["markdown"]["content"]
    assert "2026-09-21 14:13:20 UTC" in WeComSender(WeCom(), {}, "en").body(message())["markdown"]["content"]


def test_a_name_alone_keeps_its_type_and_addresses_are_quoted() -> None:
    values = {"n": 3, "list": [0.5, 1], "name": "a/b?c=1&d"}
    assert render(["{{n}}", "n={{n}}", "{{list}}", True], values) == [3, "n=3", [0.5, 1], True]
    assert render_address("https://x.example/{{name}}", values) == "https://x.example/a%2Fb%3Fc%3D1%26d"


def test_a_misspelt_name_is_guessed_at_when_saving() -> None:
    with pytest.raises(ChannelError, match=r"did you mean 'alarm\.id'"):
        check_template({"a": ["{{alarm.ids}}"]}, template_names(), "target.body")
    with pytest.raises(ChannelError, match="braces"):
        check_template({"a": "{{alarm.id"}, template_names(), "target.body")
    with pytest.raises(ChannelError, match="keys"):
        check_template({"{{alarm.id}}": 1}, template_names(), "target.body")


@pytest.mark.parametrize(
    ("status", "body", "taken", "outcome"),
    [
        (200, b"", Acknowledgement(), Outcome.ACCEPTED),
        (204, b"", Acknowledgement(), Outcome.ACCEPTED),
        (202, b"", Acknowledgement(statuses=(200,)), Outcome.CONTENT),
        (200, b'{"r":{"code":0}}', Acknowledgement(path="r.code"), Outcome.ACCEPTED),
        (200, b'{"r":{"code":"0"}}', Acknowledgement(path="r.code"), Outcome.TRANSIENT),
        (200, b'{"r":{"code":false}}', Acknowledgement(path="r.code"), Outcome.TRANSIENT),
        (200, b"<html>", Acknowledgement(path="r.code"), Outcome.TRANSIENT),
        (200, b'{"ok":true}', Acknowledgement(path="ok", equals=True), Outcome.ACCEPTED),
        (200, b'[{"s":"done"}]', Acknowledgement(path="0.s", equals="done"), Outcome.ACCEPTED),
        (301, b"", Acknowledgement(), Outcome.SETUP),
        (400, b"", Acknowledgement(), Outcome.CONTENT),
        (401, b"", Acknowledgement(), Outcome.SETUP),
        (410, b"", Acknowledgement(), Outcome.SETUP),
        (429, b"", Acknowledgement(), Outcome.RATE),
        (500, b"", Acknowledgement(), Outcome.TRANSIENT),
        (503, b"", Acknowledgement(), Outcome.TRANSIENT),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, taken: Acknowledgement, outcome: Outcome) -> None:
    assert judge(Reply(status, body, {}), taken).outcome is outcome


def test_a_receiver_may_ask_for_time_but_not_for_ever() -> None:
    assert judge(Reply(429, b"", {"retry-after": "17"}), Acknowledgement()).wait_s == 17
    assert retry_after("999999999") == 3600
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert retry_after("soon") == 0
    assert at_path(b'{"a":[1]}', "a.7") == (False, None)


def test_dingtalk_shows_a_picture_only_where_the_world_can_fetch_it(message: MakeMessage) -> None:
    sender = DingTalkSender(DingTalk(), {"token": "t"}, "en")
    inside = Links(console="http://10.0.0.9/alarms/1", snapshot="http://10.0.0.9/s.jpg")
    assert "![](https://node.example/s.jpg)" in sender.body(message())["actionCard"]["text"]
    assert "![]" not in sender.body(message(links=inside))["actionCard"]["text"]
    pinged = DingTalkSender(DingTalk(mention_mobiles=("13800000000",)), {}, "zh").body(message())
    assert "@13800000000" in pinged["markdown"]["text"]
    assert pinged["at"]["atMobiles"] == ["13800000000"]


@pytest.mark.parametrize("name", ["x" * 100, "北" * 100, '<font color="info">@all</font> <at user_id="all">'])
@pytest.mark.parametrize("others", [0, 49])
@pytest.mark.parametrize("plain", [False, True])
def test_no_message_is_longer_than_its_receiver_allows(
    message: MakeMessage, name: str, others: int, plain: bool
) -> None:
    made = message(name, others, plain=plain)
    wecom = WeComSender(WeCom(), {}, "zh").body(made)
    content = wecom[wecom["msgtype"]]["content"].encode()
    assert len(content) <= (2048 if plain else 4096)
    assert made.links.console.encode() in content
    assert len(json.dumps(DingTalkSender(DingTalk(), {}, "zh").body(made), ensure_ascii=False).encode()) < 20_000
    assert len(json.dumps(FeishuSender(Feishu(), {}, "zh").body(made), ensure_ascii=False).encode()) < 20_000
    for body in (wecom, FeishuSender(Feishu(), {}, "en").body(made)):
        assert "<at user" not in json.dumps(body)
        assert "@all" not in json.dumps(body)


def test_a_mail_cannot_be_given_headers_by_a_cameras_name(message: MakeMessage) -> None:
    sender = EmailSender(Email(host="h", sender="a@example.org", to=("b@example.org",)), {}, "en")
    mail = sender.mail(message("gate\r\nBcc: evil@example.org", picture=b"\xff\xd8\xff\xd9"))
    assert "Bcc" not in mail
    assert mail["To"] == "b@example.org"
    assert mail["Message-ID"] == sender.mail(message())["Message-ID"]
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/jpeg",
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["errcode", "code", "punish", "wait", "msg", "x"]), inner, max_size=4)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_a_robot_answers_is_an_outcome(raw: bytes) -> None:
    robot = Robot("Robot", "host", {})
    found = robot.by_code(200, raw, raw.decode(errors="replace"))
    assert (found.outcome is Outcome.ACCEPTED) == (
        isinstance(value := _loaded(raw), dict)
        and "punish" not in value
        and value.get("errcode", value.get("code")) == 0
        and type(value.get("errcode", value.get("code"))) is int
    )
    assert judge(Reply(200, raw, {}), Acknowledgement(path="a.0.b")).outcome is Outcome.TRANSIENT


def _loaded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None

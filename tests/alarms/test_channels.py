"""Each kind of channel against a receiver that is as strict as the real one."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from receivers import DingTalkRobot, FeishuBot, Receiver, Reply, WeComRobot

from perishield.alarms.channels.opening import open_sender
from perishield.alarms.channels.sender import Answer, Links, Message, Outcome
from perishield.alarms.channels.signatures import standard_key, standard_signature
from perishield.alarms.composing import sample_alarm
from perishield.model.channels import (
    Acknowledgement,
    Channel,
    DingTalk,
    Email,
    Feishu,
    Http,
    Mqtt,
    Signature,
    Target,
    Topic,
    Webhook,
    WeCom,
)
from perishield.sources.simulator.certificate import self_signed

PICTURE = b"\xff\xd8" + b"picture" * 100 + b"\xff\xd9"


def a_message(**more: Any) -> Message:
    values: dict[str, Any] = {
        "key": "c.a1.raised",
        "topic": Topic.RAISED,
        "sequence": 4,
        "alarm": sample_alarm(1_790_000_000.0),
        "links": Links(console="https://node.example/alarms/1"),
    }
    return Message(**{**values, **more})


async def send(target: Target, secrets: dict[str, str], message: Message | None = None) -> Answer:
    sender = open_sender(Channel(id="c", name="C", target=target, language="zh"), secrets)
    try:
        return await sender.send(message or a_message())
    finally:
        await sender.close()


async def test_dingtalk_takes_what_is_signed_and_says_what_is_not() -> None:
    robot = DingTalkRobot(token="t", secret="SEC1", keyword="周界")
    async with Receiver(robot).running() as receiver:
        url = f"{receiver.url}/robot/send"
        target = DingTalk(url=url, keyword="周界", reach="host")
        assert (await send(target, {"token": "t", "secret": "SEC1"})).outcome is Outcome.ACCEPTED
        mentioning = DingTalk(url=url, keyword="周界", reach="host", mention_mobiles=("13800000000",))
        assert (await send(mentioning, {"token": "t", "secret": "SEC1"})).outcome is Outcome.ACCEPTED
        plain = a_message(plain=True)
        assert (await send(target, {"token": "t", "secret": "SEC1"}, plain)).outcome is Outcome.ACCEPTED
        wrong = await send(target, {"token": "t", "secret": "SEC2"})
        assert (wrong.outcome, "sign not match" in wrong.reason) == (Outcome.SETUP, True)
        wordless = await send(DingTalk(url=url, reach="host"), {"token": "t", "secret": "SEC1"})
        assert (wordless.outcome, "keywords" in wordless.reason) == (Outcome.SETUP, True)
        assert (await send(target, {"token": "other"})).outcome is Outcome.SETUP
    assert [body["msgtype"] for body in robot.shown] == ["actionCard", "markdown", "text"]


async def test_a_robot_that_is_asked_too_often_says_so() -> None:
    async with Receiver(DingTalkRobot(token="t", most=2)).running() as receiver:
        target = DingTalk(url=receiver.url, reach="host")
        found = [await send(target, {"token": "t"}) for _ in range(3)]
        assert [one.outcome for one in found] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.RATE]
        assert found[2].wait_s >= 60
        receiver.answer = lambda _: Reply(body=b'{"status":1111,"wait":5,"source":"x5","punish":"deny"}')
        assert (await send(target, {"token": "t"})).outcome is Outcome.RATE
        receiver.answer = lambda _: Reply(body=b"<html>captive portal</html>")
        assert (await send(target, {"token": "t"})).outcome is Outcome.TRANSIENT
        receiver.answer = lambda _: Reply(body=b'{"errcode":-1,"errmsg":"busy"}')
        assert (await send(target, {"token": "t"})).outcome is Outcome.TRANSIENT


async def test_wecom_takes_text_and_picture() -> None:
    robot = WeComRobot()
    async with Receiver(robot).running() as receiver:
        target = WeCom(url=f"{receiver.url}/cgi-bin/webhook/send", reach="host", mention=("@all",))
        answer = await send(target, {"key": "key"}, a_message(picture=PICTURE))
        assert answer.outcome is Outcome.ACCEPTED
        assert (await send(target, {"key": "key"}, a_message(plain=True))).outcome is Outcome.ACCEPTED
        damaged = await send(target, {"key": "key"}, a_message(picture=b"no picture"))
        assert damaged.outcome is Outcome.ACCEPTED, "the text was taken, so it must not be told again"
        assert "image" in damaged.reason
        assert (await send(target, {"key": "other"})).outcome is Outcome.SETUP
    assert [body["msgtype"] for body in robot.shown][:3] == ["markdown", "image", "text"]
    assert robot.shown[2]["text"]["mentioned_list"] == ["@all"]


async def test_feishu_takes_what_is_signed() -> None:
    bot = FeishuBot(secret="s3")
    async with Receiver(bot).running() as receiver:
        target = Feishu(url=f"{receiver.url}/open-apis/bot/v2/hook/", reach="host")
        assert (await send(target, {"hook": "hook-1", "secret": "s3"})).outcome is Outcome.ACCEPTED
        clip = a_message(topic=Topic.CLIP, links=Links(console="https://n.example/1", clip="https://n.example/c.mp4"))
        assert (await send(target, {"hook": "hook-1", "secret": "s3"}, clip)).outcome is Outcome.ACCEPTED
        assert (
            await send(target, {"hook": "hook-1", "secret": "s3"}, a_message(plain=True))
        ).outcome is Outcome.ACCEPTED
        assert (await send(target, {"hook": "hook-1", "secret": "no"})).outcome is Outcome.SETUP
        assert (await send(target, {"hook": "nobody", "secret": "s3"})).outcome is Outcome.SETUP
    card = bot.shown[1]["card"]["elements"][-2]["actions"]
    assert [button["url"] for button in card] == ["https://n.example/1", "https://n.example/c.mp4"]


async def test_a_platform_is_spoken_to_in_its_own_words() -> None:
    body = {"eventId": "{{alarm.id}}", "seq": "{{sequence}}", "text": "{{camera.name}}: {{alarm.kind}}"}
    async with Receiver(lambda _: Reply(body=b'{"result":{"code":0}}')).running() as receiver:
        target = Http(
            url=f"{receiver.url}/api/{{{{camera.id}}}}/alarms",
            method="PUT",
            headers={"X-Site": "north"},
            body=body,
            clip_url=f"{receiver.url}/api/clips",
            clip_body={"url": "{{clip.url}}"},
            signature=Signature.HMAC,
            signature_header="X-Sum",
            acknowledgement=Acknowledgement(path="result.code", equals=0),
            reach="host",
        )
        secrets = {"secret": "k", "authorization": "Bearer abc"}
        assert (await send(target, secrets)).outcome is Outcome.ACCEPTED
        clip = a_message(topic=Topic.CLIP, links=Links(console="c", clip="https://n.example/c.mp4"))
        assert (await send(target, secrets, clip)).outcome is Outcome.ACCEPTED
        first, second = receiver.requests
    assert (first.method, first.path) == ("PUT", "/api/test/alarms")
    assert first.json["seq"] == 4
    assert first.json["text"] == "Test: tripwire"
    assert (first.headers["x-site"], first.headers["authorization"]) == ("north", "Bearer abc")
    assert first.headers["idempotency-key"] == "c.a1.raised"
    assert len(first.headers["x-sum"]) == 64
    assert first.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (second.path, second.json) == ("/api/clips", {"url": "https://n.example/c.mp4"})


async def test_a_webhook_is_signed_anew_at_every_try_under_one_id() -> None:
    secret = "whsec_c3RhbmRhcmQtd2ViaG9vay1kZW1vLWtleS0wMQ=="
    async with Receiver().running() as receiver:
        for _ in range(2):
            assert (await send(Webhook(url=receiver.url, reach="host"), {"secret": secret})).outcome is Outcome.ACCEPTED
    first, second = (one.headers for one in receiver.requests)
    assert first["webhook-id"] == second["webhook-id"] == "c~a1~raised"
    for request in receiver.requests:
        stamp = int(request.headers["webhook-timestamp"])
        signed = standard_signature(standard_key(secret), "c~a1~raised", stamp, request.body)
        assert request.headers["webhook-signature"] == signed
        assert abs(stamp - time.time()) < 30


async def test_a_silent_a_cutting_and_a_chattering_receiver_end_in_time() -> None:
    async with Receiver(lambda _: Reply(after_s=30)).running() as receiver:
        target = Webhook(url=receiver.url, reach="host", timeout_s=1)
        assert (await send(target, {})).outcome is Outcome.TRANSIENT
        receiver.answer = lambda _: Reply(cut=True)
        assert (await send(target, {})).outcome is Outcome.TRANSIENT
        receiver.answer = lambda _: Reply(body=b"x" * (1 << 20))
        assert len((await send(target, {})).text) == 1024
        receiver.answer = lambda _: Reply(302, headers={"location": f"{receiver.url}/other"})
        assert (await send(target, {})).outcome is Outcome.SETUP
        assert {request.path for request in receiver.requests} == {"/"}, "redirects are not followed"


async def test_this_host_is_not_knocked_at_unless_that_is_allowed() -> None:
    async with Receiver().running() as receiver:
        for reach in ("internet", "lan"):
            answer = await send(Webhook(url=receiver.url, reach=reach), {})  # type: ignore[arg-type]
            assert answer.outcome is Outcome.SETUP
        assert receiver.requests == []
        metadata = await send(Webhook(url="http://169.254.169.254/latest", reach="host"), {})
        assert metadata.outcome is Outcome.SETUP


class Mailbox:
    """What a mail server took. Some recipients it does not know."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 no such user"
        if address.startswith("later"):
            return "451 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 OK"


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(b"guard", b"secret")
    return AuthResult(success=known, handled=known)


@pytest.fixture
def mail_server(free_port: int) -> Iterator[tuple[Mailbox, int, str]]:
    certificate = self_signed("127.0.0.1")
    box = Mailbox()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port,
        tls_context=certificate.context,
        require_starttls=True,
        authenticator=_login,
        auth_required=True,
    )
    controller.start()
    yield box, free_port, certificate.pem.decode()
    controller.stop()


async def test_mail_goes_out_encrypted_and_as_somebody(mail_server: tuple[Mailbox, int, str]) -> None:
    box, port, ca = mail_server
    target = Email(
        host="127.0.0.1", port=port, username="guard", sender="node@example.org", to=("guard@example.org",),
        ca=ca, reach="host",
    )  # fmt: skip
    answer = await send(target, {"password": "secret"}, a_message(picture=PICTURE))
    assert answer.outcome is Outcome.ACCEPTED, answer
    assert box.mails[0].rcpt_tos == ["guard@example.org"]
    assert b"image/jpeg" in box.mails[0].content
    assert (await send(target, {"password": "wrong"})).outcome is Outcome.SETUP
    strange = msgspec.structs.replace(target, ca="")
    assert (await send(strange, {"password": "secret"})).outcome is Outcome.SETUP, "nobody trusts that certificate"
    some = msgspec.structs.replace(target, to=("guard@example.org", "nobody@example.org"))
    partly = await send(some, {"password": "secret"})
    assert (partly.outcome, "nobody@example.org" in partly.reason) == (Outcome.ACCEPTED, True)
    for name, outcome in (("nobody", Outcome.SETUP), ("later", Outcome.TRANSIENT)):
        none = msgspec.structs.replace(target, to=(f"{name}@example.org",))
        assert (await send(none, {"password": "secret"})).outcome is outcome
    assert len(box.mails) == 2


@asynccontextmanager
async def broker(folder: Path, port: int, *lines: str) -> AsyncIterator[None]:
    (folder / "mosquitto.conf").write_text("\n".join([f"listener {port} 127.0.0.1", *lines, ""]))
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([program, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.real("mosquitto")
async def test_mqtt_is_acknowledged_and_found_by_home_assistant(tmp_path: Path, free_port: int) -> None:
    target = Mqtt(host="127.0.0.1", port=free_port, base="site/a", discovery="homeassistant", reach="host", timeout_s=5)
    sender = open_sender(Channel(id="c", name="C", target=target), {})
    assert (await sender.send(a_message())).outcome is Outcome.TRANSIENT, "there is no broker yet"
    async with (
        broker(tmp_path, free_port, "allow_anonymous true"),
        aiomqtt.Client("127.0.0.1", free_port, protocol=aiomqtt.ProtocolVersion.V311) as peer,
    ):
        await peer.subscribe("#", qos=1)
        answers = [await sender.send(a_message()) for _ in range(2)]
        await sender.close()
        seen: list[tuple[str, str]] = []
        async with asyncio.timeout(10):
            async for message in peer.messages:
                seen.append((str(message.topic), bytes(message.payload).decode()))  # type: ignore[arg-type]
                if seen[-1] == ("site/a/status", "offline"):
                    break
    assert [answer.outcome for answer in answers] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    topics = [topic for topic, _ in seen]
    assert topics.count("site/a/test/alarm") == 2
    assert topics[0] == "site/a/status"
    assert "homeassistant/event/site_a_test/alarm/config" in topics
    assert '"sequence":4' in seen[topics.index("site/a/test/alarm")][1]


@pytest.mark.real("mosquitto")
async def test_a_broker_that_refuses_us_is_a_matter_of_settings(tmp_path: Path, free_port: int) -> None:
    async with broker(tmp_path, free_port, "allow_anonymous false"):
        target = Mqtt(host="127.0.0.1", port=free_port, reach="host", timeout_s=5, username="u")
        answer = await send(target, {"password": "wrong"})
    assert answer.outcome is Outcome.SETUP, answer


@pytest.mark.real("mosquitto")
async def test_a_broker_that_comes_back_is_found_again(tmp_path: Path, free_port: int) -> None:
    target = Mqtt(host="127.0.0.1", port=free_port, reach="host", timeout_s=5)
    sender = open_sender(Channel(id="c", name="C", target=target), {})
    async with broker(tmp_path, free_port, "allow_anonymous true"):
        assert (await sender.send(a_message())).outcome is Outcome.ACCEPTED
    assert (await sender.send(a_message())).outcome is Outcome.TRANSIENT
    async with broker(tmp_path, free_port, "allow_anonymous true"):
        assert (await sender.send(a_message())).outcome is Outcome.ACCEPTED
        await sender.close()

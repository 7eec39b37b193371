"""Receivers behind TLS with a private authority: HTTPS and MQTT; who is not who it says is told nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiomqtt
import pytest
from authority import Authority, Issued
from receivers import Receiver
from test_channels import a_message, broker, send

from perishield.alarms.channels.opening import open_sender
from perishield.alarms.channels.sender import Outcome
from perishield.model.channels import Channel, Http, Mqtt, Webhook

Make = Callable[[Authority, Authority], Issued]
WRONG: dict[str, Make] = {
    "another authority": lambda _ours, other: other.issue("127.0.0.1", "localhost"),
    "another host": lambda ours, _other: ours.issue("127.0.0.2", "platform.example"),
    "expired": lambda ours, _other: ours.issue("127.0.0.1", "localhost", expired=True),
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_https_with_a_private_authority_is_delivered_to(authority: Authority, host: str) -> None:
    issued = authority.issue("127.0.0.1", "localhost")
    async with Receiver().running(issued.context()) as receiver:
        url = f"https://{host}:{receiver.port}/alarms"
        for target in (
            Http(url=url, body={"id": "{{alarm.id}}"}, ca=authority.pem, reach="host"),
            Webhook(url=url, ca=authority.pem, reach="host"),
        ):
            answer = await send(target, {})
            assert answer.outcome is Outcome.ACCEPTED, answer
    assert [request.headers["host"] for request in receiver.requests] == [f"{host}:{receiver.port}"] * 2


@pytest.mark.parametrize("wrong", WRONG)
async def test_https_tells_nothing_to_who_is_not_who_it_says(authority: Authority, tmp_path: Path, wrong: str) -> None:
    issued = WRONG[wrong](authority, Authority(tmp_path, "Strange"))
    async with Receiver().running(issued.context()) as receiver:
        target = Http(
            url=f"https://localhost:{receiver.port}/", body={"id": "{{alarm.id}}"}, ca=authority.pem, reach="host"
        )
        answer = await send(target, {"authorization": "Bearer secret"})
    assert answer.outcome in (Outcome.TRANSIENT, Outcome.SETUP)
    assert "certificate" in answer.reason.lower(), answer
    assert receiver.requests == []


async def test_https_of_a_private_authority_is_not_trusted_unless_it_is_named(authority: Authority) -> None:
    async with Receiver().running(authority.issue("127.0.0.1").context()) as receiver:
        answer = await send(Webhook(url=f"https://127.0.0.1:{receiver.port}/", reach="host"), {})
    assert (answer.outcome is Outcome.ACCEPTED, receiver.requests) == (False, [])


def listening(issued: Issued) -> tuple[str, ...]:
    # Where it is started by the superuser, the broker would give up the right to read a private key.
    return (f"certfile {issued.certificate}", f"keyfile {issued.key}", "allow_anonymous true", "user root")


@pytest.mark.real("mosquitto")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_mqtt_over_tls_with_a_private_authority_is_delivered_to(
    authority: Authority, tmp_path: Path, free_port: int, host: str
) -> None:
    issued = authority.issue("127.0.0.1", "localhost")
    target = Mqtt(host=host, port=free_port, base="site/a", tls=True, ca=authority.pem, reach="host", timeout_s=5)
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(authority.pem)
    async with broker(tmp_path, free_port, *listening(issued)):
        peer = aiomqtt.Client(
            "127.0.0.1",
            free_port,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_params=aiomqtt.TLSParameters(ca_certs=str(trusted)),
        )
        async with peer:
            await peer.subscribe("site/a/test/alarm", qos=1)
            sender = open_sender(Channel(id="c", name="C", target=target), {})
            answer = await sender.send(a_message())
            assert answer.outcome is Outcome.ACCEPTED, answer
            heard = await anext(aiter(peer.messages))
            await sender.close()
    assert b'"sequence":4' in bytes(heard.payload)  # type: ignore[arg-type]


@pytest.mark.real("mosquitto")
@pytest.mark.parametrize("wrong", [*WRONG, "not named"])
async def test_mqtt_tells_nothing_to_a_broker_that_is_not_who_it_says(
    authority: Authority, tmp_path: Path, free_port: int, wrong: str
) -> None:
    make = WRONG.get(wrong, lambda ours, _other: ours.issue("127.0.0.1", "localhost"))
    issued = make(authority, Authority(tmp_path, "Strange"))
    log = tmp_path / "broker.log"
    ca = "" if wrong == "not named" else authority.pem
    target = Mqtt(host="localhost", port=free_port, tls=True, ca=ca, reach="host", timeout_s=5)
    lines = (*listening(issued), f"log_dest file {log}", "log_type all")
    async with broker(tmp_path, free_port, *lines):
        answer = await send(target, {"password": "secret"})
    assert answer.outcome in (Outcome.TRANSIENT, Outcome.SETUP)
    assert "certificate" in answer.reason.lower(), answer
    assert "Received CONNECT" not in log.read_text()
    assert "New client connected" not in log.read_text()

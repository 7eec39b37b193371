"""MQTT 3.1.1 with QoS 1: an alarm is delivered when the broker has acknowledged it.

| topic | what |
| --- | --- |
| `BASE/status` | `online`, or `offline` by last will; retained |
| `BASE/CAMERA/alarm` | our own message, flat enough for Home Assistant's `event`; never retained |
| `BASE/CAMERA/clip`, `.../update` | the same once the clip is ready, or the alarm has changed |
| `DISCOVERY/event/..., DISCOVERY/binary_sensor/...` | how Home Assistant finds a camera's alarms; retained |
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import aiomqtt

from perishield.alarms.channels.http import refused
from perishield.alarms.channels.outward import judged, trusting
from perishield.alarms.channels.payload import own_body
from perishield.alarms.channels.sender import Answer, Message, Outcome, unanswered
from perishield.model.alarms import EventKind
from perishield.model.channels import Mqtt, Topic
from perishield.model.outward import OutwardError

_REFUSED = frozenset({1, 2, 4, 5})
_KEEP_ALIVE_S = 30
_OFF_AFTER_S = 30


class _Named(ssl.SSLContext):
    """Knows the broker by its name although we connect to the address that was judged."""

    name = ""
    made: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        self.made = super().wrap_socket(*args, **{**more, "server_hostname": self.name})
        return self.made

    def give_up(self) -> None:
        """Close what was opened: the client forgets a connection whose certificate it does not trust."""
        if self.made is not None:
            self.made.close()


class MqttSender:
    """Keeps one connection; a broken one is made anew at the next alarm."""

    cost = 1
    wants_picture = False

    def __init__(self, target: Mqtt, secrets: Mapping[str, str]) -> None:
        self.timeout_s = target.timeout_s + 5
        self._target = target
        self._secrets = secrets
        self._client: aiomqtt.Client | None = None
        self._stack = AsyncExitStack()
        self._one = asyncio.Lock()
        self._introduced: set[str] = set()
        trusting(target.ca)

    async def send(self, message: Message) -> Answer:
        target = self._target
        what = f"{target.host}:{target.port}"
        try:
            async with asyncio.timeout(target.timeout_s):
                client = await self._connected()
                await self._introduce(client, message)
                await client.publish(
                    f"{target.base}/{_id(message.alarm.event.camera)}/{_LAST_PART[message.topic]}",
                    json.dumps(mqtt_body(message), ensure_ascii=False, separators=(",", ":")),
                    qos=1,
                    timeout=target.timeout_s,
                )
        except OutwardError as error:
            return refused(error, what)
        except ssl.SSLCertVerificationError as error:
            return Answer(
                outcome=Outcome.SETUP, reason=f"{what}: its certificate is not trusted: {error.verify_message}"
            )
        except aiomqtt.exceptions.MqttConnectError as error:
            await self._drop()
            code = error.rc if isinstance(error.rc, int) else getattr(error.rc, "value", 0)
            lasting = code in _REFUSED or code >= 128
            return Answer(outcome=Outcome.SETUP if lasting else Outcome.TRANSIENT, reason=f"{what}: {error}")
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            await self._drop()
            return unanswered(error, what)
        return Answer(outcome=Outcome.ACCEPTED, reason="acknowledged by the broker")

    async def close(self) -> None:
        if self._client is not None:
            # Where that fails, the broker says it for us, by our last will.
            with suppress(aiomqtt.MqttError, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await self._client.publish(f"{self._target.base}/status", "offline", qos=1, retain=True)
        await self._drop()

    async def _connected(self) -> aiomqtt.Client:
        async with self._one:
            if self._client is not None:
                return self._client
            target = self._target
            host = f"[{target.host}]" if ":" in target.host else target.host
            place = await judged(f"mqtt://{host}:{target.port}", target.reach)
            tls = self._tls()
            client = aiomqtt.Client(
                place.ip,
                target.port,
                username=target.username or None,
                password=self._secrets.get("password") or None,
                identifier=target.client_id or f"perishield-{uuid4().hex[:12]}",
                will=aiomqtt.Will(f"{target.base}/status", "offline", qos=1, retain=True),
                keepalive=_KEEP_ALIVE_S,
                timeout=target.timeout_s,
                tls_context=tls,
            )
            try:
                await self._stack.enter_async_context(client)
            except BaseException:
                if tls is not None:
                    tls.give_up()
                raise
            self._client = client
            self._introduced.clear()
            await client.publish(f"{target.base}/status", "online", qos=1, retain=True)
            return client

    def _tls(self) -> _Named | None:
        if not self._target.tls:
            return None
        context = _Named(ssl.PROTOCOL_TLS_CLIENT)
        context.name = self._target.host
        context.load_default_certs()
        if self._target.ca:
            context.load_verify_locations(cadata=self._target.ca)
        return context

    async def _introduce(self, client: aiomqtt.Client, message: Message) -> None:
        """Tell Home Assistant of a camera, once for each connection."""
        camera = message.alarm.event.camera
        if not self._target.discovery or message.test or camera in self._introduced:
            return
        for topic, config in discovery(self._target, camera, message.alarm.camera_name):
            await client.publish(topic, json.dumps(config, ensure_ascii=False), qos=1, retain=True)
        self._introduced.add(camera)

    async def _drop(self) -> None:
        self._client = None
        stack, self._stack = self._stack, AsyncExitStack()
        # It may be broken, which is why it is dropped.
        with suppress(aiomqtt.MqttError, OSError, TimeoutError):
            await stack.aclose()


_LAST_PART = {Topic.RAISED: "alarm", Topic.CLIP: "clip", Topic.UPDATE: "update"}


def mqtt_body(message: Message) -> dict[str, Any]:
    """Our own message's data with `event_type` beside them."""
    own = own_body(message)
    return {"event_type": message.alarm.event.kind.value, "type": own["type"], **own["data"]}


def discovery(target: Mqtt, camera: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Topics and configurations by which Home Assistant finds a camera's alarms."""
    node = f"{_id(target.base)}_{_id(camera)}"
    shared = {
        "~": f"{target.base}/{_id(camera)}",
        "avty_t": f"{target.base}/status",
        "dev": {"ids": [node], "name": name or camera, "mf": "PyPeriShield"},
        "qos": 1,
    }
    sensor = {
        **shared,
        "name": "Intrusion",
        "uniq_id": f"{node}_intrusion",
        "stat_t": "~/alarm",
        "val_tpl": "ON",
        "dev_cla": "motion",
        "off_dly": _OFF_AFTER_S,
    }
    event = {
        **shared,
        "name": "Alarm",
        "uniq_id": f"{node}_alarm",
        "stat_t": "~/alarm",
        "event_types": [kind.value for kind in EventKind],
    }
    return [
        (f"{target.discovery}/binary_sensor/{node}/intrusion/config", sensor),
        (f"{target.discovery}/event/{node}/alarm/config", event),
    ]


def _id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)

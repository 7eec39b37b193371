"""From a channel's settings to what sends; and whether its secrets will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from perishield.alarms.channels.dingtalk import DingTalkSender
from perishield.alarms.channels.feishu import FeishuSender
from perishield.alarms.channels.http import HttpSender
from perishield.alarms.channels.outward import trusting
from perishield.alarms.channels.sender import Sender
from perishield.alarms.channels.signatures import standard_key
from perishield.alarms.channels.template import check_address, check_template
from perishield.alarms.channels.wecom import WeComSender
from perishield.model.channel_checks import check_channel
from perishield.model.channels import Channel, DingTalk, Email, Feishu, Http, Mqtt, Signature, Target, WeCom
from perishield.model.errors import ChannelError

_NEEDED: dict[type[Any], str] = {DingTalk: "token", WeCom: "key", Feishu: "hook"}
_MOST_SECRET = 1000


def open_sender(channel: Channel, secrets: Mapping[str, str]) -> Sender:
    """What sends for a channel that was checked. Heavy clients are imported only where they are used."""
    target = channel.target
    if isinstance(target, DingTalk):
        return DingTalkSender(target, secrets, channel.language)
    if isinstance(target, WeCom):
        return WeComSender(target, secrets, channel.language)
    if isinstance(target, Feishu):
        return FeishuSender(target, secrets, channel.language)
    if isinstance(target, Email):
        from perishield.alarms.channels.mail import EmailSender

        return EmailSender(target, secrets, channel.language)
    if isinstance(target, Mqtt):
        from perishield.alarms.channels.mqtt import MqttSender

        return MqttSender(target, secrets)
    return HttpSender(target, secrets)


def check_whole(channel: Channel, secrets: Mapping[str, str], known: Mapping[str, Any]) -> None:
    """Raise ChannelError for settings, templates, certificates or secrets that cannot work.

    `known`: the names that templates may use.
    """
    check_channel(channel)
    target: Any = channel.target
    for name, value in secrets.items():
        if name not in target.secrets:
            allowed = ", ".join(target.secrets)
            raise ChannelError(
                f"secrets: a {channel.kind} channel has no {name[:40]!r}, only {allowed}", field="secrets"
            )
        if not value or len(value) > _MOST_SECRET or not value.isascii() or any(char < " " for char in value):
            raise ChannelError(f"secrets.{name}: is 1 to {_MOST_SECRET} printable characters", field=f"secrets.{name}")
    if (needed := _NEEDED.get(type(target))) and needed not in secrets:
        raise ChannelError(
            f"secrets.{needed}: is missing; it stands in the address that {channel.kind} gave", field="secrets"
        )
    if getattr(target, "ca", ""):
        trusting(target.ca)
    signature = getattr(target, "signature", Signature.NONE)
    if signature is Signature.STANDARD:
        for name in ("secret", "old_secret"):
            if name in secrets:
                standard_key(secrets[name])
    if isinstance(target, Http):
        if signature is not Signature.NONE and "secret" not in secrets:
            raise ChannelError("secrets.secret: is missing; a signature needs one", field="secrets.secret")
        for name in ("url", "clip_url"):
            check_address(getattr(target, name), known, f"target.{name}")
        for name in ("body", "clip_body"):
            if getattr(target, name) is not None:
                check_template(getattr(target, name), known, f"target.{name}")


def plain_secrets(target: Target, secrets: Mapping[str, str | None]) -> dict[str, str | None]:
    """Secrets as they are kept: of a robot's whole address, pasted as the vendor shows it, only the secret part."""
    found = dict(secrets)
    name = _NEEDED.get(type(target))
    value = found.get(name) if name else None
    if name and value and value.startswith(("http://", "https://")):
        parts = urlsplit(value)
        query = parse_qs(parts.query)
        inner = query.get("access_token") or query.get("key") or [parts.path.rstrip("/").rpartition("/")[2]]
        found[name] = inner[0]
    return found

"""Channels as the API takes and gives them. Secrets only go in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict

from perishield.alarms.channels.sender import Answer, Outcome
from perishield.api.problems import ProblemError
from perishield.api.times import iso
from perishield.model.channels import Channel, Pace, Route, Target
from perishield.store.channels import StoredChannel
from perishield.store.outbox import Delivery


class ChannelBody(BaseModel):
    """A channel. `target.kind` says what else `target` has; `docs/guides/channels.md` lists it. `secrets` not named
    stay as they are, those that are null are forgotten."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Guards",
                    "target": {"kind": "dingtalk"},
                    "secrets": {"token": "0123", "secret": "SEC0123"},
                    "route": {"levels": [1, 2]},
                },
                {
                    "name": "3D platform",
                    "target": {
                        "kind": "http",
                        "url": "https://platform.example/api/alarms",
                        "body": {"eventId": "{{alarm.id}}", "device": "{{camera.id}}", "time": "{{time.ms}}"},
                        "acknowledgement": {"path": "code", "equals": 0},
                    },
                },
            ]
        },
    )

    id: Annotated[str | None, StringConstraints(max_length=63)] = None
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    enabled: bool = True
    language: Literal["en", "zh"] = "en"
    timezone: Annotated[str, StringConstraints(max_length=64)] = ""
    target: dict[str, Any]
    route: dict[str, Any] = Field(default_factory=dict)
    pace: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str | None] = Field(default_factory=dict, max_length=10)

    def channel(self, name: str) -> Channel:
        """Raises ProblemError (422) that names the field."""
        return Channel(
            id=name,
            name=self.name,
            enabled=self.enabled,
            language=self.language,
            timezone=self.timezone,
            target=_part("target", self.target, Target),
            route=_part("route", self.route, Route),
            pace=_part("pace", self.pace, Pace),
        )


def _part(field: str, value: Mapping[str, Any], kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        place = field + where.rstrip("`").replace("[...]", "")
        raise ProblemError(422, f"{place}: {reason[:1].lower()}{reason[1:]}", field=place) from None


class SecretOut(TypedDict):
    set: bool


class ChannelOut(TypedDict):
    """`trouble`: why it does not deliver, or empty; `paused_until`: not tried before."""

    id: str
    name: str
    enabled: bool
    language: str
    timezone: str
    target: dict[str, Any]
    route: dict[str, Any]
    pace: dict[str, Any]
    tempo: dict[str, Any]
    secrets: dict[str, SecretOut]
    trouble: str
    paused_until: str | None
    revision: int


class ChannelsOut(TypedDict):
    items: list[ChannelOut]
    total: int


class TrialOut(TypedDict):
    """What the receiver answered, as it did."""

    accepted: bool
    outcome: str
    status: int
    answer: str
    reason: str
    took_ms: int


class DeliveryOut(TypedDict):
    number: int
    channel: str
    alarm: str
    camera: str
    topic: str
    key: str
    sequence: int
    state: str
    attempts: int
    created: str
    changed: str
    due: str | None
    status: int
    answer: str
    reason: str
    took_ms: int


class DeliveriesOut(TypedDict):
    items: list[DeliveryOut]
    next: int | None


class RetriedOut(TypedDict):
    retried: int


def channel_out(stored: StoredChannel) -> ChannelOut:
    channel = stored.channel
    target: Any = channel.target
    return {
        "id": channel.id,
        "name": channel.name,
        "enabled": channel.enabled,
        "language": channel.language,
        "timezone": channel.timezone,
        "target": msgspec.to_builtins(target),
        "route": msgspec.to_builtins(channel.route),
        "pace": msgspec.to_builtins(channel.pace),
        "tempo": msgspec.to_builtins(channel.tempo),
        "secrets": {name: {"set": name in stored.secrets} for name in target.secrets},
        "trouble": stored.trouble,
        "paused_until": iso(stored.paused_until) if stored.paused_until else None,
        "revision": channel.revision,
    }


def trial_out(answer: Answer, took_ms: int) -> TrialOut:
    return {
        "accepted": answer.outcome is Outcome.ACCEPTED,
        "outcome": answer.outcome.value,
        "status": answer.status,
        "answer": answer.text,
        "reason": answer.reason,
        "took_ms": took_ms,
    }


def delivery_out(delivery: Delivery) -> DeliveryOut:
    return {
        "number": delivery.number,
        "channel": delivery.channel,
        "alarm": delivery.alarm,
        "camera": delivery.camera,
        "topic": delivery.topic.value,
        "key": delivery.key,
        "sequence": delivery.sequence,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "created": iso(delivery.created),
        "changed": iso(delivery.changed),
        "due": iso(delivery.due) if delivery.due else None,
        "status": delivery.status,
        "answer": delivery.answer,
        "reason": delivery.reason,
        "took_ms": delivery.took_ms,
    }

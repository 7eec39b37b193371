"""Channels: where alarms are delivered to, which of them, how fast, and when it is quiet.

A target's secrets (tokens, passwords, keys of signatures) are no part of it: they lie beside it, never given out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from perishield.model.schedule import Schedule


class Topic(StrEnum):
    """What there is to tell of an alarm. `clip`: its evidence clip is ready, or there will be none."""

    RAISED = "raised"
    CLIP = "clip"
    UPDATE = "update"


class DeliveryState(StrEnum):
    """`held`: waits for the end of quiet hours; `skipped`: quiet hours say that it is not to be told."""

    HELD = "held"
    WAITING = "waiting"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


OPEN_STATES = (DeliveryState.HELD, DeliveryState.WAITING, DeliveryState.LEASED)


class Signature(StrEnum):
    """`standard`: Standard Webhooks; `github`: X-Hub-Signature-256; `hmac`: hexadecimal in a header of one's own."""

    NONE = "none"
    STANDARD = "standard"
    GITHUB = "github"
    HMAC = "hmac"


Reach = Literal["internet", "lan", "host"]
"""Which addresses may be connected to: public ones; those of private networks, too; this host itself, too."""


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all parts: nothing in them is misspelt unnoticed."""


class Acknowledgement(_Part, frozen=True, kw_only=True):
    """What of an answer means "taken": one of `statuses` (empty: any 2xx) and, where `path` is given, a JSON body
    whose value there (`result.code`, `items.0.id`) equals `equals`."""

    statuses: tuple[int, ...] = ()
    path: str = ""
    equals: Any = 0


class Http(_Part, frozen=True, kw_only=True, tag_field="kind", tag="http"):
    """A third party's HTTP interface. `body` is JSON with `{{names}}` in its strings, `clip_url` and `clip_body` are
    for the message that announces the clip; what is left out is as for the alarm itself."""

    secrets: ClassVar[tuple[str, ...]] = ("secret", "old_secret", "authorization")
    url: str
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    clip_url: str = ""
    clip_body: Any = None
    signature: Signature = Signature.NONE
    signature_header: str = "X-Signature"
    acknowledgement: Acknowledgement = Acknowledgement()
    reach: Reach = "internet"
    ca: str = ""
    """Certificates (PEM) that are trusted besides the usual ones."""
    timeout_s: float = 10.0


class Webhook(_Part, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """Our own message, signed after Standard Webhooks where a secret is set."""

    secrets: ClassVar[tuple[str, ...]] = ("secret", "old_secret", "authorization")
    url: str
    signature: Signature = Signature.STANDARD
    reach: Reach = "internet"
    ca: str = ""
    timeout_s: float = 10.0


class DingTalk(_Part, frozen=True, kw_only=True, tag_field="kind", tag="dingtalk"):
    """A group robot. `keyword`: one of the words that the robot asks for; it is put in front of what lacks it."""

    secrets: ClassVar[tuple[str, ...]] = ("token", "secret")
    url: str = "https://oapi.dingtalk.com/robot/send"
    keyword: str = ""
    card: bool = True
    """A card with picture and button; else plain markdown, which can mention people."""
    mention_mobiles: tuple[str, ...] = ()
    mention_all: bool = False
    reach: Reach = "internet"


class WeCom(_Part, frozen=True, kw_only=True, tag_field="kind", tag="wecom"):
    """A group robot. The picture is a message of its own."""

    secrets: ClassVar[tuple[str, ...]] = ("key",)
    url: str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    picture: bool = True
    mention: tuple[str, ...] = ()
    """User ids; `@all` for everybody."""
    reach: Reach = "internet"


class Feishu(_Part, frozen=True, kw_only=True, tag_field="kind", tag="feishu"):
    """A group's custom bot; Lark's lie at open.larksuite.com."""

    secrets: ClassVar[tuple[str, ...]] = ("hook", "secret")
    url: str = "https://open.feishu.cn/open-apis/bot/v2/hook/"
    keyword: str = ""
    mention_all: bool = False
    reach: Reach = "internet"


class Email(_Part, frozen=True, kw_only=True, tag_field="kind", tag="email"):
    """Mail over SMTP. `security`: `starttls`, `tls` from the first byte, or `none` (never with a password)."""

    secrets: ClassVar[tuple[str, ...]] = ("password",)
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    picture: bool = True
    reach: Reach = "internet"
    ca: str = ""
    timeout_s: float = 20.0


class Mqtt(_Part, frozen=True, kw_only=True, tag_field="kind", tag="mqtt"):
    """A broker. Alarms go to `BASE/CAMERA/alarm` with QoS 1; `BASE/status` says whether we are there."""

    secrets: ClassVar[tuple[str, ...]] = ("password",)
    host: str
    port: int = 1883
    tls: bool = False
    username: str = ""
    client_id: str = ""
    base: str = "perishield"
    discovery: str = ""
    """Prefix of Home Assistant's discovery (`homeassistant`); empty: none."""
    reach: Reach = "internet"
    ca: str = ""
    timeout_s: float = 10.0


Target = Http | Webhook | DingTalk | WeCom | Feishu | Email | Mqtt
FOR_PEOPLE = (DingTalk, WeCom, Feishu, Email)


class Quiet(_Part, frozen=True, kw_only=True):
    """While `schedule`, or the named one that counts instead (`schedule_id`), watches, alarms that are less urgent than
    `urgent` (1 the most) are held until its end one by one, held and told in one message, or not told."""

    schedule: Schedule | None = None
    schedule_id: str | None = None
    then: Literal["hold", "digest", "drop"] = "hold"
    urgent: int = 1


class Route(_Part, frozen=True, kw_only=True):
    """Which alarms. Empty: all. `schedule`, or the named one that counts instead (`schedule_id`): only while it
    watches. `topics` empty: as suits the kind of channel, which is the alarm and its clip for machines, the alarm alone
    for people."""

    topics: tuple[Topic, ...] = ()
    levels: tuple[int, ...] = ()
    cameras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Groups of cameras by id; a camera that is named, or in one of them, is meant."""
    kinds: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    schedule: Schedule | None = None
    schedule_id: str | None = None
    quiet: Quiet | None = None


class Pace(_Part, frozen=True, kw_only=True):
    """How fast. None: as suits the kind of channel.

    `per_minute`: messages in any 60 s; `parallel`: at once, each of another camera; `digest_after`: so many waiting are
    told in one message (chat and mail); `first_retry_s` doubles with jitter up to `most_retry_s`; after `give_up_s` an
    alarm counts as undeliverable.
    """

    per_minute: int | None = None
    parallel: int | None = None
    digest_after: int | None = None
    first_retry_s: float | None = None
    most_retry_s: float | None = None
    give_up_s: float | None = None


class Tempo(Struct, frozen=True, kw_only=True):
    """A pace with everything said. `digest_after` 0: never."""

    per_minute: int
    parallel: int
    digest_after: int
    first_retry_s: float
    most_retry_s: float
    give_up_s: float


_DAY_S = 86_400.0
# Robots allow 20 messages a minute; a stale message in a chat is worse than none.
_TEMPOS: dict[type[Any], Tempo] = {
    DingTalk: Tempo(per_minute=18, parallel=1, digest_after=8, first_retry_s=5.0, most_retry_s=120.0, give_up_s=900.0),
    WeCom: Tempo(per_minute=18, parallel=1, digest_after=6, first_retry_s=5.0, most_retry_s=120.0, give_up_s=900.0),
    Feishu: Tempo(per_minute=90, parallel=1, digest_after=30, first_retry_s=5.0, most_retry_s=120.0, give_up_s=900.0),
    Email: Tempo(per_minute=20, parallel=1, digest_after=10, first_retry_s=10.0, most_retry_s=600.0, give_up_s=_DAY_S),
    Mqtt: Tempo(per_minute=6000, parallel=1, digest_after=0, first_retry_s=1.0, most_retry_s=60.0, give_up_s=_DAY_S),
}
_USUAL = Tempo(per_minute=1200, parallel=4, digest_after=0, first_retry_s=1.0, most_retry_s=120.0, give_up_s=_DAY_S)


class Channel(_Part, frozen=True, kw_only=True):
    """One place to deliver to. `language` and `timezone` (IANA name, empty: UTC) of what people read."""

    id: str
    name: str
    target: Target
    enabled: bool = True
    language: Literal["en", "zh"] = "en"
    timezone: str = ""
    route: Route = Route()
    pace: Pace = Pace()
    revision: int = 0

    @property
    def kind(self) -> str:
        return kind_of(self.target)

    @property
    def topics(self) -> tuple[Topic, ...]:
        if self.route.topics:
            return self.route.topics
        return (Topic.RAISED,) if isinstance(self.target, FOR_PEOPLE) else (Topic.RAISED, Topic.CLIP)

    @property
    def tempo(self) -> Tempo:
        """The pace, with what was left to the kind of channel filled in."""
        usual, wanted = _TEMPOS.get(type(self.target), _USUAL), self.pace
        return Tempo(
            **{
                name: getattr(usual, name) if getattr(wanted, name) is None else getattr(wanted, name)
                for name in Tempo.__struct_fields__
            }
        )


def kind_of(target: Target) -> str:
    return str(target.__struct_config__.tag)

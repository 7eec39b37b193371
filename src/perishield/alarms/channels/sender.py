"""What every channel takes and gives: a message, and what its receiver answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from perishield.model.alarms import Alarm
from perishield.model.channels import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Addresses under which others reach this node's pages and files. Pictures and clips are signed and expire.

    `public`: an operator has said under which address the node is reached; else they only work on its own network.
    """

    console: str
    snapshot: str = ""
    clip: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What to tell. `key` is the same however often it is sent; `sequence` counts what a channel is told of a camera.

    `timezone`: in which people read times (IANA name, empty: UTC). `others`: alarms that are told in the same message.
    `plain`: as short and simple as can be, since the receiver has refused it otherwise. `picture`: a JPEG.
    """

    key: str
    topic: Topic
    sequence: int
    alarm: Alarm
    links: Links
    detail: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Alarm, ...] = ()
    timezone: str = ""
    picture: bytes = b""
    plain: bool = False
    test: bool = False


class Outcome(StrEnum):
    """`transient`: try again; `rate`: too fast, wait; `setup`: no try will do before somebody changes the settings;
    `content`: this message will never be taken."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    RATE = "rate"
    SETUP = "setup"
    CONTENT = "content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` and `text`: what was answered, as it was; `reason`: what that means; `wait_s`: asked for by the
    receiver."""

    outcome: Outcome
    status: int = 0
    text: str = ""
    reason: str = ""
    wait_s: float = 0.0


class Sender(Protocol):
    """An open channel. `cost`: messages that one alarm makes, for the limit a minute; `wants_picture`: of the alarm;
    `timeout_s`: the longest that one `send` may take."""

    cost: int
    wants_picture: bool
    timeout_s: float

    async def send(self, message: Message) -> Answer:
        """Tell it once. Raises nothing that an unreachable or strange receiver can cause."""
        ...

    async def close(self) -> None: ...


def unanswered(error: BaseException, what: str) -> Answer:
    """The answer where there was none. `what`: whom we asked, without secrets."""
    reason = str(error) or type(error).__name__
    return Answer(outcome=Outcome.TRANSIENT, reason=f"{what}: {reason[:300]}")

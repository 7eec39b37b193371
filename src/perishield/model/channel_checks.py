"""What a channel must be to be of use."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from perishield.model.alarms import EventKind
from perishield.model.channels import FOR_PEOPLE, Channel, Email, Http, Mqtt, Signature, Webhook
from perishield.model.errors import ChannelError, RuleError
from perishield.model.schedule import Schedule, check_schedule, two_schedules

CHANNEL_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_MOST = 500
_TOPIC_PART = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "authorization"})


def check_channel(channel: Channel) -> None:
    """Raise ChannelError that names the field."""
    if not CHANNEL_ID.fullmatch(channel.id):
        raise _wrong(channel, "id", "is 1 to 63 lower-case letters, digits, dashes and underscores")
    if not channel.name.strip() or len(channel.name) > 100:
        raise _wrong(channel, "name", "is 1 to 100 characters")
    try:
        ZoneInfo(channel.timezone or "UTC")
    except (KeyError, ValueError, OSError):
        raise _wrong(channel, "timezone", "is a name of the IANA database, such as Asia/Shanghai") from None
    target: Any = channel.target
    if hasattr(target, "url"):
        _check_url(channel, "target.url", target.url)
    if hasattr(target, "host"):
        _check_host(channel, target)
    if hasattr(target, "timeout_s") and not 1 <= target.timeout_s <= 60:
        raise _wrong(channel, "target.timeout_s", "is 1 to 60 seconds")
    if len(getattr(target, "ca", "")) > 100_000:
        raise _wrong(channel, "target.ca", "is at most 100 kB of certificates")
    if isinstance(target, Http):
        _check_http(channel, target)
    if isinstance(target, Webhook) and target.signature is Signature.HMAC:
        raise _wrong(channel, "target.signature", "is none, standard or github; channels of kind http have hmac")
    if isinstance(target, Email):
        _check_email(channel, target)
    if isinstance(target, Mqtt):
        for name in ("base", "discovery"):
            value = getattr(target, name)
            if (value or name == "base") and (not _TOPIC_PART.fullmatch(value) or len(value) > 100):
                raise _wrong(channel, f"target.{name}", "is made of letters, digits, dash, dot and single slashes")
    _check_route(channel)
    _check_pace(channel)


def _wrong(channel: Channel, name: str, reason: str) -> ChannelError:
    return ChannelError(f"channel {channel.name or channel.id!r}: {name} {reason}", field=name)


def _check_url(channel: Channel, name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > 2000 or any(char <= " " for char in url):
        raise _wrong(channel, name, "is an address like https://platform.example/api/alarms")
    if parts.username is not None or parts.password is not None:
        raise _wrong(channel, name, "holds a password; put it into the secret `authorization`")


def _check_host(channel: Channel, target: Email | Mqtt) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", target.host):
        raise _wrong(channel, "target.host", "is a host's name or address")
    if not 1 <= target.port <= 65535:
        raise _wrong(channel, "target.port", "is 1 to 65535")


def _check_http(channel: Channel, target: Http) -> None:
    if target.clip_url:
        _check_url(channel, "target.clip_url", target.clip_url)
    for name, value in target.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS or len(target.headers) > 50:
            raise _wrong(channel, "target.headers", f"cannot set {name[:40]!r}")
        if len(value) > 2000 or not value.isascii() or any(char < " " for char in value):
            raise _wrong(channel, "target.headers", f"{name!r} has a value that no header can have")
    if not _HEADER.fullmatch(target.signature_header) or target.signature_header.lower() in _OURS:
        raise _wrong(channel, "target.signature_header", "is a header's name")
    taken = target.acknowledgement
    if len(taken.path) > 200 or len(taken.statuses) > 20 or any(not 100 <= one <= 599 for one in taken.statuses):
        raise _wrong(channel, "target.acknowledgement", "has HTTP statuses, and a path like result.code")
    if isinstance(taken.equals, dict | list):
        raise _wrong(channel, "target.acknowledgement.equals", "is a text, a number, true, false or null")


def _check_email(channel: Channel, target: Email) -> None:
    for address in (target.sender, *target.to):
        if not re.fullmatch(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,190}", address) or not address.isascii():
            raise _wrong(channel, "target.to", f"{address[:80]!r} is no address; one is guard@example.org")
    if not 1 <= len(target.to) <= 50:
        raise _wrong(channel, "target.to", "names 1 to 50 addresses")
    if target.security == "none" and target.username:
        raise _wrong(channel, "target.security", "is none: a password would travel in the clear; use starttls or tls")


def _check_route(channel: Channel) -> None:
    route = channel.route
    if any(not 1 <= level <= 4 for level in route.levels):
        raise _wrong(channel, "route.levels", "are 1 (most urgent) to 4")
    known = {kind.value for kind in EventKind}
    strange = [kind for kind in route.kinds if kind not in known]
    if strange:
        raise _wrong(channel, "route.kinds", f"has {strange[0][:40]!r}; known are {', '.join(sorted(known))}")
    if max(len(route.cameras), len(route.groups), len(route.rules)) > 5000:
        raise _wrong(channel, "route", "names at most 5000 cameras and rules; leave the list empty for all")
    _check_schedule(channel, "route.schedule", route.schedule)
    _check_named(channel, "route.schedule_id", route.schedule, route.schedule_id)
    if route.quiet is not None:
        if route.quiet.schedule is None and route.quiet.schedule_id is None:
            raise _wrong(channel, "route.quiet", "needs hours: a schedule, or the schedule_id of one")
        _check_schedule(channel, "route.quiet", route.quiet.schedule)
        _check_named(channel, "route.quiet.schedule_id", route.quiet.schedule, route.quiet.schedule_id)
        if not 0 <= route.quiet.urgent <= 4:
            raise _wrong(channel, "route.quiet.urgent", "is 0 (nothing is urgent) to 4")
        if route.quiet.then == "digest" and not isinstance(channel.target, FOR_PEOPLE):
            raise _wrong(channel, "route.quiet.then", "is hold or drop for machines; only people are told in a summary")


def _check_schedule(channel: Channel, name: str, schedule: Schedule | None) -> None:
    if schedule is None:
        return
    try:
        check_schedule(channel.name, schedule)
    except RuleError as error:
        raise _wrong(channel, name, f"makes no sense: {error.message.partition(': ')[2]}") from None


def _check_named(channel: Channel, name: str, schedule: Schedule | None, named: str | None) -> None:
    if named is None:
        return
    if not CHANNEL_ID.fullmatch(named):
        raise _wrong(channel, name, "is the id of a schedule: 1 to 63 lower-case letters, digits, dashes, underscores")
    if schedule is not None:
        both = two_schedules(channel.name, named, of="channel")
        raise ChannelError(both.message, field=name, why="two_schedules")


def _check_pace(channel: Channel) -> None:
    bounds = {
        "per_minute": (1, 100_000),
        "parallel": (1, 32),
        "digest_after": (0, _MOST),
        "first_retry_s": (0.05, 3600),
        "most_retry_s": (0.05, 86_400),
        "give_up_s": (10, 30 * 86_400),
    }
    if channel.pace.digest_after and not isinstance(channel.target, FOR_PEOPLE):
        raise _wrong(channel, "pace.digest_after", "is 0 for machines, which are told of each alarm")
    for name, (least, most) in bounds.items():
        value = getattr(channel.pace, name)
        if value is not None and not least <= value <= most:
            raise _wrong(channel, f"pace.{name}", f"is {least} to {most}")

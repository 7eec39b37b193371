"""An alarm as people read it, in English or Chinese; and what keeps foreign names from becoming markup."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from perishield.alarms.channels.sender import Message
from perishield.model.alarms import Alarm, ClipState
from perishield.model.channels import Topic

Language = Literal["en", "zh"]

_KINDS: dict[Language, dict[str, str]] = {
    "en": {
        "tripwire": "Line crossed",
        "zone_enter": "Zone entered",
        "zone_exit": "Zone left",
        "zone_inside": "Inside a zone",
        "fence": "Fence crossed",
        "health": "Camera trouble",
        "loiter": "Loitering",
        "wrong_way": "Wrong way",
        "count": "Too many, or too few",
        "line_count": "Line counted",
        "left_object": "Object left behind",
    },
    "zh": {
        "tripwire": "越线",
        "zone_enter": "进入区域",
        "zone_exit": "离开区域",
        "zone_inside": "区域内有目标",
        "fence": "翻越围栏",
        "health": "摄像机异常",
        "loiter": "徘徊",
        "wrong_way": "逆行",
        "count": "数量异常",
        "line_count": "越线计数",
        "left_object": "遗留物",
    },
}
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "camera": "Camera",
        "rule": "Rule",
        "level": "Level",
        "time": "Time",
        "object": "Object",
        "open": "Open the alarm",
        "clip": "Clip ready",
        "no_clip": "There is no clip",
        "test": "Test",
        "alarms": "{count} alarms",
        "more": "and {count} more",
        "alarm": "Alarm",
        "update": "Update",
        "watch": "Watch the clip",
    },
    "zh": {
        "camera": "摄像机",
        "rule": "规则",
        "level": "级别",
        "time": "时间",
        "object": "目标",
        "open": "查看报警",
        "clip": "录像已就绪",
        "no_clip": "没有录像",
        "test": "测试",
        "alarms": "{count} 条报警",
        "more": "另有 {count} 条",
        "alarm": "报警",
        "update": "更新",
        "watch": "查看录像",
    },
}
_MARKUP = re.compile(r"([\\`*_\[\]()#!|~>])")
_MENTION = re.compile(r"<\s*/?\s*(?:at|@|font)[^>]*>?", re.IGNORECASE)
_AT = re.compile(r"@(?=\S)")
_MOST_LISTED = 20


def word(language: Language, name: str) -> str:
    return _WORDS[language][name]


def kind_words(language: Language, alarm: Alarm) -> str:
    return _KINDS[language].get(alarm.event.kind.value, alarm.event.kind.value)


def moment(wall: float, timezone: str = "") -> str:
    """Time of a zone, with its difference from UTC.

    >>> moment(1790000000.0, "Asia/Shanghai")
    '2026-09-21 22:13:20 +08:00'
    """
    try:
        local = datetime.fromtimestamp(wall, ZoneInfo(timezone) if timezone else UTC)
    except (ValueError, KeyError, OverflowError, OSError):
        return str(wall)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.isoformat()[-6:] if timezone else 'UTC'}"


def title(language: Language, message: Message) -> str:
    """One line: what, and where."""
    words, alarm = _WORDS[language], message.alarm
    if message.others:
        return words["alarms"].format(count=1 + len(message.others))
    what = kind_words(language, alarm)
    if message.topic is Topic.CLIP:
        what = f"{words['clip'] if alarm.clip_state is ClipState.READY else words['no_clip']}: {what}"
    elif message.topic is Topic.UPDATE:
        what = f"{words['update']}: {what}"
    if message.test:
        what = f"[{words['test']}] {what}"
    return f"{what} · {tame(alarm.camera_name)}"


def facts(language: Language, message: Message) -> list[tuple[str, str]]:
    """(word, value), plain text; of several alarms their counts by camera."""
    words, alarm = _WORDS[language], message.alarm
    if message.others:
        counted = Counter(tame(one.camera_name) for one in (alarm, *message.others))
        listed = [(name, str(count)) for name, count in counted.most_common(_MOST_LISTED)]
        rest = len(counted) - len(listed)
        return [*listed, *([("…", words["more"].format(count=rest))] if rest else [])]
    found = [
        (words["camera"], tame(alarm.camera_name)),
        (words["rule"], tame(str(alarm.event.rule.get("name", "")))),
        (words["level"], str(alarm.level)),
        (words["object"], tame(alarm.event.label)),
        (words["time"], moment(alarm.event.wall, message.timezone)),
    ]
    if message.topic is Topic.UPDATE:
        found += [(tame(str(name)), tame(str(value))) for name, value in list(message.detail.items())[:10]]
    return [(name, value) for name, value in found if value]


def numbers(message: Message) -> str:
    """The alarm's id, which stays the same when a message comes twice."""
    more = f" +{len(message.others)}" if message.others else ""
    return f"{message.alarm.id}{more}"


def tame(text: str) -> str:
    """A foreign name on one line, from which nobody is mentioned and no tag begins."""
    flat = " ".join(text.split())
    return _AT.sub("＠", _MENTION.sub("", flat)).replace("<", "＜")


def escape_markdown(text: str) -> str:
    r"""Text in which markdown finds nothing to do.

    >>> escape_markdown("gate_3 *north*")
    'gate\\_3 \\*north\\*'
    """
    return _MARKUP.sub(r"\\\1", text)


def cut(text: str, most_bytes: int) -> str:
    """At most so many bytes of UTF-8, at the edge of a character, with an ellipsis where something is missing.

    >>> cut("北门北门", 9)
    '北门…'
    """
    raw = text.encode()
    if len(raw) <= most_bytes:
        return text
    return raw[: max(most_bytes - 3, 0)].decode(errors="ignore") + "…" if most_bytes >= 3 else ""

"""Feishu's and Lark's custom bots: a card with a button; pictures need an app of one's own, so they are linked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from perishield.alarms.channels.robot import TIMEOUT_S, Robot
from perishield.alarms.channels.sender import Answer, Message, Outcome
from perishield.alarms.channels.signatures import feishu_sign
from perishield.alarms.channels.texts import Language, cut, escape_markdown, facts, numbers, title, word
from perishield.model.channels import Feishu, Topic

MOST_BYTES = 20_000
_COLOURS = {1: "red", 2: "orange", 3: "yellow", 4: "blue"}
_CODES = {
    -1: Outcome.TRANSIENT,
    11232: Outcome.RATE,
    19021: Outcome.SETUP,
    19022: Outcome.SETUP,
    19024: Outcome.SETUP,
    19001: Outcome.SETUP,
    9499: Outcome.CONTENT,
    11246: Outcome.CONTENT,
}


class FeishuSender:
    cost = 1
    wants_picture = False
    timeout_s = TIMEOUT_S + 5

    def __init__(self, target: Feishu, secrets: Mapping[str, str], language: Language) -> None:
        self._target = target
        self._secrets = secrets
        self._language = language
        self._robot = Robot("Feishu", target.reach, _CODES)

    async def send(self, message: Message) -> Answer:
        body = self.body(message)
        if secret := self._secrets.get("secret"):
            now = int(time.time())
            body = {"timestamp": str(now), "sign": feishu_sign(secret, now), **body}
        return await self._robot.post(self._target.url.rstrip("/") + "/" + self._secrets.get("hook", ""), body)

    async def close(self) -> None:
        await self._robot.close()

    def body(self, message: Message) -> dict[str, Any]:
        """The message as Feishu reads it."""
        language, head = self._language, title(self._language, message)
        if self._target.keyword and self._target.keyword not in head:
            head = f"{self._target.keyword} {head}"
        found = [(name, cut(value, 300)) for name, value in facts(language, message)]
        everybody = self._target.mention_all
        if message.plain:
            text = "\n".join([cut(head, 300), message.links.console, *(f"{name}: {value}" for name, value in found)])
            at = '\n<at user_id="all"></at>' if everybody else ""
            return {"msg_type": "text", "content": {"text": cut(text, 4000) + f"\n{numbers(message)}{at}"}}
        fields = [
            {
                "is_short": True,
                "text": {"tag": "lark_md", "content": f"**{escape_markdown(name)}**\n{escape_markdown(value)}"},
            }
            for name, value in found
        ]
        buttons = [_button(word(language, "open"), message.links.console, "primary")]
        if message.topic is Topic.CLIP and message.links.clip:
            buttons.append(_button(word(language, "watch"), message.links.clip, "default"))
        elements: list[dict[str, Any]] = [{"tag": "div", "fields": fields}]
        if everybody:
            elements.append({"tag": "div", "text": {"tag": "lark_md", "content": "<at id=all></at>"}})
        elements += [
            {"tag": "action", "actions": buttons},
            {"tag": "note", "elements": [{"tag": "plain_text", "content": numbers(message)}]},
        ]
        header = {
            "template": _COLOURS.get(message.alarm.level, "blue"),
            "title": {"tag": "plain_text", "content": cut(head, 300)},
        }
        card = {"config": {"wide_screen_mode": True}, "header": header, "elements": elements}
        return {"msg_type": "interactive", "card": card}


def _button(text: str, url: str, kind: str) -> dict[str, Any]:
    return {"tag": "button", "type": kind, "text": {"tag": "plain_text", "content": text}, "url": url}

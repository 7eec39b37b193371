"""WeCom's group robots: markdown of 4096 bytes, pictures as a message of their own, 20 messages a minute."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from perishield.alarms.channels.robot import TIMEOUT_S, Robot
from perishield.alarms.channels.sender import Answer, Message, Outcome
from perishield.alarms.channels.texts import Language, cut, facts, numbers, title, word
from perishield.model.channels import WeCom

MOST_MARKDOWN = 4096
MOST_TEXT = 2048
MOST_PICTURE = 2 << 20
_COLOURS = {1: "warning", 2: "warning", 3: "comment", 4: "comment"}
_CODES = {
    -1: Outcome.TRANSIENT,
    45009: Outcome.RATE,
    93000: Outcome.SETUP,
    93004: Outcome.SETUP,
    93008: Outcome.SETUP,
    40058: Outcome.CONTENT,
    45002: Outcome.CONTENT,
    40008: Outcome.CONTENT,
    44004: Outcome.CONTENT,
    40009: Outcome.CONTENT,
    301019: Outcome.CONTENT,
}


class WeComSender:
    timeout_s = 2 * TIMEOUT_S + 5

    def __init__(self, target: WeCom, secrets: Mapping[str, str], language: Language) -> None:
        self._target = target
        self._secrets = secrets
        self._language = language
        self.wants_picture = target.picture
        self.cost = 1 + target.picture + bool(target.mention)
        self._robot = Robot("WeCom", target.reach, _CODES)

    async def send(self, message: Message) -> Answer:
        """The text counts: it goes first, and a picture that is refused changes nothing about it."""
        url = f"{self._target.url}?{urlencode({'key': self._secrets.get('key', '')})}"
        answer = await self._robot.post(url, self.body(message))
        if answer.outcome is not Outcome.ACCEPTED:
            return answer
        for more in self._after(message):
            extra = await self._robot.post(url, more)
            if extra.outcome is not Outcome.ACCEPTED:
                return Answer(
                    outcome=Outcome.ACCEPTED, status=answer.status, text=extra.text,
                    reason=f"the text was taken, its {more['msgtype']} was not: {extra.reason}",
                )  # fmt: skip
        return answer

    async def close(self) -> None:
        await self._robot.close()

    def body(self, message: Message) -> dict[str, Any]:
        """The message as WeCom reads it."""
        language, head = self._language, title(self._language, message)
        lines = [f"{name}: {value}" for name, value in facts(language, message)]
        if message.plain:
            text = "\n".join([cut(head, 300), message.links.console, numbers(message), *lines])
            return {"msgtype": "text", "text": {"content": cut(text, MOST_TEXT)}}
        colour = _COLOURS.get(message.alarm.level, "comment")
        # A link is not to be cut in half, so the rest gives way.
        tail = f"\n[{word(language, 'open')}]({message.links.console})\n> {numbers(message)}"
        rows = [f'**<font color="{colour}">{cut(head, 300)}</font>**', *(f"> {line}" for line in lines)]
        text = cut("\n".join(rows), max(MOST_MARKDOWN - len(tail.encode()), 400)) + tail
        return {"msgtype": "markdown", "markdown": {"content": cut(text, MOST_MARKDOWN)}}

    def _after(self, message: Message) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        picture = message.picture
        if self._target.picture and picture and len(picture) <= MOST_PICTURE and not message.others:
            digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()
            found.append({"msgtype": "image", "image": {"base64": base64.b64encode(picture).decode(), "md5": digest}})
        if self._target.mention:
            content = cut(title(self._language, message), MOST_TEXT)
            mentioned = list(self._target.mention[:50])
            found.append({"msgtype": "text", "text": {"content": content, "mentioned_list": mentioned}})
        return found

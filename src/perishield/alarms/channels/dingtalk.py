"""DingTalk's group robots: signed, 20 messages a minute, pictures by public address only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from perishield.alarms.channels.robot import TIMEOUT_S, Robot
from perishield.alarms.channels.sender import Answer, Message, Outcome
from perishield.alarms.channels.signatures import dingtalk_sign
from perishield.alarms.channels.texts import Language, cut, escape_markdown, facts, numbers, title, word
from perishield.model.channels import DingTalk

MOST_BYTES = 20_000
_TEXT_BYTES = 12_000
_CODES = {
    -1: Outcome.TRANSIENT,
    130101: Outcome.RATE,
    410100: Outcome.RATE,
    310000: Outcome.SETUP,
    300001: Outcome.SETUP,
    400013: Outcome.SETUP,
    400101: Outcome.SETUP,
    400102: Outcome.SETUP,
    43004: Outcome.SETUP,
    40035: Outcome.CONTENT,
}


class DingTalkSender:
    cost = 1
    wants_picture = False
    timeout_s = TIMEOUT_S + 5

    def __init__(self, target: DingTalk, secrets: Mapping[str, str], language: Language) -> None:
        self._target = target
        self._secrets = secrets
        self._language = language
        # Whoever is too fast is muted for several minutes.
        self._robot = Robot("DingTalk", target.reach, _CODES, rate_wait_s=120.0)

    async def send(self, message: Message) -> Answer:
        return await self._robot.post(self._url(), self.body(message))

    async def close(self) -> None:
        await self._robot.close()

    def _url(self) -> str:
        query = {"access_token": self._secrets.get("token", "")}
        if secret := self._secrets.get("secret"):
            now = int(time.time() * 1000)
            query |= {"timestamp": str(now), "sign": dingtalk_sign(secret, now)}
        return f"{self._target.url}?{urlencode(query)}"

    def body(self, message: Message) -> dict[str, Any]:
        """The message as DingTalk reads it."""
        head, language = title(self._language, message), self._language
        keyword = self._target.keyword
        if keyword and keyword not in head:
            head = f"{keyword} {head}"
        lines = [f"{name}: {value}" for name, value in facts(language, message)]
        if message.plain:
            text = "\n".join([cut(head, 300), message.links.console, numbers(message), *lines])
            return {"msgtype": "text", "text": {"content": cut(text, 2000)}, "at": self._at()}
        rows = [f"### {escape_markdown(head)}", *(f"- {escape_markdown(line)}" for line in lines)]
        if message.links.public and message.links.snapshot.startswith("https://") and not message.others:
            rows.append(f"![]({message.links.snapshot})")
        rows.append(f"> {escape_markdown(numbers(message))}")
        if self._target.card and not self._mentions:
            card = {
                "title": cut(head, 200),
                "text": cut("\n\n".join(rows), _TEXT_BYTES),
                "singleTitle": word(language, "open"),
                "singleURL": message.links.console,
            }
            return {"msgtype": "actionCard", "actionCard": card}
        # Who is mentioned must stand in the text as well.
        tail = "\n\n".join([f"[{word(language, 'open')}]({message.links.console})", self._mentions]).strip()
        text = cut("\n\n".join(rows), _TEXT_BYTES) + "\n\n" + tail
        return {"msgtype": "markdown", "markdown": {"title": cut(head, 200), "text": text}, "at": self._at()}

    @property
    def _mentions(self) -> str:
        names = [f"@{mobile}" for mobile in self._target.mention_mobiles[:20]]
        return " ".join([*names, *(["@all"] if self._target.mention_all else [])])

    def _at(self) -> dict[str, Any]:
        return {"atMobiles": list(self._target.mention_mobiles[:20]), "isAtAll": self._target.mention_all}

"""What the group robots have in common: JSON by POST, HTTP 200 always, success by a code in the body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from perishield.alarms.channels.http import refused
from perishield.alarms.channels.outward import Outbound
from perishield.alarms.channels.sender import Answer, Outcome, unanswered
from perishield.model.channels import Reach
from perishield.model.outward import OutwardError

TIMEOUT_S = 10.0
RATE_WAIT_S = 60.0


class Robot:
    """Posts and reads codes. `name`: what messages call it, since its address is a secret."""

    def __init__(
        self, name: str, reach: Reach, codes: Mapping[int, Outcome], *, rate_wait_s: float = RATE_WAIT_S
    ) -> None:
        self._name = name
        self._codes = codes
        self._rate_wait_s = rate_wait_s
        self._outbound = Outbound(reach, timeout_s=TIMEOUT_S)

    async def post(self, url: str, body: Mapping[str, Any]) -> Answer:
        """One message. `url` may hold secrets, and appears nowhere."""
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"content-type": "application/json; charset=utf-8"}
        try:
            reply = await self._outbound.request("POST", url, body=raw, headers=headers)
        except OutwardError as error:
            return refused(error, self._name)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
                # Their texts quote the address.
                return Answer(outcome=Outcome.SETUP, reason=f"{self._name}: its address cannot be used")
            return unanswered(error, self._name)
        text = reply.text[:1024]
        if reply.status == 429:
            return Answer(
                outcome=Outcome.RATE, status=429, text=text, reason="too many messages", wait_s=self._rate_wait_s
            )
        if reply.status >= 500:
            return Answer(outcome=Outcome.TRANSIENT, status=reply.status, text=text, reason=f"failed: {reply.status}")
        return self.by_code(reply.status, reply.body, text)

    def by_code(self, status: int, raw: bytes, text: str) -> Answer:
        """What the body of an answer means."""
        try:
            told = json.loads(raw)
            code = told.get("errcode", told.get("code"))
            punished = "punish" in told
        except (ValueError, AttributeError, RecursionError):
            code, punished, told = None, False, {}
        if punished:
            wait_s = max(float(told["wait"]), self._rate_wait_s) if isinstance(told.get("wait"), int) else 0.0
            return Answer(
                outcome=Outcome.RATE, status=status, text=text, reason="held off by its gateway",
                wait_s=wait_s or self._rate_wait_s,
            )  # fmt: skip
        if not isinstance(code, int) or isinstance(code, bool):
            outcome = Outcome.SETUP if 300 <= status < 500 else Outcome.TRANSIENT
            return Answer(outcome=outcome, status=status, text=text, reason="this is no answer of such a robot")
        said = str(told.get("errmsg", told.get("msg", "")))[:200]
        if code == 0:
            return Answer(outcome=Outcome.ACCEPTED, status=status, text=text)
        outcome = self._codes.get(code, Outcome.CONTENT)
        return Answer(
            outcome=outcome,
            status=status,
            text=text,
            reason=f"code {code}: {said}",
            wait_s=self._rate_wait_s if outcome is Outcome.RATE else 0.0,
        )

    async def close(self) -> None:
        await self._outbound.close()

"""HTTP: a third party's interface in its own words, or our own message as a webhook."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from perishield.alarms.channels.outward import Outbound, Reply
from perishield.alarms.channels.payload import names, own_body
from perishield.alarms.channels.sender import Answer, Message, Outcome, unanswered
from perishield.alarms.channels.signatures import signature_headers
from perishield.alarms.channels.template import render_address, render_body
from perishield.model.channels import Acknowledgement, Http, Topic, Webhook
from perishield.model.errors import mask_url
from perishield.model.outward import OutwardError

_BUSY = frozenset({408, 409, 423, 425})
_SETUP = frozenset({401, 402, 403, 404, 405, 407, 410, 501})
_MOST_WAIT_S = 3600.0


class HttpSender:
    """Sends to a `Http` or `Webhook` target. `Idempotency-Key` and `webhook-id` are the same at every try."""

    cost = 1
    wants_picture = False

    def __init__(self, target: Http | Webhook, secrets: Mapping[str, str]) -> None:
        self.timeout_s = target.timeout_s
        self._target = target
        self._secrets = secrets
        self._outbound = Outbound(target.reach, ca=target.ca, timeout_s=target.timeout_s)

    async def send(self, message: Message) -> Answer:
        url, body = self._url(message), self._body(message)
        try:
            reply = await self._outbound.request(self._method, url, body=body, headers=self._headers(message, body))
        except OutwardError as error:
            return refused(error, mask_url(url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return unanswered(error, mask_url(url))
        taken = self._target.acknowledgement if isinstance(self._target, Http) else Acknowledgement()
        return judge(reply, taken)

    async def close(self) -> None:
        await self._outbound.close()

    @property
    def _method(self) -> str:
        return self._target.method if isinstance(self._target, Http) else "POST"

    def _url(self, message: Message) -> str:
        url = self._target.url
        if isinstance(self._target, Http) and message.topic is Topic.CLIP and self._target.clip_url:
            url = self._target.clip_url
        return render_address(url, names(message))

    def _body(self, message: Message) -> bytes:
        template: Any = None
        if isinstance(self._target, Http):
            template = self._target.body
            if message.topic is Topic.CLIP and self._target.clip_body is not None:
                template = self._target.clip_body
        if template is None:
            return json.dumps(own_body(message), ensure_ascii=False, separators=(",", ":")).encode()
        return render_body(template, message)

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {"content-type": "application/json; charset=utf-8", "idempotency-key": message.key}
        header = ""
        if isinstance(self._target, Http):
            headers |= self._target.headers
            header = self._target.signature_header
        if self._secrets.get("authorization"):
            headers["authorization"] = self._secrets["authorization"]
        # What is signed is joined by dots, so the id must hold none; no key has a tilde.
        name = message.key.replace(".", "~")
        return headers | signature_headers(self._target.signature, self._secrets, name, int(time.time()), body, header)


def refused(error: OutwardError, what: str) -> Answer:
    """The answer of an address that we do not connect to; a name that is not found may be found later."""
    outcome = Outcome.TRANSIENT if error.code == "address_unknown" else Outcome.SETUP
    return Answer(outcome=outcome, reason=f"{what}: {error.message}")


def judge(reply: Reply, taken: Acknowledgement) -> Answer:
    """What an answer means."""
    status, text = reply.status, reply.text[:1024]

    def answer(outcome: Outcome, reason: str = "", wait_s: float = 0.0) -> Answer:
        return Answer(outcome=outcome, status=status, text=text, reason=reason, wait_s=wait_s)

    if status in taken.statuses if taken.statuses else 200 <= status < 300:
        if not taken.path:
            return answer(Outcome.ACCEPTED)
        found, value = at_path(reply.body, taken.path)
        if found and value == taken.equals and isinstance(value, bool) == isinstance(taken.equals, bool):
            return answer(Outcome.ACCEPTED)
        told = json.dumps(value, ensure_ascii=False)[:80] if found else "missing"
        return answer(Outcome.TRANSIENT, f"{taken.path} is {told}, not {json.dumps(taken.equals)[:80]}")
    wait_s = retry_after(reply.headers.get("retry-after", ""))
    if status == 429:
        return answer(Outcome.RATE, "asks us to slow down (429)", wait_s)
    if status >= 500 and status != 501:
        return answer(Outcome.TRANSIENT, f"failed with {status}", wait_s)
    if status in _BUSY:
        return answer(Outcome.TRANSIENT, f"is not ready for it ({status})", wait_s)
    if 300 <= status < 400:
        return answer(Outcome.SETUP, f"redirects ({status}), which is not followed; enter the address it leads to")
    if status in _SETUP:
        return answer(Outcome.SETUP, f"refuses us ({status}); check address and credentials")
    return answer(Outcome.CONTENT, f"refuses this message ({status})")


def at_path(body: bytes, path: str) -> tuple[bool, Any]:
    """The value at `a.b.0.c` of a JSON body, and whether there is one."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return False, None
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value


def retry_after(value: str) -> float:
    """Seconds of a Retry-After header (RFC 9110, section 10.2.3), at most an hour; 0 for what is none."""
    try:
        seconds = float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError, TypeError):
        return 0.0
    return min(max(seconds, 0.0), _MOST_WAIT_S)

"""Receivers on free loopback ports that check what they get as the vendors document it, and answer as they do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(slots=True)
class Reply:
    """`after_s`: silence before it; `cut`: the connection ends without an answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    cut: bool = False


Answer = Callable[[Request], Reply]


class Receiver:
    """An HTTP/1.1 server that keeps what it gets. `port` is set while it runs."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or (lambda _: Reply())
        self.requests: list[Request] = []
        self.port = 0
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def reach(self, count: int, seconds: float = 20) -> None:
        """Wait until that many requests came."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                self._news.clear()
                await self._news.wait()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        connections: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await self._serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                connections.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(connections):
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(method, target, headers, body)
            reply = self.answer(request)
            self.requests.append(request)
            self._news.set()
            await asyncio.sleep(reply.after_s)
            if reply.cut:
                writer.transport.abort()
                return
            told = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            writer.write(
                f"HTTP/1.1 {reply.status} Answer\r\ncontent-length: {len(reply.body)}\r\n{told}\r\n".encode()
                + reply.body
            )
            await writer.drain()


def _json(**body: Any) -> Reply:
    return Reply(body=json.dumps(body).encode())


class Minute:
    """So many messages in any 60 s; the clock is the caller's."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._taken: list[float] = []

    def full(self) -> bool:
        now = self._clock()
        self._taken = [moment for moment in self._taken if moment > now - 60]
        if len(self._taken) >= self._most:
            return True
        self._taken.append(now)
        return False


class DingTalkRobot:
    """A robot with a token and, where given, a signing secret and a keyword. `shown` is what the group sees."""

    def __init__(self, token: str, secret: str = "", keyword: str = "", most: int = 20) -> None:
        self.shown: list[dict[str, Any]] = []
        self._token, self._secret, self._keyword = token, secret, keyword
        self._minute = Minute(most)

    def __call__(self, request: Request) -> Reply:
        query = request.query
        if query.get("access_token") != self._token:
            return _json(errcode=300001, errmsg="token is not exist")
        if self._secret:
            stamp = query.get("timestamp", "")
            text = f"{stamp}\n{self._secret}".encode()
            wanted = base64.b64encode(hmac.new(self._secret.encode(), text, hashlib.sha256).digest()).decode()
            if not stamp.isdecimal() or abs(int(stamp) - time.time() * 1000) > 3_600_000:
                return _json(errcode=310000, errmsg="timestamp out of range")
            if query.get("sign") != wanted:
                return _json(errcode=310000, errmsg="sign not match")
        if not request.headers["content-type"].startswith("application/json"):
            return _json(errcode=43004, errmsg="need content-type application/json")
        if len(request.body) > 20_000:
            return _json(errcode=40035, errmsg="too long")
        body = request.json
        wrong = self._format(body)
        if wrong:
            return _json(errcode=40035, errmsg=wrong)
        if self._keyword and self._keyword not in json.dumps(body[body["msgtype"]], ensure_ascii=False):
            return _json(errcode=310000, errmsg="keywords not in content")
        if self._minute.full():
            return _json(errcode=130101, errmsg="send too fast, exceed 20 times per minute")
        self.shown.append(body)
        return _json(errcode=0, errmsg="ok")

    @staticmethod
    def _format(body: dict[str, Any]) -> str:
        kind = body.get("msgtype")
        fields = {
            "text": {"content"},
            "markdown": {"title", "text"},
            "actionCard": {"title", "text", "singleTitle", "singleURL"},
        }.get(str(kind))
        if fields is None:
            return f"msgtype {kind}"
        part = body.get(str(kind), {})
        if set(part) != fields or not all(isinstance(value, str) and value for value in part.values()):
            return f"{kind} has {sorted(part)}"
        if set(body) - {"msgtype", str(kind), "at"}:
            return f"has {sorted(body)}"
        if kind == "markdown":
            for mobile in body.get("at", {}).get("atMobiles", []):
                if f"@{mobile}" not in part["text"]:
                    return "who is mentioned must stand in the text"
        return ""


class WeComRobot:
    def __init__(self, key: str = "key", most: int = 20) -> None:
        self.shown: list[dict[str, Any]] = []
        self._key = key
        self._minute = Minute(most)

    def __call__(self, request: Request) -> Reply:
        if request.query.get("key") != self._key:
            return _json(errcode=93000, errmsg="invalid webhook url")
        body = request.json
        kind = body.get("msgtype")
        part = body.get(kind, {})
        if kind == "markdown" and not 0 < len(part["content"].encode()) <= 4096:
            return _json(errcode=40058, errmsg="markdown.content exceed max length 4096")
        if kind == "text" and not 0 < len(part["content"].encode()) <= 2048:
            return _json(errcode=40058, errmsg="text.content exceed max length 2048")
        if kind == "image":
            raw = base64.b64decode(part["base64"], validate=True)
            if len(raw) > 2 << 20 or not raw.startswith((b"\xff\xd8", b"\x89PNG")):
                return _json(errcode=40009, errmsg="invalid image size")
            if hashlib.md5(raw, usedforsecurity=False).hexdigest() != part["md5"]:
                return _json(errcode=301019, errmsg="image md5 not match")
        if kind not in ("markdown", "text", "image"):
            return _json(errcode=40008, errmsg="invalid message type")
        if self._minute.full():
            return _json(errcode=45009, errmsg="api freq out of limit")
        self.shown.append(body)
        return _json(errcode=0, errmsg="ok")


class FeishuBot:
    def __init__(self, hook: str = "hook-1", secret: str = "", most: int = 100) -> None:
        self.shown: list[dict[str, Any]] = []
        self._hook, self._secret = hook, secret
        self._minute = Minute(most)

    def __call__(self, request: Request) -> Reply:
        if request.path.rpartition("/")[2] != self._hook:
            return _json(code=19001, msg="param invalid: incoming webhook access token invalid")
        if len(request.body) > 20 << 10:
            return _json(code=9499, msg="Bad Request")
        body = request.json
        if self._secret:
            stamp = body.get("timestamp", "")
            key = f"{stamp}\n{self._secret}".encode()
            wanted = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
            fresh = isinstance(stamp, str) and stamp.isdecimal() and abs(int(stamp) - time.time()) < 3600
            if not fresh or body.get("sign") != wanted:
                return _json(code=19021, msg="sign match fail or timestamp is not within one hour from current time")
        wrong = self._format(body)
        if wrong:
            return _json(code=9499, msg=f"Bad Request: {wrong}")
        if self._minute.full():
            return _json(code=11232, msg="frequency limited psm")
        self.shown.append(body)
        return _json(code=0, msg="success", data={})

    @staticmethod
    def _format(body: dict[str, Any]) -> str:
        if body.get("msg_type") == "text":
            return "" if isinstance(body["content"]["text"], str) else "text"
        if body.get("msg_type") != "interactive" or "content" in body:
            return "msg_type"
        card = body["card"]
        if card["header"]["title"]["tag"] != "plain_text":
            return "title"
        for element in card["elements"]:
            if element["tag"] not in ("div", "action", "note", "hr"):
                return f"element {element['tag']}"
            for action in element.get("actions", []):
                if action["tag"] != "button" or not action["url"].startswith("http"):
                    return "button"
        return ""


Until = Callable[[], Awaitable[bool]]

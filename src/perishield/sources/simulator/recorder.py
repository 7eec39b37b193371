"""Recorders as Hikvision (ISAPI) and Dahua (HTTP API) document them: footage found late, in pages, in local time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qs, urlsplit

from perishield.sources.simulator.gatekeeper import Gatekeeper

_TIME = re.compile(r"<startTime>([^<]+)</startTime>\s*<endTime>([^<]+)</endTime>")


@dataclass(slots=True)
class Piece:
    """Footage in [start, end) (Unix seconds), which is found `late_s` after its end."""

    start: float
    end: float
    data: bytes
    late_s: float = 0.0

    @property
    def there(self) -> bool:
        return time.time() >= self.end + self.late_s


@dataclass(slots=True)
class Oddities:
    """`page`: matches in an answer; `stuck`: every page is the first; `spelling`: of the position, as it is known."""

    page: int = 40
    stuck: bool = False
    spelling: str = "searchResultPostion"


@dataclass(slots=True)
class SimulatedRecorder:
    """Serves both interfaces. `offset_s`: its local time is so far ahead of UTC. `asked` holds requests admitted."""

    pieces: list[Piece]
    username: str = "admin"
    password: str = "Demo-Pass1"  # noqa: S105
    offset_s: float = 8 * 3600.0
    oddities: Oddities = field(default_factory=Oddities)
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    port: int = 0
    finders: set[str] = field(default_factory=set)
    _finds: dict[str, list[Piece]] = field(default_factory=dict)
    _made: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SimulatedRecorder]:
        gate = Gatekeeper(self.username, self.password, ("md5-qop",))
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            try:
                await self._serve(gate, reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                # A client that goes is no fault of ours.
                return
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, gate: Gatekeeper, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
            if not gate.admits(headers.get("authorization", ""), method, target):
                self.refused += "authorization" in headers
                told = "".join(f"WWW-Authenticate: {one}\r\n" for one in gate.challenges())
                writer.write(f"HTTP/1.1 401 Unauthorized\r\n{told}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
                continue
            self.asked.append(f"{method} {target}")
            status, answer = self._answer(target, body)
            writer.write(f"HTTP/1.1 {status} Answer\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
            await writer.drain()

    def _answer(self, target: str, body: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/ISAPI/System/time":
            local = datetime.fromtimestamp(time.time() + self.offset_s, UTC)
            zone = f"+{int(self.offset_s) // 3600:02d}:00"
            return 200, f"<Time><localTime>{local:%Y-%m-%dT%H:%M:%S}{zone}</localTime></Time>".encode()
        if parts.path == "/ISAPI/ContentMgmt/search":
            return self._hikvision_search(body)
        if parts.path == "/ISAPI/ContentMgmt/download":
            return self._hikvision_download(body)
        if parts.path == "/cgi-bin/global.cgi":
            local = datetime.fromtimestamp(time.time() + self.offset_s, UTC)
            return 200, f"result={local:%Y-%m-%d %H:%M:%S}\r\n".encode()
        if parts.path == "/cgi-bin/mediaFileFind.cgi":
            return self._dahua_find(query)
        if parts.path == "/cgi-bin/loadfile.cgi":
            start = _unix(query["startTime"]) - self.offset_s
            piece = next((one for one in self.pieces if one.there and one.start <= start + 1 < one.end), None)
            return (200, piece.data) if piece else (404, b"Error")
        return 404, b""

    def _hikvision_search(self, body: str) -> tuple[int, bytes]:
        asked = _TIME.search(body)
        position = re.search(rf"<{self.oddities.spelling}>(\d+)</", body)
        if asked is None or position is None:
            return 200, b"<ResponseStatus><statusCode>6</statusCode></ResponseStatus>"
        start, end = _unix(asked[1]) - self.offset_s, _unix(asked[2]) - self.offset_s
        found = [one for one in self.pieces if one.there and one.end > start and one.start < end]
        begin = 0 if self.oddities.stuck else int(position[1])
        page = found[begin : begin + self.oddities.page]
        more = len(found) > begin + len(page) or (self.oddities.stuck and len(found) > self.oddities.page)
        said = "NO MATCHES" if not found else "MORE" if more else "OK"
        items = "".join(
            f"<searchMatchItem><trackID>101</trackID><timeSpan><startTime>{self._z(one.start)}</startTime>"
            f"<endTime>{self._z(one.end)}</endTime></timeSpan><mediaSegmentDescriptor><playbackURI>"
            f"rtsp://127.0.0.1/Streaming/tracks/101/?starttime={int(one.start)}&amp;name={self.pieces.index(one)}&amp;size="
            f"{len(one.data)}</playbackURI></mediaSegmentDescriptor></searchMatchItem>"
            for one in page
        )
        return 200, (
            '<?xml version="1.0"?><CMSearchResult xmlns="http://www.isapi.org/ver20/XMLSchema">'
            f"<responseStatusStrg>{said}</responseStatusStrg><numOfMatches>{len(page)}</numOfMatches>"
            f"<matchList>{items}</matchList></CMSearchResult>"
        ).encode()

    def _hikvision_download(self, body: str) -> tuple[int, bytes]:
        uri = re.search(r"<playbackURI>([^<]+)</playbackURI>", body)
        name = parse_qs(urlsplit(unescape(uri[1])).query).get("name", [""])[0] if uri else ""
        if not name.isdecimal() or int(name) >= len(self.pieces):
            return 400, b""
        return 200, self.pieces[int(name)].data

    def _dahua_find(self, query: dict[str, str]) -> tuple[int, bytes]:
        action, finder = query.get("action", ""), query.get("object", "")
        if action == "factory.create":
            self._made += 1
            finder = f"{8000 + self._made}"
            self.finders.add(finder)
            return 200, f"result={finder}\r\n".encode()
        if finder not in self.finders:
            return 400, b"Error"
        if action == "findFile":
            start = _unix(query["condition.StartTime"]) - self.offset_s
            end = _unix(query["condition.EndTime"]) - self.offset_s
            self._finds[finder] = [one for one in self.pieces if one.there and one.end > start and one.start < end]
            return (200, b"OK\r\n") if self._finds[finder] else (400, b"Error\r\n")
        if action == "findNextFile":
            rows = self._finds.get(finder, [])[: int(query.get("count", "1"))]
            self._finds[finder] = self._finds.get(finder, [])[len(rows) :]
            lines = [f"found={len(rows)}"]
            for number, one in enumerate(rows):
                lines += [
                    f"items[{number}].StartTime={self._blank(one.start)}",
                    f"items[{number}].EndTime={self._blank(one.end)}",
                    f"items[{number}].FilePath=/mnt/sd/{int(one.start)}[M][0@0][0].dav",
                ]
            return 200, "\r\n".join(lines).encode()
        if action == "destroy":
            self.finders.discard(finder)
        return 200, b"OK\r\n"

    def _z(self, seconds: float) -> str:
        return f"{datetime.fromtimestamp(seconds + self.offset_s, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _blank(self, seconds: float) -> str:
        return f"{datetime.fromtimestamp(seconds + self.offset_s, UTC):%Y-%m-%d %H:%M:%S}"


def _unix(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "").replace(" ", "T")).replace(tzinfo=UTC).timestamp()

"""Footage from Dahua recorders over their HTTP API: searched by time, downloaded by time.

| step | request |
| --- | --- |
| clock | GET `/cgi-bin/global.cgi?action=getCurrentTime`: `result=2026-01-02 03:04:05`, local |
| search | `mediaFileFind.cgi`: `factory.create`, `findFile`, `findNextFile` until nothing is left, `close`, `destroy` |
| download | GET `/cgi-bin/loadfile.cgi?action=startLoad&...`: a DHAV stream that ends with the connection |

Many firmwares answer `Error` where nothing matches. There are few search objects: each is released whatever happens.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from perishield.model.errors import SourceError
from perishield.model.recorders import RecorderClock
from perishield.sources.device_http import DeviceHttp
from perishield.sources.hikvision import Found, quarters

_PAGE = 100
_MOST_PAGES = 25
_MOST_BYTES = 2 << 30
_FINDER = "/cgi-bin/mediaFileFind.cgi?action="
_ITEM = re.compile(r"^items\[(\d+)\]\.(StartTime|EndTime|FilePath)=(.*)$")


class DahuaRecorder:
    """One channel of a device. Raises SourceError; `not_found` where there is no footage of that time (yet)."""

    suffix = ".dav"

    def __init__(self, http: DeviceHttp, channel: int, clock: RecorderClock) -> None:
        self._http = http
        self._channel = channel
        self._clock = clock

    async def offset_s(self) -> float:
        """Seconds to add to Unix time for what the device writes."""
        if self._clock is RecorderClock.UTC:
            return 0.0
        told = await self._http.text("GET", "/cgi-bin/global.cgi?action=getCurrentTime")
        local = _moment(told.partition("=")[2].strip())
        if local is None:
            raise SourceError(f"{self._http.url}: its clock says {told[:40]!r}", code="protocol")
        return quarters(datetime.fromtimestamp(local, UTC).replace(tzinfo=None))

    async def search(self, start: float, end: float) -> list[Found]:
        """Footage that touches [start, end), oldest first. `name` is the file's path on the device."""
        offset = await self.offset_s()
        made = (await self._http.text("GET", f"{_FINDER}factory.create")).strip()
        finder = made.partition("=")[2].strip()
        if not finder.isalnum():
            raise SourceError(f"{self._http.url}: gives out no search: {made[:60]!r}", code="busy")
        try:
            found = await self._find(finder, start + offset, end + offset)
        finally:
            for action in ("close", "destroy"):
                with suppress(SourceError):
                    await self._http.text("GET", f"{_FINDER}{action}&object={finder}")
        moved = [Found(one.name, one.start - offset, one.end - offset) for one in found]
        return sorted((one for one in moved if one.end > start and one.start < end), key=lambda one: one.start)

    async def download(self, piece: Found, path: Path) -> None:
        """What lies between the piece's times."""
        offset = await self.offset_s()
        times = f"startTime={_quoted(piece.start + offset)}&endTime={_quoted(piece.end + offset)}"
        target = f"/cgi-bin/loadfile.cgi?action=startLoad&channel={self._channel}&{times}&subtype=0"
        size = await self._http.file("GET", target, "", path, _MOST_BYTES)
        if size < 1000:
            raise SourceError(f"{self._http.url}: sent {size} bytes instead of footage", code="truncated")

    async def _find(self, finder: str, start: float, end: float) -> list[Found]:
        condition = (
            f"condition.Channel={self._channel}&condition.StartTime={_quoted(start)}&condition.EndTime={_quoted(end)}"
        )
        told = await self._none_as_empty(f"{_FINDER}findFile&object={finder}&{condition}")
        if told.strip() != "OK":
            return []
        found: list[Found] = []
        for _ in range(_MOST_PAGES):
            page = _items(await self._none_as_empty(f"{_FINDER}findNextFile&object={finder}&count={_PAGE}"))
            found += page
            if len(page) < _PAGE:
                break
        return found

    async def _none_as_empty(self, target: str) -> str:
        """`Error` with a status of 400 or 404 is how some say that there is nothing."""
        try:
            return await self._http.text("GET", target)
        except SourceError as error:
            if error.code in ("protocol", "not_found"):
                return ""
            raise


def _items(text: str) -> list[Found]:
    rows: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        match = _ITEM.match(line.strip())
        if match:
            rows.setdefault(int(match[1]), {})[match[2]] = match[3].strip()
    found = []
    for row in rows.values():
        start, end = _moment(row.get("StartTime", "")), _moment(row.get("EndTime", ""))
        if start is not None and end is not None:
            found.append(Found(row.get("FilePath", ""), start, end))
    return found


def _moment(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _quoted(seconds: float) -> str:
    return quote(f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}", safe=":")

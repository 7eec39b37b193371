"""Footage from Hikvision recorders over ISAPI: searched by time, downloaded segment by segment.

| step | request |
| --- | --- |
| clock | GET `/ISAPI/System/time`: the device's local time with its offset |
| search | POST `/ISAPI/ContentMgmt/search`, pages of 40, until it no longer says MORE |
| download | GET `/ISAPI/ContentMgmt/download` with a `downloadRequest`: MPEG program stream |

Namespaces differ between firmwares, so elements are found by their local names. The position in pages is spelt
`searchResultPostion` by the schema and most devices, correctly by some. The `Z` behind times mostly stands for local
time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from perishield.model.errors import SourceError
from perishield.model.recorders import RecorderClock
from perishield.sources.device_http import DeviceHttp

_PAGE = 40
_MOST_PAGES = 25
_MOST_BYTES = 2 << 30
_STAMP = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)")


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of footage on a device; `start` and `end` in Unix seconds; `name`: what it is downloaded by."""

    name: str
    start: float
    end: float


class HikvisionRecorder:
    """One channel of a device. Raises SourceError; `not_found` where there is no footage of that time (yet)."""

    suffix = ".mpg"

    def __init__(self, http: DeviceHttp, channel: int, clock: RecorderClock) -> None:
        self._http = http
        self._track = channel * 100 + 1
        self._clock = clock
        self._position = "searchResultPostion"

    async def offset_s(self) -> float:
        """Seconds to add to Unix time for what the device writes."""
        if self._clock is RecorderClock.UTC:
            return 0.0
        root = _xml(await self._http.text("GET", "/ISAPI/System/time"))
        text = next((one.text or "" for one in root.iter() if _local(one) == "localTime"), "")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise SourceError(f"{self._http.url}: its clock says {text[:40]!r}", code="protocol") from None
        zone = moment.utcoffset()
        if zone is not None:
            return zone.total_seconds()
        return quarters(moment)

    async def search(self, start: float, end: float) -> list[Found]:
        """Footage that touches [start, end), oldest first."""
        offset = await self.offset_s()
        name, found, position = str(uuid4()).upper(), list[Found](), 0
        for _ in range(_MOST_PAGES):
            root = await self._page(name, start + offset, end + offset, position)
            items = [_match(item, offset) for item in root.iter() if _local(item) == "searchMatchItem"]
            page = [one for one in items if one is not None]
            fresh = [one for one in page if one not in found]
            found += fresh
            position += len(page)
            said = next((one.text or "" for one in root.iter() if _local(one) == "responseStatusStrg"), "")
            # Some firmwares ignore the position and answer the same page for ever.
            if said.strip().upper() != "MORE" or not fresh:
                break
        return sorted((one for one in found if one.end > start and one.start < end), key=lambda one: one.start)

    async def download(self, piece: Found, path: Path) -> None:
        """A whole segment, whatever times its address names."""
        body = f"<downloadRequest><playbackURI>{escape(piece.name)}</playbackURI></downloadRequest>"
        size = await self._http.file("GET", "/ISAPI/ContentMgmt/download", body, path, _MOST_BYTES)
        if size < 1000:
            raise SourceError(f"{self._http.url}: sent {size} bytes instead of footage", code="truncated")

    async def _page(self, name: str, start: float, end: float, position: int) -> ET.Element:
        for attempt in range(2):
            body = (
                '<?xml version="1.0" encoding="UTF-8"?><CMSearchDescription>'
                f"<searchID>{name}</searchID><trackIDList><trackID>{self._track}</trackID></trackIDList>"
                f"<timeSpanList><timeSpan><startTime>{_stamp(start)}</startTime><endTime>{_stamp(end)}</endTime>"
                f"</timeSpan></timeSpanList><maxResults>{_PAGE}</maxResults>"
                f"<{self._position}>{position}</{self._position}>"
                "<metadataList><metadataDescriptor>//recordType.meta.std-cgi.com</metadataDescriptor></metadataList>"
                "</CMSearchDescription>"
            )
            root = _xml(await self._http.text("POST", "/ISAPI/ContentMgmt/search", body))
            if _local(root) == "CMSearchResult":
                return root
            code = next((one.text or "" for one in root.iter() if _local(one) == "statusCode"), "")
            if attempt == 0 and code.strip() in ("5", "6"):
                self._position = "searchResultPosition"
                continue
            busy = code.strip() == "2"
            raise SourceError(f"{self._http.url}: search refused ({code})", code="busy" if busy else "protocol")
        raise AssertionError("the loop ends by itself")


def _match(item: ET.Element, offset: float) -> Found | None:
    values = {_local(one): (one.text or "").strip() for one in item.iter()}
    start, end = _unix(values.get("startTime", "")), _unix(values.get("endTime", ""))
    if not values.get("playbackURI") or start is None or end is None:
        return None
    return Found(values["playbackURI"], start - offset, end - offset)


def _xml(text: str) -> ET.Element:
    # Entities could be nested until memory ends; no device needs a document type.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceError("the device answers with a document type", code="protocol")
    try:
        return ET.fromstring(text)  # noqa: S314
    except ET.ParseError as error:
        raise SourceError(f"the device does not answer with XML: {error}", code="protocol") from error


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unix(text: str) -> float | None:
    match = _STAMP.match(text)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def quarters(local: datetime) -> float:
    """The offset of a clock without a zone, to the quarter of an hour; the rest is that it is wrong."""
    ahead = local - datetime.now(UTC).replace(tzinfo=None)
    return round(ahead / timedelta(minutes=15)) * 900.0

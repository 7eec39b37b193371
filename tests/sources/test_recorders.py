"""What recorders answer, damaged in every way, ends in one kind of error."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.model.recorders import RecorderClock
from perishield.sources.dahua import DahuaRecorder
from perishield.sources.hikvision import Found, HikvisionRecorder

SEARCH = (
    b'<?xml version="1.0"?><CMSearchResult xmlns="http://www.hikvision.com/ver20/XMLSchema"><responseStatusStrg>OK'
    b"</responseStatusStrg><matchList><searchMatchItem><timeSpan><startTime>2026-01-02T03:04:05Z</startTime><endTime>"
    b"2026-01-02T04:04:05Z</endTime></timeSpan><mediaSegmentDescriptor><playbackURI>rtsp://x/</playbackURI>"
    b"</mediaSegmentDescriptor></searchMatchItem></matchList></CMSearchResult>"
)
TIME = b"<Time><localTime>2026-01-02T03:04:05+08:00</localTime></Time>"
ITEMS = (
    b"found=1\r\nitems[0].StartTime=2026-01-02 03:04:05\r\nitems[0].EndTime=2026-01-02 04:04:05\r\n"
    b"items[0].FilePath=/mnt/a.dav\r\n"
)


class Canned:
    """Answers by the address asked for."""

    url = "http://device"

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    async def text(self, _method: str, target: str, _body: str = "") -> str:
        found = next((body for part, body in self._answers.items() if part in target), b"OK")
        return found.decode(errors="replace")


async def _search(recorder: Any) -> list[Found] | str:
    try:
        found: list[Found] = await recorder.search(1_767_300_000.0, 1_767_400_000.0)
    except SourceError as error:
        return error.code
    return found


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda cut, junk, rest: body[:cut] + junk + body[cut + rest :],
        st.integers(0, len(body)),
        st.binary(max_size=30),
        st.integers(0, 40),
    )


@settings(max_examples=300, deadline=None)
@given(search=_damaged(SEARCH), clock=_damaged(TIME))
async def test_hikvision(search: bytes, clock: bytes) -> None:
    canned: Any = Canned({"search": search, "time": clock})
    found = await _search(HikvisionRecorder(canned, 1, RecorderClock.LOCAL))
    assert found in ("protocol", "busy") or isinstance(found, list)


@settings(max_examples=300, deadline=None)
@given(items=_damaged(ITEMS), clock=_damaged(b"result=2026-01-02 03:04:05"), made=_damaged(b"result=8137"))
async def test_dahua(items: bytes, clock: bytes, made: bytes) -> None:
    canned: Any = Canned({"findNextFile": items, "getCurrentTime": clock, "factory.create": made})
    found = await _search(DahuaRecorder(canned, 1, RecorderClock.LOCAL))
    assert found in ("protocol", "busy") or isinstance(found, list)


async def test_undamaged_they_are_understood() -> None:
    canned: Any = Canned({"search": SEARCH, "findNextFile": ITEMS, "factory.create": b"result=8137"})
    start = 1_767_323_045.0
    wanted = (start, start + 3600)
    (found,) = await HikvisionRecorder(canned, 1, RecorderClock.UTC).search(start, start + 10)
    assert (found.start, found.end) == wanted
    (found,) = await DahuaRecorder(canned, 1, RecorderClock.UTC).search(start, start + 10)
    assert (found.start, found.end, found.name) == (*wanted, "/mnt/a.dav")

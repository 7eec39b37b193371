"""Range requests (RFC 9110 section 14) on what is made when it is asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from perishield.api.problems import ProblemError

_SINGLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

T = TypeVar("T")


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """[start, stop) that a `Range` header asks for; None where the whole is to be sent.

    Several ranges at once, and what is no range, may be answered by the whole (section 14.2). Raises ProblemError (416)
    for a range outside the file.
    """
    found = _SINGLE.fullmatch(header.replace(" ", "").lower())
    if found is None:
        return None
    first, last = found.groups()
    if first:
        start, stop = int(first), int(last) + 1 if last else size
        if last and stop <= start:
            return None
    elif last:
        start, stop = max(0, size - int(last)), size
        if int(last) == 0:
            start = size
    else:
        return None
    if start >= size:
        raise ProblemError(
            416,
            "the byte range lies outside the file",
            code="range_invalid",
            headers={"content-range": f"bytes */{size}"},
        )
    return start, min(stop, size)


async def in_thread(blocks: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """What a generator gives that blocks on the disk; it is closed at the end, however that comes."""
    pending: asyncio.Future[T | None] | None = None
    try:
        while True:
            pending = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
            block = await asyncio.shield(pending)
            if block is None:
                return
            yield block
    finally:
        if pending is None or pending.done():
            blocks.close()
        else:
            # It cannot be closed while a thread is in it.
            pending.add_done_callback(lambda _: blocks.close())


def ranged(
    request: Request,
    read: Callable[[int, int], Generator[bytes | memoryview, None, None]],
    *,
    size: int,
    etag: str,
    headers: Mapping[str, str],
    media_type: str,
) -> Response:
    """The bytes that a request asks for of something that has `size` of them; `read(start, stop)` makes them."""
    wanted = request.headers.get("range", "")
    condition = request.headers.get("if-range", "")
    part = asked_range(wanted, size) if wanted and condition in ("", etag) else None
    start, stop = part or (0, size)
    sent = {**headers, "accept-ranges": "bytes", "etag": etag, "content-length": str(stop - start)}
    if part:
        sent["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=sent, media_type=media_type)
    return StreamingResponse(in_thread(read(start, stop)), status, sent, media_type)

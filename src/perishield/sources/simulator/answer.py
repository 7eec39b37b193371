"""RTSP responses as the simulator's cameras write them (RFC 2326 section 7)."""

from __future__ import annotations

from collections.abc import Iterable

from perishield.sources.rtsp.framing import Message
from perishield.sources.simulator.faults import Faults

_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
    551: "Option not supported",
}


def answer(request: Message, status: int, headers: Iterable[str], body: bytes, faults: Faults) -> bytes:
    """The response's bytes; `headers` are whole lines."""
    lines = [f"CSeq: {request.header('cseq') or 0}", *headers]
    if body and faults.length != "missing":
        lines.append(f"Content-Length: {len(body) - (8 if faults.length == 'short' else 0)}")
    if faults.lower_case_headers:
        lines = [f"{name.lower()}:{value}" for name, _, value in (line.partition(":") for line in lines)]
    head = "\r\n".join((f"RTSP/1.0 {status} {_REASONS[status]}", *lines)) + "\r\n\r\n"
    return head.encode() + body

"""What surrounds every request: its id, a bound on its body, and the security headers of its answer."""

from __future__ import annotations

import re
from uuid import uuid4

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perishield.api.problems import problem_response

LARGEST_BODY = 1 << 20
LARGEST_UPLOAD = 64 << 30
"""Of a segment: what the settings allow is checked where it is taken in."""
LARGEST_MODEL = 2 << 30
_UPLOAD = re.compile(r"/api/video/recordings/[^/]+/segments")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "font-src 'self' data:",
        # Component libraries position pop-ups through style attributes.
        "style-src 'self' 'unsafe-inline'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _TooLargeError(HTTPException):
    """FastAPI turns any other exception of a body's reading into 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"request body: more than {limit} bytes")
        self.limit = limit


class Guard:
    """ASGI middleware; outermost, so that errors too bear its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        taken, limit = 0, _limit(scope)

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _TooLargeError(limit)
            return message

        declared = Headers(scope=scope).get("content-length", "")
        if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
            await _refusal(limit)(scope, receive, answer)
            return
        try:
            await self._app(scope, bounded, answer)
        except _TooLargeError as error:
            if not started:
                await _refusal(error.limit)(scope, receive, answer)


def _limit(scope: Scope) -> int:
    if scope["method"] == "POST" and scope["path"] == "/api/models":
        return LARGEST_MODEL
    return LARGEST_UPLOAD if scope["method"] == "POST" and _UPLOAD.fullmatch(scope["path"]) else LARGEST_BODY


def _refusal(limit: int) -> Response:
    error = _TooLargeError(limit)
    return problem_response(413, "too_large", error.detail, {"limit": limit})

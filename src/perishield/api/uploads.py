"""Taking in segments that other recorders send (the wire is described in `recording/storage/nvr_target.py`)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from perishield.api.problems import ProblemError
from perishield.api.services import Services, services_of
from perishield.api.tokens import unauthorized
from perishield.recording.storage.received import Received, Reception
from perishield.store.cameras import get_camera

_MOST_AT_ONCE = 8
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)")

_key = HTTPBearer(auto_error=False, description="The `upload_key` of [storage].", scheme_name="UploadKey")
_room = asyncio.Semaphore(_MOST_AT_ONCE)


async def require_upload_key(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_key)]
) -> None:
    """Another recorder, by the key that this node's settings name. Without one nobody is let in."""
    if credentials is None:
        raise unauthorized("bring the upload_key of this node")
    wanted, given = services_of(request).storage.plan.upload_key, credentials.credentials
    if not wanted:
        raise ProblemError(403, "this node takes no uploads; set [storage] upload_key")
    if not hmac.compare_digest(sha256(given.encode(errors="replace")).digest(), sha256(wanted.encode()).digest()):
        raise ProblemError(403, "this is not the upload_key of this node")


async def take_in(parts: Services, request: Request, stream: str, name: str) -> Received:
    """Receive the body as a segment of that stream. Raises ProblemError and StorageError."""
    size, digest = _declared(request, parts.storage.plan.upload_bytes)
    async with parts.database.read() as session:
        if await get_camera(session, stream) is not None:
            raise ProblemError(409, f"stream {stream!r}: this node records a camera of that name; set another prefix")
    if _room.locked():
        raise ProblemError(503, "too many uploads at once; try again", headers={"retry-after": "5"})
    async with _room:
        reception = await asyncio.to_thread(Reception, parts.media, stream, name, size)
        try:
            async for piece in request.stream():
                await asyncio.to_thread(reception.take, piece)
            received = await asyncio.to_thread(reception.place, digest)
        finally:
            await asyncio.shield(asyncio.to_thread(reception.discard))
    if received.new:
        parts.footage.closed(received.row)
        parts.storage.worker.closed(received.row)
    return received


def _declared(request: Request, limit: int) -> tuple[int, str]:
    """Length and SHA-256 as the request's head says them."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal() and len(length) < 16):
        raise ProblemError(422, "Content-Length: say how long the segment is", field="content-length")
    if int(length) > limit:
        raise ProblemError(413, f"the segment is longer than the {limit} bytes that this node takes", limit=limit)
    found = _DIGEST.search(request.headers.get("content-digest", ""))
    if found is None:
        raise ProblemError(422, "Content-Digest: say sha-256=:<base64>: (RFC 9530)", field="content-digest")
    try:
        return int(length), base64.b64decode(found.group(1), validate=True).hex()
    except binascii.Error:
        raise ProblemError(422, "Content-Digest: this is not base64", field="content-digest") from None

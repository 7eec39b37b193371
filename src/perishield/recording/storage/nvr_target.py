"""Copies at a recorder that takes segments over HTTP, such as another node of ours.

What travels, below the base address `url` (of a node: `https://host/api/video`), with `Authorization: Bearer <key>`:

    POST {url}/recordings/{stream}/segments?name=1790000000.mp4     body: the segment, `Content-Type: video/mp4`,
         `Content-Digest: sha-256=:<base64>:` (RFC 9530), `Content-Length`
         201 stored, 200 was there already and is the same, 409 another one is there;
         body {"name", "start", "end", "size", "sha256"}: the hash of what was read back from its disk
    GET  {url}/recordings/{stream}/segments?from=&to=               {"items": [...as above, "url"], "playback": address}
    GET  {url}/recordings/{stream}/segments/1790000000.mp4          the bytes, with ranges (RFC 9110, section 14)

It deletes by its own retention; we never do. Start, epoch and key frames are not sent: the file itself holds them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget
from perishield.recording.storage.target import PIECE, Pace, Source, Space, failure

_MOST_ANSWER = 1 << 20


class NvrTarget:
    """One recorder; `prefix` goes before camera names, so that several nodes may share it."""

    def __init__(self, spec: StorageTarget) -> None:
        self.spec = spec
        verify: object = True
        if spec.ca_file:
            import ssl

            verify = ssl.create_default_context(cafile=Path(spec.ca_file))
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {spec.key}", "user-agent": "perishield"},
            timeout=httpx.Timeout(spec.timeout_s, connect=min(10.0, spec.timeout_s)),
            limits=httpx.Limits(max_connections=8),
            follow_redirects=False,
            verify=verify,  # type: ignore[arg-type]
        )

    def check(self) -> Space:
        with self._explained():
            self._told("GET", self._address("storage-check"), params={"from": 0, "to": 1})
        return Space()

    def put(self, row: SegmentRow, source: Source, sha256: str, pace: Pace) -> bool:
        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers = {
            "content-type": "video/mp4",
            "content-length": str(source.size),
            "content-digest": f"sha-256=:{digest}:",
        }

        def body() -> Iterator[bytes]:
            for piece in source.pieces():
                pace(len(piece))
                yield piece

        with self._explained():
            address = self._address(row.camera)
            told = self._told("POST", address, params={"name": _name(row)}, content=body(), headers=headers)
        if told.get("sha256") != sha256:
            raise failure(self.spec, "corrupt", f"{row.path}: it says that it stored something else")
        return True

    def pieces(self, row: SegmentRow) -> Iterator[bytes]:
        with self._explained(row), self._client.stream("GET", self._address(row.camera, _name(row))) as answer:
            self._judge(answer)
            yield from answer.iter_raw(PIECE)

    def read(self, row: SegmentRow, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        wanted = {"range": f"bytes={offset}-{offset + length - 1}"}
        parts, left = [], length
        with (
            self._explained(row),
            self._client.stream("GET", self._address(row.camera, _name(row)), headers=wanted) as answer,
        ):
            if answer.status_code == 416:
                return b""
            self._judge(answer)
            if answer.status_code != 206:
                raise failure(self.spec, "storage_refused", "does not serve ranges of a segment")
            for piece in answer.iter_raw(PIECE):
                parts.append(piece[:left])
                left -= len(parts[-1])
                if left <= 0:
                    break
        return b"".join(parts)

    def size(self, row: SegmentRow) -> int | None:
        try:
            with self._explained(row):
                answer = self._client.head(self._address(row.camera, _name(row)))
                self._judge(answer)
                return int(answer.headers.get("content-length", 0))
        except StorageError as error:
            if error.code == "missing":
                return None
            raise

    def remove(self, row: SegmentRow) -> None:
        """It has a retention of its own."""

    def link(self, row: SegmentRow, expires_s: int) -> str:
        """The recorder signs its own addresses and says how long they hold."""
        del expires_s
        with self._explained(row):
            span = {"from": row.start - 0.001, "to": row.start + 0.001}
            items = self._told("GET", self._address(row.camera), params=span).get("items")
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and item.get("name") == _name(row):
                    return urljoin(self.spec.url, str(item.get("url", "")))
        return ""

    def close(self) -> None:
        self._client.close()

    def _address(self, camera: str, name: str = "") -> str:
        base = f"{self.spec.url.rstrip('/')}/recordings/{self.spec.prefix}{camera}/segments"
        return f"{base}/{name}" if name else base

    def _told(self, method: str, address: str, **request: Any) -> dict[str, Any]:
        """The object that it answers with; nobody gets to send more than a bounded one."""
        with self._client.stream(method, address, **request) as answer:
            self._judge(answer)
            told = json.loads(_bounded(answer))
        if not isinstance(told, dict):
            raise ValueError("not an object")
        return told

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status < 300:
            return
        if status in (401, 403):
            raise failure(
                self.spec, "storage_auth", f"refuses us: HTTP {status}", "check its key in [[storage.targets]]"
            )
        if status == 404:
            raise failure(self.spec, "missing", "there is no such segment")
        if status == 507:
            raise failure(self.spec, "disk_full", "it has no room")
        if status in (429, 500, 502, 503, 504):
            raise failure(self.spec, "storage_busy", f"answers HTTP {status}")
        raise failure(self.spec, "storage_refused", f"answers HTTP {status}{self._said(answer)}")

    def _said(self, answer: httpx.Response) -> str:
        try:
            return f": {json.loads(_bounded(answer))['detail']}"[:200]
        except (ValueError, KeyError, TypeError, RecursionError, httpx.HTTPError):
            return ""

    @contextmanager
    def _explained(self, row: SegmentRow | None = None) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise failure(self.spec, "storage_unreachable", f"no answer within {self.spec.timeout_s:.0f} s") from None
        except httpx.HTTPError as error:
            # The library's own words may hold a piece of the address.
            raise failure(self.spec, "storage_unreachable", f"the connection failed ({type(error).__name__})") from None
        except (ValueError, RecursionError):
            raise failure(self.spec, "storage_refused", "its answer is not understood") from None
        except StorageError as error:
            if row is not None and error.code == "missing":
                raise failure(self.spec, "missing", f"{row.path} is not there") from None
            raise


def _bounded(answer: httpx.Response) -> bytes:
    data = b""
    for piece in answer.iter_bytes():
        data += piece
        if len(data) > _MOST_ANSWER:
            raise ValueError("too long")
    return data


def _name(row: SegmentRow) -> str:
    return row.path.rsplit("/", 1)[-1]

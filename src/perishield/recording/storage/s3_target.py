"""Copies in a bucket of an S3-compatible store: AWS, OSS, COS, MinIO, Garage, Ceph, Swift.

Requests are signed with the SHA-256 of their body (Signature Version 4), which a store checks on receipt; no other
checksum header is sent, since half of the compatible stores know none. Uploads of one piece say `If-None-Match: *`,
so that nothing is overwritten; a store that does not know it is noticed and asked without. Objects are deleted one by
one: the bulk request is missing in OSS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget
from perishield.recording.storage.target import PIECE, Pace, Source, Space, failure

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

log = Log("storage")

PART = 8 << 20
"""A copy up to this size goes in one request; a larger one in parts of it, one after the other."""
_RETRIES = 2

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KEY_CODES = frozenset(("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken"))


class S3Target:
    """One bucket. Raises StorageError (`storage_refused`) for a configuration that names no store."""

    def __init__(self, spec: StorageTarget) -> None:
        self.spec = spec
        self._creates = True
        try:
            self._store = S3Store(
                spec.bucket,
                config=_config(spec),
                client_options=_client(spec),
                retry_config={
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(seconds=spec.timeout_s),
                    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5)},
                },
                **_keys(spec),
            )
        except (BaseError, ValueError, OSError) as error:
            raise failure(spec, "storage_refused", f"cannot be opened: {_first_line(error)}") from error

    def check(self) -> Space:
        with self._explained():
            next(iter(obstore.list(self._store, prefix=self._key("") or None, chunk_size=1)), None)
        return Space()

    def put(self, row: SegmentRow, source: Source, sha256: str, pace: Pace) -> bool:
        key, attributes = self._key(row.path), {"Content-Type": "video/mp4", "sha256": sha256}
        with self._explained():
            if source.size > PART:
                parts = _paced(source.pieces(), pace)
                obstore.put(self._store, key, parts, attributes=attributes, chunk_size=PART, max_concurrency=1)
                return False
            body = b"".join(_paced(source.pieces(), pace))
            return self._put_whole(key, body, attributes)

    def _put_whole(self, key: str, body: bytes, attributes: dict[str, str]) -> bool:
        if self._creates:
            try:
                obstore.put(self._store, key, body, attributes=attributes, mode="create", use_multipart=False)
                return True
            except (AlreadyExistsError, PreconditionError):
                # An earlier attempt arrived and its answer was lost; whoever asked reads it back.
                return False
            except (NotSupportedError, BaseError) as error:
                if not isinstance(error, NotSupportedError) and _status(error) != 501:
                    raise
                self._creates = False
                log.info("storage.no_conditional_put", storage=self.spec.name)
        obstore.put(self._store, key, body, attributes=attributes, mode="overwrite", use_multipart=False)
        return True

    def pieces(self, row: SegmentRow) -> Iterator[bytes]:
        with self._explained(row):
            for piece in obstore.get(self._store, self._key(row.path)).stream(min_chunk_size=PIECE):
                yield bytes(piece)

    def read(self, row: SegmentRow, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with self._explained(row):
            return bytes(obstore.get_range(self._store, self._key(row.path), start=offset, length=length))

    def size(self, row: SegmentRow) -> int | None:
        try:
            with self._explained(row):
                return int(obstore.head(self._store, self._key(row.path))["size"])
        except StorageError as error:
            if error.code == "missing":
                return None
            raise

    def remove(self, row: SegmentRow) -> None:
        try:
            with self._explained(row):
                obstore.delete(self._store, self._key(row.path))
        except StorageError as error:
            if error.code != "missing":
                raise

    def link(self, row: SegmentRow, expires_s: int) -> str:
        with self._explained():
            return str(obstore.sign(self._store, "GET", self._key(row.path), timedelta(seconds=expires_s)))

    def close(self) -> None:
        """Its connections end with it."""

    def _key(self, path: str) -> str:
        return f"{self.spec.prefix.strip('/')}/{path}".lstrip("/")

    @contextmanager
    def _explained(self, row: SegmentRow | None = None) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            # A store's answer to HEAD has no body, so a missing bucket looks like a missing object there.
            if row is None or "NoSuchBucket" in str(error):
                raise failure(self.spec, "storage_missing", f"there is no bucket '{self.spec.bucket}'") from None
            raise failure(self.spec, "missing", f"{row.path} is not there") from None
        except (BaseError, ValueError, OSError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> StorageError:
        """The library's text quotes requests and what was signed, so that none of it is passed on but its codes."""
        text = str(error)
        status, found = _status(error), _CODE.search(text)
        code = found.group(1) if found else ""
        said = " ".join(part for part in (f"HTTP {status}" if status else "", code) if part)
        if code == "NoSuchBucket":
            return failure(self.spec, "storage_missing", f"there is no bucket '{self.spec.bucket}'")
        if (
            isinstance(error, (PermissionDeniedError, UnauthenticatedError))
            or status in (401, 403)
            or code in _KEY_CODES
        ):
            return failure(self.spec, "storage_auth", f"refuses us: {said or 'wrong key'}")
        if status in (429, 500, 502, 503, 504):
            return failure(self.spec, "storage_busy", f"answers {said}")
        if status == 507 or code == "QuotaExceeded":
            return failure(self.spec, "disk_full", f"answers {said}")
        if status:
            return failure(self.spec, "storage_refused", f"answers {said}")
        late = "timed out" in text or "TimedOut" in text
        reason = f"no answer within {self.spec.timeout_s:.0f} s" if late else "the connection failed"
        return failure(self.spec, "storage_unreachable", reason)


def _config(spec: StorageTarget) -> S3Config:
    config: S3Config = {
        "region": spec.region or "us-east-1",
        "virtual_hosted_style_request": not spec.path_style,
        "disable_bulk_delete": True,
        "conditional_put": "etag",
    }
    if spec.endpoint:
        address = spec.endpoint.rstrip("/")
        if not spec.path_style:
            parts = urlsplit(address)
            if not parts.netloc.startswith(f"{spec.bucket}."):
                address = urlunsplit(parts._replace(netloc=f"{spec.bucket}.{parts.netloc}"))
        # The second name outranks the first, and would otherwise be taken from the environment.
        config["endpoint"] = config["aws_endpoint_url_s3"] = address
    return config


def _keys(spec: StorageTarget) -> dict[str, Any]:
    """Without keys of its own the host's role counts (instance metadata, AWS_* in the environment)."""
    if not spec.access_key:
        return {}
    # By a callback, since a session token in the environment would be mixed with keys that are given as settings.
    keys = {
        "access_key_id": spec.access_key,
        "secret_access_key": spec.secret_key,
        "token": None,
        "expires_at": None,
    }
    return {"credential_provider": lambda: keys}


def _client(spec: StorageTarget) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": spec.endpoint.startswith("http://"),
        "timeout": timedelta(seconds=spec.timeout_s),
        "connect_timeout": timedelta(seconds=min(10.0, spec.timeout_s)),
        "user_agent": "perishield",
    }
    if spec.ca_file:
        options["root_certificate"] = Path(spec.ca_file).read_bytes()
    return options


def _paced(pieces: Iterator[bytes], pace: Pace) -> Iterator[bytes]:
    for piece in pieces:
        pace(len(piece))
        yield piece


def _status(error: Exception) -> int:
    found = _STATUS.search(str(error))
    return int(found.group(1)) if found else 0


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__

"""What a camera's address asks FFmpeg to open, and what it must not open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from perishield.model.errors import SourceError, mask_url
from perishield.model.site import Camera

_PROTOCOLS = {
    "file": "file",
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
}
"""A playlist must not lead out of the kind of place that it came from."""


@dataclass(frozen=True, slots=True)
class Order:
    """`target` goes to FFmpeg and may hold credentials; `address` may be shown. Times in seconds."""

    target: str = field(repr=False)
    address: str
    options: dict[str, str]
    timeout_s: float
    idle_s: float
    loop: bool
    sound: bool = True


def order_for(camera: Camera, file_root: Path | None, *, timeout_s: float, idle_s: float) -> Order:
    """Raises SourceError: `unsupported_scheme`, `not_found`, `unreachable`."""
    url, _, fragment = camera.url.strip().partition("#")
    loop = "loop" in fragment.split("&")
    address = mask_url(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SourceError(f"{address!r} is no address: check it", code="unreachable") from None
    scheme = parts.scheme.lower()
    if scheme not in _PROTOCOLS:
        raise SourceError(f"{address!r} cannot be read by this source", code="unsupported_scheme")
    options = {"protocol_whitelist": _PROTOCOLS[scheme]}
    if scheme == "file":
        target = str(_allowed_file(parts.netloc, unquote(parts.path), file_root))
        return Order(target, Path(target).name, options, timeout_s, idle_s, loop, camera.audio)
    if not host:
        raise SourceError(f"{address!r} names no host: write {scheme}://host:port/path", code="unreachable")
    username, password = camera.username, camera.password
    if not username and parts.username:
        username, password = unquote(parts.username), unquote(parts.password or "")
    authority = f"[{host}]" if ":" in host else host
    if port:
        authority += f":{port}"
    if username:
        authority = f"{quote(username, safe='')}:{quote(password, safe='')}@{authority}"
    target = urlunsplit(parts._replace(netloc=authority))
    return Order(target, address, options, timeout_s, idle_s, loop, camera.audio)


def _allowed_file(host: str, path: str, file_root: Path | None) -> Path:
    """The file, links resolved, if it lies below `file_root`; relative paths count from there."""
    if file_root is None:
        raise SourceError("files are not allowed as cameras here: name a folder for them", code="unsupported_scheme")
    if host not in ("", "localhost") or not path or "\0" in path:
        raise SourceError("a file's address is file:///path", code="not_found")
    root = file_root.resolve()
    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise SourceError(f"{Path(path).name!r} lies outside the folder for camera files", code="not_found")
    return file

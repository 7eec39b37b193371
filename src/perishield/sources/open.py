"""The right source for a camera's address."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from perishield.model.device_reach import DeviceReach
from perishield.model.errors import SourceError
from perishield.model.media import PacketSink
from perishield.model.site import Camera
from perishield.sources.status import OnState

_RTSP = frozenset(("rtsp", "rtsps", "rtspx"))
_FFMPEG = frozenset(("rtmp", "http", "https", "file"))


class Source(Protocol):
    """Delivers packets to its sink and states to its callback until cancelled; reconnects by itself."""

    low_delay: bool

    async def run(self) -> None: ...


def open_source(
    camera: Camera,
    sink: PacketSink,
    on_state: OnState,
    *,
    epoch: int = 0,
    connect_timeout_s: float = 5.0,
    idle_timeout_s: float = 10.0,
    first_retry_s: float = 1.0,
    file_root: Path | None = None,
    reach: DeviceReach | None = None,
) -> Source:
    """Chooses by scheme; files are open to cameras below `file_root` only, and not at all without one.

    `reach`: where cameras may be; None: anywhere.

    Raises SourceError (`unsupported_scheme`).
    """
    try:
        scheme = urlsplit(camera.url.strip()).scheme.lower()
    except ValueError:
        scheme = ""
    if scheme in _RTSP:
        from perishield.sources.rtsp.source import RtspSource

        return RtspSource(
            camera,
            sink,
            on_state,
            epoch=epoch,
            connect_timeout_s=connect_timeout_s,
            idle_timeout_s=idle_timeout_s,
            first_retry_s=first_retry_s,
            reach=reach,
        )
    if scheme in _FFMPEG:
        from perishield.sources.ffmpeg.source import FfmpegSource

        return FfmpegSource(
            camera,
            sink,
            on_state,
            epoch=epoch,
            connect_timeout_s=connect_timeout_s,
            idle_timeout_s=idle_timeout_s,
            first_retry_s=first_retry_s,
            file_root=file_root,
            reach=reach,
        )
    raise SourceError(
        f"camera {camera.id!r}: addresses that begin with {scheme or 'nothing'}: cannot be read; "
        "use rtsp, rtsps, rtmp, http, https or file",
        code="unsupported_scheme",
        camera=camera.id,
        scheme=scheme,
    )

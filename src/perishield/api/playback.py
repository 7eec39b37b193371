"""Continuous playback of a time range: where it begins, how long it is, and its bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from perishield.api.signing import Links
from perishield.model.errors import StorageError
from perishield.model.site import CAMERA_ID
from perishield.recording.clip import Clip, stream_clip
from perishield.recording.index import list_segments


@dataclass(frozen=True, slots=True)
class Playback:
    """What a range holds. `start`: Unix seconds of its first frame."""

    start: float
    duration_s: float
    mime: str


def playback_link(links: Links, camera: str, start: float, end: float) -> str:
    return links.sign(f"/media/playback/{camera}.mp4", {"from": f"{start:.3f}", "to": f"{end:.3f}"})


async def locate(media: Path, camera: str, start: float, end: float) -> Playback:
    """What there is of that time. Raises StorageError (`missing`) where there is nothing."""
    _check_name(camera)
    return await asyncio.to_thread(_locate, media, camera, start, end)


async def open_playback(media: Path, camera: str, start: float, end: float) -> AsyncIterator[bytes]:
    """The video's bytes, the first of them read already. Raises StorageError (`missing`)."""
    _check_name(camera)
    stream = stream_clip(media, camera, start, end)
    first = await anext(stream, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in stream:
            yield piece

    return whole()


def _locate(media: Path, camera: str, start: float, end: float) -> Playback:
    clip = Clip(media, camera, start, end)
    first = next(clip.chunks(), None)
    if first is None or clip.init is None:
        raise _missing(camera)
    rows = list_segments(media, camera, start, end)
    seconds = sum(max(0.0, min(row.start + row.duration, end) - max(row.start, clip.wall)) for row in rows)
    return Playback(clip.wall, seconds, f'video/mp4; codecs="{clip.init.mime}"')


def _check_name(camera: str) -> None:
    # It becomes a folder's name.
    if not CAMERA_ID.fullmatch(camera):
        raise _missing(camera)


def _missing(camera: str) -> StorageError:
    return StorageError(f"camera {camera!r}: no footage of that time", code="missing", camera=camera)

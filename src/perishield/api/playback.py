"""Playback of time ranges: what there is of one, and links to it. Layouts are made once and kept for a while."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from perishield.api.byte_ranges import in_thread
from perishield.api.pages import PartOut, PlaybackOut
from perishield.api.problems import ProblemError
from perishield.api.signing import LIFETIME_S, Links
from perishield.api.times import iso
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.model.site import CAMERA_ID
from perishield.recording.index import LONGEST_S, list_segments
from perishield.recording.playback_feed import Feed, Item, Kind
from perishield.recording.playback_file import PlaybackFile
from perishield.recording.playback_plan import Gaps, missing, plan, without_doubles
from perishield.recording.segment_reader import Footage
from perishield.recording.thinning import Thinner
from perishield.store.database import Database
from perishield.store.segments import segments_between

LONGEST_PLAYBACK_S = 24 * 3600.0
SLOWEST, FASTEST = 0.5, 16.0
KEYFRAMES_FROM = 4.0
"""From this speed on only key frames are sent."""
_MOST_KEPT = 16
_PAGE = 32
_KEPT_S = 600.0


@dataclass(frozen=True, slots=True)
class Reel:
    """A range ready to be played: one file for each part."""

    camera: str
    start: float
    end: float
    gaps: Gaps
    files: tuple[PlaybackFile, ...]


class Playback:
    """Finds footage and lays it out. The index is the database; the disk is looked at for the last minutes only."""

    def __init__(self, database: Database, footage: Footage, media: Path) -> None:
        self.footage = footage
        self._database = database
        self._media = media
        self._kept: OrderedDict[tuple[str, float, float, Gaps], tuple[float, Reel]] = OrderedDict()

    async def rows(
        self,
        camera: str,
        start: float,
        end: float,
        *,
        after: float | None = None,
        limit: int | None = None,
        keyframes: bool = False,
    ) -> list[SegmentRow]:
        """Segments that touch [start, end), oldest first, the one being written included; see `segments_between`."""
        if not CAMERA_ID.fullmatch(camera):
            raise missing(camera)
        async with self._database.read() as session:
            found = await segments_between(session, camera, start, end, after=after, limit=limit, keyframes=keyframes)
        recent = time.time() - LONGEST_S
        if end > recent and (limit is None or len(found) < limit):
            # What was closed a moment ago is not in the database yet, what is being written will be later.
            known = {row.path for row in found}
            fresh = await asyncio.to_thread(list_segments, self._media, camera, max(start, recent), end)
            found += [row for row in fresh if row.path not in known and (after is None or row.start > after)]
            found.sort(key=lambda row: row.start)
        return found

    async def reel(self, camera: str, start: float, end: float, gaps: Gaps = Gaps.CLOSE) -> Reel:
        """The layout of [start, end). Raises StorageError (`missing`) where there is no footage."""
        start, end = round(start, 3), round(end, 3)
        key = (camera, start, end, gaps)
        now = time.monotonic()
        for old in [key for key, (made, _) in self._kept.items() if now - made > _KEPT_S]:
            del self._kept[old]
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        rows = await self.rows(camera, start, end)
        reel = await asyncio.to_thread(_lay_out, self.footage, camera, rows, start, end, gaps)
        self._kept[key] = now, reel
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return reel

    def forget(self) -> None:
        """Lay everything out anew: footage was moved or removed."""
        self._kept.clear()

    async def lasting_reel(self, camera: str, start: float, end: float, gaps: Gaps) -> Reel:
        """The same, ending where it will still end when what is being written now has grown: for links."""
        reel = await self.reel(camera, start, min(end, time.time()), gaps)
        part = reel.files[-1].part
        last = part.wall_end - part.lead / TIMESCALE
        if part.wall_end < reel.end + part.lead / TIMESCALE and reel.end > time.time() - LONGEST_S:
            # The next chunk, once it is there, begins after this.
            return await self.reel(camera, start, math.floor(last * 1000 - 1) / 1000, gaps)
        return reel

    async def items(
        self, camera: str, origin: float, start: float, end: float, speed: float
    ) -> AsyncGenerator[Item, None]:
        """What a player is fed with from `start` on; see `Feed`. Key frames alone at speeds of 4 and more."""
        thinner = Thinner(speed) if speed >= KEYFRAMES_FROM else None
        feed = Feed(self.footage, origin, start, end, thinner=thinner)
        after: float | None = None
        while rows := await self.rows(camera, start, end, after=after, limit=_PAGE, keyframes=thinner is not None):
            after = rows[-1].start
            for row in without_doubles(rows):
                async for item in in_thread(feed.segment(row)):
                    yield item
        for item in feed.finish():
            yield item

    async def fast(self, reel: Reel, number: int, speed: float) -> AsyncGenerator[bytes, None]:
        """Key frames of one part as fragmented MP4; media time runs as the wall clock does, from the part's start."""
        part = reel.files[number].part
        begun = False
        async for item in self.items(reel.camera, part.wall, part.wall, min(part.wall_end, reel.end), speed):
            if item.kind is Kind.INIT and begun:
                return
            begun = begun or item.kind is Kind.INIT
            if item.data:
                yield bytes(item.data)


def _lay_out(footage: Footage, camera: str, rows: Sequence[SegmentRow], start: float, end: float, gaps: Gaps) -> Reel:
    files = tuple(PlaybackFile(footage, part) for part in plan(footage, camera, rows, start, end, gaps))
    return Reel(camera, start, end, gaps, files)


def check_range(start: float, end: float, longest_s: float = LONGEST_PLAYBACK_S) -> None:
    """Raises ProblemError (422)."""
    if start >= end:
        raise ProblemError(422, "to: lies not after from", field="to", why="not_after")
    if end - start > longest_s:
        hours = f"{longest_s / 3600:g} hours" if longest_s < 48 * 3600 else f"{longest_s / 86400:g} days"
        raise ProblemError(422, f"to: at most {hours} at once", field="to")


def mime(video: str, sound: str) -> str:
    """The type of an MP4 with these codecs (RFC 6381); `sound` may be empty."""
    return f'video/mp4; codecs="{video}, {sound}"' if sound else f'video/mp4; codecs="{video}"'


def playback_out(links: Links, reel: Reel, speed: float) -> PlaybackOut:
    """What the API says of it."""
    first = reel.files[0]
    parts = [part_out(links, reel, number, speed) for number in range(len(reel.files))]
    return {
        "url": parts[0]["url"],
        "hls_url": _link(links, reel, "m3u8", {}),
        "start": iso(first.part.wall),
        "start_offset_s": round(first.part.offset / TIMESCALE, 6),
        "duration_s": round(sum(file.part.ticks for file in reel.files) / TIMESCALE, 3),
        "mime": parts[0]["mime"],
        "parts": parts,
    }


def part_out(links: Links, reel: Reel, number: int, speed: float) -> PartOut:
    file = reel.files[number]
    part = file.part
    return {
        "url": part_link(links, reel, number, speed),
        "mime": mime(part.init.mime, part.init.audio.mime if part.sound and part.init.audio else ""),
        "width": part.init.width,
        "height": part.init.height,
        "size": file.size,
        "start": iso(part.wall),
        "duration_s": round(part.ticks / TIMESCALE, 3),
        "start_offset_s": round(part.offset / TIMESCALE, 6),
        "timeline": [
            {
                "media_s": round(span.media / TIMESCALE, 6),
                "wall": iso(span.wall),
                "duration_s": round(span.duration / TIMESCALE, 3),
            }
            for span in part.spans
        ],
    }


def part_link(links: Links, reel: Reel, number: int, speed: float = 1.0) -> str:
    fast = {"speed": f"{speed:g}"} if speed >= KEYFRAMES_FROM else {}
    return _link(links, reel, "mp4", {"part": str(number), **fast})


def _link(links: Links, reel: Reel, suffix: str, more: dict[str, str]) -> str:
    params = {"from": f"{reel.start:.3f}", "to": f"{reel.end:.3f}", "gaps": reel.gaps.value, **more}
    # One may look at it from its first to its last second.
    lifetime = LIFETIME_S + reel.end - reel.start
    return links.sign(f"/media/playback/{reel.camera}.{suffix}", params, lifetime_s=lifetime)

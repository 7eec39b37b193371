"""HLS (RFC 8216bis): a camera's newest chunks as parts, and some groups of pictures as a segment.

A camera's window opens with its first viewer and closes when nobody has asked for a while. It holds references; bytes
are read when they are asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perishield.live.backlog import earlier
from perishield.live.chunk_reader import ChunkReader
from perishield.live.hub import LiveHub
from perishield.log import Log
from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, AudioCodec, ChunkRef
from perishield.streams.fmp4 import without_sound, without_sound_chunk
from perishield.streams.fmp4_reader import Init, parse_init

log = Log("hls")

SEGMENT_S = 2.0
_SEGMENTS = 8
_IDLE_S = 45.0
_BACKLOG_S = 8.0
"""Footage in a window from its start: players want three segments, and Chromium's gives up with one."""
_PATIENCE_S = 15.0
_FEWEST = 3
_FILL_S = 8.0
"""For a camera that has only just begun to send; one with key frames far apart may begin with fewer."""
_SLACK_S = 0.1
_SILENT = frozenset((AudioCodec.PCMA, AudioCodec.PCMU))
"""Sound that no browser plays in MP4: it is taken out."""


@dataclass(slots=True)
class Segment:
    """`number` is its media sequence number; `init` names its init segment; `cut`: time or format jumps before it."""

    number: int
    init: int
    cut: bool
    wall: float
    parts: list[ChunkRef] = field(default_factory=list)
    done: bool = False

    @property
    def duration(self) -> float:
        return sum(part.duration for part in self.parts) / TIMESCALE


@dataclass(frozen=True, slots=True)
class Head:
    """An init segment as it is served. `codecs` after RFC 6381."""

    data: bytes
    codecs: str
    width: int
    height: int


class Window:
    """One camera's newest segments; `run` keeps them current until nobody asks any more."""

    def __init__(self, camera: str, media: Path) -> None:
        self.camera = camera
        self.segments: list[Segment] = []
        self.heads: OrderedDict[int, Head] = OrderedDict()
        self.cuts = 0
        """Discontinuities that have left the window."""
        self.target = 0
        """What playlists promise to be the longest segment, in whole seconds."""
        self.ended = False
        self.asked = time.monotonic()
        self._media = media
        self._marks: tuple[int, bytes, bytes] | None = None
        self._last: ChunkRef | None = None
        self._news = asyncio.Event()

    async def run(self, hub: LiveHub) -> None:
        reader = ChunkReader(self._media)
        path = ""
        try:
            with hub.watching(self.camera) as viewer:
                while time.monotonic() - self.asked < _IDLE_S:
                    try:
                        ref = await asyncio.wait_for(viewer.next(), _IDLE_S / 3)
                    except TimeoutError:
                        continue
                    if not isinstance(ref, ChunkRef):
                        continue
                    before = [] if self._last else await asyncio.to_thread(earlier, self._media, ref, _BACKLOG_S)
                    try:
                        for one in (*before, ref):
                            init = parse_init(await reader.init_segment(one)) if one.path != path else None
                            path = one.path
                            self.take(one, init)
                    except OSError:
                        viewer.lose()
        finally:
            self.ended = True
            self._tell()
            reader.close()

    def take(self, ref: ChunkRef, init: Init | None) -> None:
        """The next chunk; `init` of its file where that is another than before."""
        changed = init is not None and self._look(ref, init)
        last = self._last
        cut = last is not None and (
            changed or ref.discontinuity or (last.epoch, last.number + 1) != (ref.epoch, ref.number)
        )
        self._last = ref
        open_segment = self.segments[-1] if self.segments and not self.segments[-1].done else None
        full = open_segment is not None and open_segment.duration >= SEGMENT_S - _SLACK_S
        if open_segment is None or (ref.key and (full or cut)):
            if open_segment is not None:
                open_segment.done = True
            number = self.segments[-1].number + 1 if self.segments else 0
            self.segments.append(Segment(number, next(reversed(self.heads), 0), cut, ref.wall))
            while len(self.segments) > _SEGMENTS:
                self.cuts += self.segments.pop(0).cut
            used = {segment.init for segment in self.segments}
            for name in [name for name in self.heads if name not in used]:
                del self.heads[name]
        self.segments[-1].parts.append(ref)
        self._tell()

    async def ready(self, number: int | None = None, part: int | None = None) -> None:
        """Wait until that segment is whole (or has that part); by default, until there is enough to begin with.

        Raises SourceError: `gone` where the camera sends nothing, `protocol` for what lies too far ahead.
        """
        self.asked = time.monotonic()
        last = self.segments[-1].number if self.segments else 0
        if number is not None and number > last + 2:
            raise SourceError("this segment lies too far ahead", code="protocol")
        if number is not None:
            await self._wait(lambda: self._has(number, part), _PATIENCE_S)
        elif not await self._wait(lambda: self._done() >= _FEWEST, _FILL_S) and not await self._wait(
            lambda: self._done() > 0, _PATIENCE_S
        ):
            raise SourceError(
                f"camera '{self.camera}': there is no picture now; look at its state in the console", code="gone"
            )

    def parts(self, number: int, part: int | None = None) -> Sequence[ChunkRef]:
        """The chunks of a segment, or of one of its parts; empty where it is not there (any more)."""
        for segment in self.segments:
            if segment.number == number:
                if part is None:
                    return segment.parts if segment.done else ()
                return segment.parts[part : part + 1]
        return ()

    async def read(self, refs: Sequence[ChunkRef]) -> bytes:
        """Their bytes with times on the stream's own clock. Raises OSError when the file is gone."""
        reader = ChunkReader(self._media)
        try:
            chunks = [await reader.chunk(ref) for ref in refs]
        finally:
            reader.close()
        return b"".join(
            without_sound_chunk(chunk) if ref.audio in _SILENT else chunk
            for ref, chunk in zip(refs, chunks, strict=True)
        )

    def _look(self, ref: ChunkRef, init: Init) -> bool:
        marks = (ref.epoch, init.sample_entry, init.sound_entry)
        if marks == self._marks:
            return False
        self._marks = marks
        audio = init.audio
        silent = audio is not None and audio.codec in _SILENT
        codecs = init.mime if audio is None or silent else f"{init.mime},{audio.mime}"
        data = without_sound(init.data) if silent else init.data
        self.heads[next(reversed(self.heads), -1) + 1] = Head(data, codecs, init.width, init.height)
        return True

    async def _wait(self, true: Callable[[], bool], seconds: float) -> bool:
        """False where it did not come true in that time. Raises SourceError (`gone`) when the stream has ended."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    if self.ended:
                        raise SourceError(f"camera '{self.camera}': the stream has ended", code="gone")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _done(self) -> int:
        return sum(segment.done for segment in self.segments)

    def _has(self, number: int, part: int | None) -> bool:
        for segment in self.segments:
            if segment.number == number and (segment.done or (part is not None and len(segment.parts) > part)):
                return True
        return bool(self.segments) and self.segments[-1].number > number

    def _tell(self) -> None:
        self._news.set()


class Windows:
    """The windows of all cameras that somebody watches over HLS."""

    def __init__(self, hub: LiveHub, media: Path) -> None:
        self._hub = hub
        self._media = media
        self._windows: dict[str, Window] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def window(self, camera: str) -> Window:
        """The camera's window, opened where it is not."""
        found = self._windows.get(camera)
        if found is None or found.ended:
            found = self._windows[camera] = Window(camera, self._media)
            task = asyncio.create_task(self._keep(found))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    def known(self, camera: str) -> Window | None:
        return self._windows.get(camera)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, window: Window) -> None:
        try:
            await window.run(self._hub)
        finally:
            if self._windows.get(window.camera) is window:
                del self._windows[window.camera]

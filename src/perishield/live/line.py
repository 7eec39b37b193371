"""One camera on its way to viewers that take RTP: read, taken apart and packetized once, whatever their number.

A line opens with its first viewer and closes with its last. A newcomer gets what was sent since the latest key frame
at once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

from perishield.live.chunk_reader import ChunkReader
from perishield.live.coded import unpack
from perishield.live.description import Description, describe
from perishield.live.hub import LiveHub
from perishield.live.piece import VIDEO_TYPE, Piece, Track, make_piece, sound_rate, sound_type
from perishield.log import Log
from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.sources.bits import BitstreamError
from perishield.sources.rtsp.rtcp import sender_report

log = Log("live")

MOST_BEHIND_S = 3.0
_MOST_KEPT = 16 << 20
"""Bytes since the latest key frame that are kept for newcomers; past that, they wait for the next one."""
_MOST_WAITING = 16 << 20
_PATIENCE_S = 10.0
_GAP_S = 0.04
"""Line time between the last picture of one epoch and the first of the next, at least."""


class Seat:
    """One viewer's place on a line; bounded, because it skips."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.skipped = 0
        self._waiting: deque[Piece] = deque()
        self._size = 0
        self._wants_key = True
        self._news = asyncio.Event()

    def offer(self, piece: Piece) -> None:
        if self._wants_key and not piece.key:
            return
        self._wants_key = False
        self._waiting.append(piece)
        self._size += len(piece.framed)
        behind = (piece.begins - self._waiting[0].begins) / TIMESCALE
        if behind > MOST_BEHIND_S or self._size > _MOST_WAITING:
            self._skip()
        self._news.set()

    def restart(self) -> None:
        """Begin again at the latest key frame: the viewer lost what came since."""
        self._clear()
        for piece in self.line.group:
            self.offer(piece)

    async def next(self) -> Piece:
        """The next piece that a decoder can take. Raises SourceError (`gone`) when the line has closed."""
        while not self._waiting:
            if self.line.ended:
                raise SourceError(self.line.ended, code="gone")
            self._news.clear()
            await self._news.wait()
        piece = self._waiting.popleft()
        self._size -= len(piece.framed)
        return piece

    def wake(self) -> None:
        self._news.set()

    def _skip(self) -> None:
        """Go on at the latest key frame where that is nearer; else what waits may stay, within its bound."""
        group = self.line.group
        nearer = bool(group) and group[0].begins > self._waiting[0].begins
        if nearer or self._size > _MOST_WAITING:
            before = len(self._waiting)
            self.restart() if nearer else self._clear()
            self.skipped += max(0, before - len(self._waiting))

    def _clear(self) -> None:
        self._waiting.clear()
        self._size = 0
        self._wants_key = True


class Line:
    """Use through `Lines`. `ended` says why it closed; `latest` is the newest piece."""

    def __init__(self, camera: str, description: Description) -> None:
        self.camera = camera
        self.description = description
        self.ended = ""
        self.group: list[Piece] = []
        self.latest: Piece | None = None
        self.seats: set[Seat] = set()
        self.video = Track(VIDEO_TYPE, *_origin(), TIMESCALE)
        audio = description.audio
        self.sound = Track(sound_type(audio), *_origin(), sound_rate(audio)) if audio else None
        self._size = 0
        self._epoch = -1
        self._shift = 0
        self._until = 0
        self._arrival = 0.0

    def take(self, ref: ChunkRef, chunk: bytes, description: Description) -> None:
        """Packetize a chunk and hand it to every seat. Raises BitstreamError."""
        if ref.epoch != self._epoch:
            # A new epoch counts from 0 again; RTP time goes on by what passed meanwhile.
            passed = max(_GAP_S, ref.arrival - self._arrival) if self._arrival else 0.0
            self._shift = self._until + round(passed * TIMESCALE) - ref.stream_time
            self._epoch = ref.epoch
        coded = unpack(ref, chunk, description.video.parameter_sets)
        piece = make_piece(ref, description, coded, self._shift, self.video, self.sound)
        self._until = max(self._until, piece.begins + ref.duration)
        self._arrival = ref.arrival
        self.latest = piece
        if piece.key:
            self.group.clear()
            self._size = 0
        if piece.key or self.group:
            self.group.append(piece)
            self._size += len(piece.framed)
            if self._size > _MOST_KEPT:
                self.group.clear()
        for seat in tuple(self.seats):
            seat.offer(piece)

    def report(self, *, sound: bool = False) -> bytes:
        """An RTCP sender report that ties RTP time to when the camera took the picture; empty before the first."""
        track = self.sound if sound else self.video
        if track is None or self.latest is None:
            return b""
        timestamp = track.timestamp(self.latest.begins)
        return sender_report(track.source, self.latest.ref.wall, timestamp, track.packets, track.octets)

    def end(self, reason: str) -> None:
        self.ended = reason
        for seat in self.seats:
            seat.wake()


class Lines:
    """The lines of all cameras that somebody watches."""

    def __init__(self, hub: LiveHub, media: Path) -> None:
        self._hub = hub
        self._media = media
        self._lines: dict[str, Line] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def viewers(self) -> int:
        return sum(len(line.seats) for line in self._lines.values())

    def reordered(self, camera: str) -> bool:
        """As the hub says."""
        return self._hub.reordered(camera)

    async def description(self, camera: str) -> Description:
        """What the camera sends. Raises SourceError (`gone`) where it sends nothing within seconds."""
        line = self._lines.get(camera)
        if line is not None and not line.ended:
            return line.description
        reader = ChunkReader(self._media)
        try:
            with self._hub.watching(camera) as viewer:
                async with asyncio.timeout(_PATIENCE_S):
                    while True:
                        ref = await viewer.next()
                        if isinstance(ref, ChunkRef):
                            with suppress(OSError):
                                found = describe(await reader.init_segment(ref))
                                if found is not None:
                                    return found
        except TimeoutError:
            raise SourceError(
                f"camera '{camera}': there is no picture now; look at its state in the console", code="gone"
            ) from None
        finally:
            reader.close()

    @asynccontextmanager
    async def seat(self, camera: str, *, closely: bool = False) -> AsyncIterator[Seat]:
        """A place on the camera's line, with what was sent since the latest key frame; `closely` as in the hub.

        Raises SourceError (`gone`).
        """
        line = self._lines.get(camera)
        if line is None or line.ended:
            description = await self.description(camera)
            line = self._lines.get(camera)
            if line is None or line.ended:
                line = self._lines[camera] = Line(camera, description)
                self._tasks[camera] = asyncio.create_task(self._run(line))
        seat = Seat(line)
        seat.restart()
        line.seats.add(seat)
        try:
            with self._hub.closely(camera) if closely else nullcontext():
                yield seat
        finally:
            line.seats.discard(seat)
            if not line.seats and self._lines.get(camera) is line:
                del self._lines[camera]
                self._tasks.pop(camera).cancel()

    def end(self, camera: str, reason: str) -> None:
        """Close the camera's line: it is no longer there."""
        line = self._lines.get(camera)
        if line is not None:
            line.end(reason)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for line in self._lines.values():
            line.end("this server stops")
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, line: Line) -> None:
        reader = ChunkReader(self._media)
        path, description = "", line.description
        try:
            with self._hub.watching(line.camera) as viewer:
                while not line.ended:
                    ref = await viewer.next()
                    if not isinstance(ref, ChunkRef):
                        continue
                    try:
                        if ref.path != path:
                            found = describe(await reader.init_segment(ref))
                            if found is None:
                                viewer.lose()
                                continue
                            if _differ(found, line.description):
                                line.end(f"camera '{line.camera}': its format has changed; connect again")
                                return
                            path, description = ref.path, found
                        line.take(ref, await reader.chunk(ref), description)
                    except (OSError, BitstreamError) as error:
                        log.warning("live.unreadable", camera=line.camera, message=str(error))
                        viewer.lose()
        except Exception:
            line.end(f"camera '{line.camera}': its line broke down; connect again")
            raise
        finally:
            reader.close()


def _differ(a: Description, b: Description) -> bool:
    """Whether a viewer must ask anew: a change of parameter sets travels with the pictures."""
    if a.video.codec is not b.video.codec:
        return True
    # Sound that stops or begins under way is not worth a new connection; it is left out.
    return a.audio is not None and b.audio is not None and a.audio != b.audio


def _origin() -> tuple[int, int, int]:
    """Source, first timestamp and first sequence number: random, as RFC 3550 section 5.1 asks."""
    return secrets.randbits(32), secrets.randbits(32), secrets.randbits(15)

"""A line's pieces as frames for one peer, with the RTP times that make a browser show the newest at once."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from perishield.live.line import Seat
from perishield.live.piece import Piece, sound_rate
from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE

_CATCH_UP = 50
"""What a newcomer missed since the latest key frame is squeezed by this, or its browser would show it at leisure and
stay that far behind for ever."""
_PACE = 4_000_000
"""Bytes a second at which missed pictures are sent: a burst would overrun sockets on the way."""
_MOST_READY = 64


@dataclass(frozen=True, slots=True)
class Frame:
    """`time`: RTP ticks of its own track, from wherever the line began."""

    payloads: list[bytes]
    time: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Which stream time the newest picture sent has, and its RTP time (ticks of 1/90000 s, less the random origin)."""

    epoch: int
    stream_time: int
    wall: float
    rtp: int


class Flow:
    """`run` fills it from a seat, the senders of a peer take from it."""

    def __init__(self, seat: Seat) -> None:
        self.latest: Moment | None = None
        self.bytes = 0
        self._seat = seat
        self._edge: int | None = None
        self._last = -1
        self._pictures: deque[Frame] = deque()
        self._sounds: deque[Frame] = deque(maxlen=_MOST_READY)
        self._news = {False: asyncio.Event(), True: asyncio.Event()}
        self._room = asyncio.Event()
        self._ended = ""

    async def run(self) -> None:
        """Until the line closes. Raises SourceError (`gone`) then."""
        try:
            while True:
                piece = await self._seat.next()
                if self._edge is None:
                    newest = self._seat.line.latest or piece
                    self._edge = newest.begins + newest.ref.duration
                await self._take(piece)
        except SourceError as error:
            self._ended = error.message
            for event in self._news.values():
                event.set()
            raise

    def lost(self) -> None:
        """The peer cannot decode any more (PLI, RFC 4585 section 6.3.1): begin again at the latest key frame."""
        self._pictures.clear()
        self._room.set()
        self._edge = None
        self._seat.restart()

    async def next(self, *, sound: bool) -> Frame:
        """Raises SourceError (`gone`) when the line has closed."""
        ready = self._sounds if sound else self._pictures
        while not ready:
            if self._ended:
                raise SourceError(self._ended, code="gone")
            self._news[sound].clear()
            await self._news[sound].wait()
        frame = ready.popleft()
        self._room.set()
        return frame

    async def _take(self, piece: Piece) -> None:
        audio = piece.description.audio
        for unit in piece.units:
            payloads = piece.payloads(unit)
            size = sum(map(len, payloads))
            self.bytes += size
            if unit.sound:
                if audio is not None and not self._behind(unit.shown):
                    self._sounds.append(Frame(payloads, unit.shown * sound_rate(audio) // TIMESCALE))
                    self._news[True].set()
                continue
            behind = self._behind(unit.shown)
            time = self._stamp(unit.shown)
            while len(self._pictures) >= _MOST_READY:
                self._room.clear()
                await self._room.wait()
            self._pictures.append(Frame(payloads, time))
            if not behind:
                stream_time = piece.ref.stream_time + unit.shown - piece.begins
                wall = piece.ref.wall + (unit.shown - piece.begins) / TIMESCALE
                self.latest = Moment(piece.ref.epoch, stream_time, wall, time)
            self._news[False].set()
            if behind:
                await asyncio.sleep(size / _PACE)

    def _behind(self, shown: int) -> bool:
        return self._edge is not None and shown < self._edge

    def _stamp(self, shown: int) -> int:
        """RTP time of a picture: its own at the live edge, squeezed towards that before, never backwards."""
        time = shown
        if self._edge is not None and shown < self._edge:
            time = self._edge - (self._edge - shown) // _CATCH_UP
        self._last = time = max(time, self._last + 1)
        return time

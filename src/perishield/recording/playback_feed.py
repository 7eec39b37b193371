"""One camera's footage as a player is fed with it: init segments and chunks whose media time is the wall clock.

`media = wall - origin` for every camera, so that several play in step and a position is a time. Within footage without
a hole the camera's own clock counts, until it has drifted from the wall's by more than a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.recording.playback_head import init_segment
from perishield.recording.playback_plan import HOLE_TICKS, browser_sound
from perishield.recording.retime import retimed
from perishield.recording.segment_reader import Footage, SegmentReader
from perishield.recording.thinning import KeyFrame, Thinner, key_frame_chunk
from perishield.streams.fmp4_reader import Chunk, Init, read_init_by, walk_by

log = Log("playback")

_BLOCK = 1 << 18
_DRIFT_TICKS = TIMESCALE // 5


class Kind(IntEnum):
    INIT = 1
    MEDIA = 2
    GAP = 3


@dataclass(frozen=True, slots=True)
class Item:
    """Something to send. `media` and `until`: ticks that it covers.

    The rest is told of init segments: RFC 6381 names of picture and sound, and the picture's size.
    """

    kind: Kind
    media: int
    until: int
    data: bytes | bytearray = b""
    mime: str = ""
    sound: str = ""
    width: int = 0
    height: int = 0


class Feed:
    """Segments of one camera in, items out; one after the other. `origin`: the wall time (Unix seconds) of media 0.

    `speed` of 0 gives all frames; else only key frames, as many as suit that speed. Blocking: use it in a thread.
    """

    def __init__(self, footage: Footage, origin: float, start: float, end: float, *, thinner: Thinner | None) -> None:
        self._footage = footage
        self._origin = origin
        self._start = start
        self._end = end
        self._thinner = thinner
        self._last: SegmentRow | None = None
        self._head = b""
        self._until = round((start - origin) * TIMESCALE)
        """Media time up to which there was something."""
        self._stream_end = 0

    def segment(self, row: SegmentRow) -> Generator[Item, None, None]:
        """What that segment gives. One that is gone or damaged gives nothing, or less."""
        if self._doubles(row):
            return
        try:
            reader = self._footage.open(row)
        except StorageError as error:
            log.warning("playback.hole", path=row.path, message=str(error))
            return
        try:
            init = read_init_by(reader.pread, reader.size)
            if init is not None:
                yield from self._of(row, reader, init)
        except OSError as error:
            log.warning("playback.hole", path=row.path, message=str(error))
        finally:
            reader.close()

    def finish(self) -> Generator[Item, None, None]:
        """What is still held back, and the gap up to the end."""
        yield from self._flush(self._until)
        yield from self._gap(round((self._end - self._origin) * TIMESCALE))

    def _of(self, row: SegmentRow, reader: SegmentReader, init: Init) -> Generator[Item, None, None]:
        begin = self._begin(row, reader, init)
        if begin is None:
            return
        chunk = begin
        offset, ticks = chunk.offset, chunk.decode_time
        # What the clock tells is when a picture is shown, which with B-frames is later than when it is decoded.
        delta = self._delta(row, chunk.composition[0] if chunk.composition else 0)
        sound = "" if self._thinner else browser_sound(row)
        first = max(0, ticks + delta)
        if first - self._until > HOLE_TICKS:
            yield from self._flush(self._until)
            yield from self._gap(first)
        head = init_segment(init.data, sound=bool(sound))
        if head != self._head:
            yield from self._flush(first)
            self._head = head
            heard = init.audio.mime if sound and init.audio else ""
            yield Item(Kind.INIT, first, first, head, init.mime, heard, init.width, init.height)
        if self._thinner is None:
            yield from self._all(row, reader, offset, delta, sound=bool(sound))
        else:
            yield from self._thinned(self._thinner, row, reader, offset, delta)
        self._last = row
        self._stream_end = row.stream_time + round(row.duration * TIMESCALE)
        self._until = max(self._until, delta + round(row.duration * TIMESCALE))

    def _doubles(self, row: SegmentRow) -> bool:
        last = self._last
        if last is None or last.epoch != row.epoch:
            return False
        return last.stream_time <= row.stream_time < self._stream_end - HOLE_TICKS

    def _begin(self, row: SegmentRow, reader: SegmentReader, init: Init) -> Chunk | None:
        """The first chunk to show: in the first segment, that of the last key frame in time."""
        found: Chunk | None = None
        for chunk in walk_by(reader.pread, min(reader.size, row.size), len(init.data)):
            if found is not None and (row.start >= self._start or chunk.decode_time > self._ticks(row)):
                break
            if chunk.key:
                found = chunk
        return found

    def _ticks(self, row: SegmentRow) -> float:
        return (self._start - row.start) * TIMESCALE

    def _delta(self, row: SegmentRow, lead: int) -> int:
        """What turns the segment's ticks into media time."""
        due = round((row.start - self._origin) * TIMESCALE) - lead
        last = self._last
        if last is not None and last.epoch == row.epoch:
            pause = row.stream_time - self._stream_end
            running = self._until + pause
            if -TIMESCALE < pause < HOLE_TICKS and abs(running - due) < _DRIFT_TICKS:
                return running
        return due

    def _all(
        self, row: SegmentRow, reader: SegmentReader, offset: int, delta: int, *, sound: bool
    ) -> Generator[Item, None, None]:
        begin = self._until
        end = round((self._end - self._origin) * TIMESCALE)
        stop = min(reader.size, row.size)
        for block, time in retimed(reader, offset, stop, delta, sound=sound, block_size=_BLOCK):
            yield Item(Kind.MEDIA, begin, time, block)
            begin = self._until = time
            if time >= end:
                return

    def _thinned(
        self, thinner: Thinner, row: SegmentRow, reader: SegmentReader, offset: int, delta: int
    ) -> Generator[Item, None, None]:
        rate = row.size / row.duration if row.duration > 0 else 0.0
        size = min(reader.size, row.size)
        for place in _key_offsets(row, reader, offset, size):
            chunk = next(walk_by(reader.pread, size, place), None)
            if chunk is None or not chunk.key:
                continue
            media = max(0, chunk.decode_time + delta)
            if row.start + chunk.decode_time / TIMESCALE >= self._end:
                return
            if thinner.takes(media, chunk.sizes[0], rate):
                data = reader.pread(chunk.sizes[0], chunk.offset + chunk.length - sum(chunk.sizes))
                held = thinner.hold(KeyFrame(media, chunk.composition[0] if chunk.composition else 0, data))
                if held is not None:
                    yield _shown(held, media)

    def _flush(self, until: int) -> Generator[Item, None, None]:
        held = self._thinner.hold(None) if self._thinner else None
        if held is not None:
            yield _shown(held, until)

    def _gap(self, until: int) -> Generator[Item, None, None]:
        if until - self._until > HOLE_TICKS:
            yield Item(Kind.GAP, self._until, until)
            self._until = until


def _key_offsets(row: SegmentRow, reader: SegmentReader, offset: int, size: int) -> Sequence[int]:
    if row.keyframes:
        return [place for _, place in row.keyframes if place >= offset]
    return [chunk.offset for chunk in walk_by(reader.pread, size, offset) if chunk.key]


def _shown(frame: KeyFrame, until: int) -> Item:
    return Item(Kind.MEDIA, frame.media, until, key_frame_chunk(frame, until))

"""What a time range of one camera is played from: segments in order, where each begins in media time, and in bytes.

Made of index rows alone, but for the first and the last segment, which are cut at a chunk. So a range of a day costs
two look-ups in files, and its size is known before any of its media is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, SegmentRow
from perishield.recording.playback_head import BROWSER_SOUND
from perishield.recording.segment_reader import Footage
from perishield.streams.fmp4_reader import Chunk, Init, read_init_by, walk_by

log = Log("playback")

HOLE_TICKS = TIMESCALE // 2
"""A longer pause between the end of one segment and the next counts as missing footage."""
_DRIFT_TICKS = TIMESCALE // 5
"""The camera's clock and the wall's may drift apart by this before the timeline says so."""


class Gaps(StrEnum):
    """Missing footage: the next frame follows at once, or when its time has come."""

    CLOSE = "close"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole chunks of one segment: its bytes [first, stop). Times in ticks.

    `decode_time`: of its first chunk, as the file has it. `media`: what it becomes. `follows`: nothing is missing
    between the piece before and this one.
    """

    row: SegmentRow
    first: int
    stop: int
    decode_time: int
    duration: int
    media: int
    follows: bool

    @property
    def wall(self) -> float:
        return self.row.start + self.decode_time / TIMESCALE


@dataclass(frozen=True, slots=True)
class Span:
    """Media time [media, media + duration) shows the time from `wall` (Unix seconds) on. Ticks."""

    media: int
    wall: float
    duration: int


@dataclass(frozen=True, slots=True)
class Part:
    """A run of pieces that one decoder plays. `offset`: ticks of media before the time asked for.

    `spans` and `offset` are in presentation time: a picture with B-frames behind it is shown `lead` ticks after its
    decode time, and the clocks tell when it was shown.
    """

    init: Init
    sound: str
    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...]
    offset: int
    lead: int

    @property
    def ticks(self) -> int:
        return self.pieces[-1].media + self.pieces[-1].duration

    @property
    def wall(self) -> float:
        """Unix seconds of its first frame."""
        return self.pieces[0].wall

    @property
    def wall_end(self) -> float:
        last = self.pieces[-1]
        return last.wall + last.duration / TIMESCALE


def without_doubles(rows: Iterable[SegmentRow]) -> list[SegmentRow]:
    """In order of time, and once each: footage that is kept lies in the pool, too, until the pool lets it go."""
    found: list[SegmentRow] = []
    for row in sorted(rows, key=lambda row: (row.start, row.pool != "recordings")):
        last = found[-1] if found else None
        if last is not None and last.epoch == row.epoch:
            end = last.stream_time + round(last.duration * TIMESCALE)
            if last.stream_time <= row.stream_time < end - HOLE_TICKS:
                continue
        found.append(row)
    return found


def browser_sound(row: SegmentRow) -> str:
    """The codec of its sound where browsers play it, else empty."""
    return row.audio if row.audio in BROWSER_SOUND else ""


def any_sound(row: SegmentRow) -> str:
    """The codec of its sound, which may be G.711."""
    return row.audio


def plan(
    footage: Footage,
    camera: str,
    rows: Iterable[SegmentRow],
    start: float,
    end: float,
    gaps: Gaps,
    sound: Callable[[SegmentRow], str] = browser_sound,
) -> list[Part]:
    """The parts that show [start, end) (Unix seconds); blocks on the first and last segment of each.

    The first frame is the key frame at or before `start`. `sound` says which one of a segment to keep. Raises
    StorageError (`missing`) where there is no footage.
    """
    parts: list[Part] = []
    run: list[SegmentRow] = []
    kind: tuple[object, ...] = ()
    ordered = without_doubles(row for row in rows if row.start < end and row.start + row.duration > start)
    for row in ordered:
        if run and _kind(row, sound(row)) != kind:
            parts += _part(footage, run, sound(run[0]), start, end, gaps)
            run = []
        run.append(row)
        kind = _kind(row, sound(row))
    if run:
        parts += _part(footage, run, sound(run[0]), start, end, gaps)
    if not parts:
        raise missing(camera)
    return parts


def missing(camera: str) -> StorageError:
    return StorageError(
        f"camera {camera!r}: no footage of that time; it was not recorded or is already deleted",
        code="missing",
        camera=camera,
    )


def _kind(row: SegmentRow, sound: str) -> tuple[object, ...]:
    return row.codec, row.mime, row.width, row.height, sound


def _part(footage: Footage, rows: list[SegmentRow], sound: str, start: float, end: float, gaps: Gaps) -> list[Part]:
    init = None
    lead = 0
    pieces: list[Piece] = []
    for index, row in enumerate(rows):
        cut = row.start < start or (index == len(rows) - 1 and row.start + row.duration > end)
        if init is None or cut:
            opened = _look(footage, row, start, end, cut=cut)
            if opened is None:
                continue
            found, key, stop, until = opened
            first, decode_time = key.offset, key.decode_time
            if init is None:
                init, lead = found, key.composition[0] if key.composition else 0
        else:
            first, stop, decode_time, until = row.init_length, row.size, 0, round(row.duration * TIMESCALE)
        if until <= decode_time or stop <= first:
            continue
        pieces.append(_placed(pieces, row, (first, stop), (decode_time, until), gaps))
    if init is None or not pieces:
        return []
    last = pieces[-1]
    offset = min(round(max(0.0, start - pieces[0].wall) * TIMESCALE), last.media + last.duration) + lead
    return [Part(init, sound, tuple(pieces), tuple(spans(pieces, lead)), offset, lead)]


def _look(
    footage: Footage, row: SegmentRow, start: float, end: float, *, cut: bool
) -> tuple[Init, Chunk, int, int] | None:
    """What [start, end) needs of that segment: its init segment, the first chunk, and where it ends in bytes and ticks.

    None where it is gone, damaged, or has nothing of that time. Without `cut` the whole segment is meant.
    """
    try:
        reader = footage.open(row)
    except StorageError:
        return None
    try:
        size = min(reader.size, row.size)
        init = read_init_by(reader.pread, size)
        if init is None:
            return None
        first: Chunk | None = None
        last: Chunk | None = None
        for chunk in walk_by(reader.pread, size, len(init.data)):
            wall = row.start + chunk.decode_time / TIMESCALE
            # Pictures are shown later than they are decoded, by what the first one says.
            if wall >= end + (first.composition[0] / TIMESCALE if first is not None and first.composition else 0.0):
                break
            if chunk.key and (first is None or wall <= start):
                first = chunk
            last = chunk
            if first is not None and not cut:
                return init, first, size, round(row.duration * TIMESCALE)
        if first is None or last is None:
            return None
        whole = last.offset + last.length == row.size
        until = round(row.duration * TIMESCALE) if whole else last.decode_time + last.duration
        return init, first, last.offset + last.length, until
    except OSError as error:
        log.warning("playback.unreadable", path=row.path, message=str(error))
        return None
    finally:
        reader.close()


def _placed(pieces: list[Piece], row: SegmentRow, place: tuple[int, int], ticks: tuple[int, int], gaps: Gaps) -> Piece:
    """The piece on the timeline of those before it."""
    first, stop = place
    decode_time, until = ticks
    media, follows = 0, False
    if pieces:
        last = pieces[-1]
        pause = row.stream_time + decode_time - (last.row.stream_time + last.decode_time + last.duration)
        media = last.media + last.duration
        follows = row.epoch == last.row.epoch and -TIMESCALE < pause < HOLE_TICKS
        if follows:
            media += pause
        elif gaps is Gaps.REAL:
            wall = row.start + decode_time / TIMESCALE
            media = max(media, round((wall - pieces[0].wall) * TIMESCALE))
    return Piece(row, first, stop, decode_time, until - decode_time, media, follows)


def spans(pieces: Iterable[Piece], lead: int) -> Iterator[Span]:
    """Which wall-clock time is shown when: a new span wherever footage is missing, or the clocks drifted apart."""
    begin: Piece | None = None
    end = 0
    for piece in pieces:
        if begin is not None:
            due = begin.wall + (piece.media - begin.media) / TIMESCALE
            if piece.follows and abs(piece.wall - due) * TIMESCALE < _DRIFT_TICKS:
                end = piece.media + piece.duration
                continue
            yield Span(begin.media + lead, begin.wall, end - begin.media)
        begin, end = piece, piece.media + piece.duration
    if begin is not None:
        yield Span(begin.media + lead, begin.wall, end - begin.media)

"""A range as one fragmented MP4 that is never written: any bytes of it, made from the segments when they are asked for.

The layout is the plan's: a head, then every piece's bytes with their times rewritten in place. What has vanished or
changed since the plan was made is filled up with a `free` box of the same length, so that the layout holds and a player
sees a hole instead of garbage.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Generator, Iterator
from hashlib import sha256
from itertools import pairwise

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.recording.playback_head import playback_head, same_decoder
from perishield.recording.playback_plan import Part, Piece
from perishield.recording.retime import moof_length, retimed
from perishield.recording.segment_reader import Footage, SegmentReader
from perishield.streams.fmp4_reader import read_init_by

log = Log("playback")

_ZEROS = bytes(1 << 16)


class PlaybackFile:
    """The bytes of one part. `size`: of all. `etag`: differs where the layout differs."""

    def __init__(self, footage: Footage, part: Part) -> None:
        self.part = part
        self.head = playback_head(
            part.init.data,
            sound=bool(part.sound),
            ticks=part.ticks,
            pieces=list(_entries(part)),
        )
        self.starts: list[int] = []
        """Where each piece begins."""
        position = len(self.head)
        digest = sha256(self.head)
        for piece in part.pieces:
            self.starts.append(position)
            position += piece.stop - piece.first
            digest.update(f"{piece.row.path} {piece.first} {piece.stop} {piece.media};".encode())
        self.size = position
        self.etag = f'"{digest.hexdigest()[:32]}"'
        self._footage = footage

    def read(self, start: int, stop: int) -> Generator[bytes | memoryview, None, None]:
        """The bytes [start, stop) in blocks of at most about half a megabyte. Blocks on the disk."""
        stop = min(stop, self.size)
        if start < len(self.head):
            yield self.head[start : min(stop, len(self.head))]
        index = max(0, bisect_right(self.starts, max(start, len(self.head))) - 1)
        while index < len(self.starts) and self.starts[index] < stop:
            begin = self.starts[index]
            piece = self.part.pieces[index]
            yield from self._read_piece(piece, max(0, start - begin), min(stop - begin, piece.stop - piece.first))
            index += 1

    def _read_piece(self, piece: Piece, start: int, stop: int) -> Iterator[bytes | memoryview]:
        """Bytes [start, stop) of a piece, counted from where it begins."""
        for position, block in self._blocks(piece, start):
            low, high = max(start - position, 0), min(stop - position, len(block))
            if high > low:
                yield memoryview(block)[low:high]
            if position + len(block) >= stop:
                return

    def _blocks(self, piece: Piece, start: int) -> Iterator[tuple[int, bytes | bytearray]]:
        """Whole chunks from the one that holds byte `start` on, each with its position; what is lost as holes."""
        position, length = 0, piece.stop - piece.first
        try:
            reader = self._footage.open(piece.row)
        except StorageError as error:
            log.warning("playback.hole", path=piece.row.path, message=str(error))
        else:
            try:
                if self._fits(reader):
                    position = _skip(reader, piece, start)
                    delta, sound = piece.media - piece.decode_time, bool(self.part.sound)
                    for block, _ in retimed(reader, piece.first + position, piece.stop, delta, sound=sound):
                        yield position, block
                        position += len(block)
                if position < length:
                    log.warning("playback.hole", path=piece.row.path, message="damaged, cut short, or another format")
            except OSError as error:
                log.warning("playback.hole", path=piece.row.path, message=str(error))
            finally:
                reader.close()
        yield from _hole(position, length)

    def _fits(self, reader: SegmentReader) -> bool:
        init = read_init_by(reader.pread, reader.size)
        sound = bool(self.part.sound)
        return init is not None and same_decoder(init.data, self.part.init.data, sound=sound)


def _skip(reader: SegmentReader, piece: Piece, start: int) -> int:
    """Position of the chunk that holds byte `start`, or of the first thing that is no chunk."""
    position, length = 0, piece.stop - piece.first
    while position < start:
        moof = moof_length(reader.pread(8, piece.first + position))
        mdat = reader.pread(8, piece.first + position + moof) if moof else b""
        if mdat[4:8] != b"mdat":
            break
        after = position + moof + int.from_bytes(mdat[:4], "big")
        if after > min(start, length):
            break
        position = after
    return position


def _hole(position: int, length: int) -> Iterator[tuple[int, bytes]]:
    """A `free` box (clause 8.1.2) from `position` to the piece's end; where not even its head fits, zeros."""
    rest = length - position
    if rest <= 0:
        return
    if rest >= 8:
        # A piece of a segment is far smaller than what 32 bits hold, or the size 0: "to the end of the file".
        yield position, struct.pack(">I4s", rest if rest < 1 << 32 else 0, b"free")
        position += 8
    while position < length:
        block = _ZEROS[: length - position]
        yield position, block
        position += len(block)


def _entries(part: Part) -> Iterator[tuple[int, int]]:
    """Bytes of each piece, and how long it takes until the next one begins: what an index of the file must say."""
    for piece, after in pairwise(part.pieces):
        yield piece.stop - piece.first, max(0, after.media - piece.media)
    last = part.pieces[-1]
    yield last.stop - last.first, last.duration

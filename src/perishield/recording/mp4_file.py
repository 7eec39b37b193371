"""A plain MP4 (not fragmented) written in one go: for files that leave the house and must play everywhere.

    ftyp
    moov    clause 8.2.1    in front where the room that was left for it suffices, else behind
    free    8.1.2           what is left of that room
    mdat    8.1.1           64-bit size
The movie's and all tracks' timescale is ours. Edit lists (8.6.6) begin and end the presentation at the frame asked for,
although decoding begins at a key frame; players that do not know edit lists show a little more.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

from perishield.model.media import TIMESCALE
from perishield.recording.mp4_tables import Track, find
from perishield.recording.playback_head import VIDEO_TRACK, boxes, track_id

_FTYP = struct.pack(">I4s4sI4s4s4s", 28, b"ftyp", b"isom", 0x200, b"isom", b"iso2", b"mp41")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_EPOCH_1904 = 2_082_844_800
_LARGE_MDAT = 16


class Mp4File:
    """Writes samples to `file`, which must be empty; `room`: bytes left for `moov`. Raises OSError.

    `init`: the init segment that tells of the tracks; its sound is written too.
    """

    def __init__(self, file: IO[bytes], folder: Path, init: bytes, room: int) -> None:
        self._file = file
        self._init = init
        self._room = room
        self._traks: dict[int, bytes] = {}
        moov = find(init, b"moov")
        for kind, start, end in boxes(moov, 0, len(moov)):
            if kind == b"trak":
                self._traks[track_id(moov, start, end)] = moov[start + 8 : end]
        self.tracks = {number: Track(folder, sync=number == VIDEO_TRACK) for number in self._traks}
        file.write(_FTYP + struct.pack(">I4s", room, b"free") + bytes(room - 8))
        self._data_at = file.tell()
        file.write(bytes(_LARGE_MDAT))
        self.position = file.tell()

    def append(self, track: int, data: bytes, count: int) -> None:
        """The next `count` samples of that track; each is to be told to `tracks[track].sample` besides."""
        self.tracks[track].chunk(self.position, count)
        self._file.write(data)
        self.position += len(data)

    def finish(self, start: int, end: int, wall: float) -> None:
        """Write what stands before the data. [start, end): ticks to be shown; `wall`: Unix seconds of `start`."""
        self._file.seek(self._data_at)
        self._file.write(struct.pack(">I4sQ", 1, b"mdat", self.position - self._data_at))
        created = max(0, int(wall)) + _EPOCH_1904
        for track in self.tracks.values():
            track.finish()
        mvhd = struct.pack(">IQQIQIH10x", 0x01000000, created, created, TIMESCALE, max(1, end - start), 0x10000, 0x100)
        mvhd = _box(b"mvhd", mvhd + _MATRIX + bytes(24) + struct.pack(">I", max(self.tracks) + 1))
        heads = {number: self._trak_head(number, start, end, created) for number in self.tracks}
        size = 8 + len(mvhd) + sum(len(heads[number]) + self._stbl_size(number) for number in self.tracks)
        fits = size == self._room or size + 8 <= self._room
        self._file.seek(len(_FTYP) if fits else self.position)
        self._file.write(struct.pack(">I4s", size, b"moov") + mvhd)
        for number, track in self.tracks.items():
            self._file.write(heads[number])
            track.write(self._file, self._entry(number))
        if fits and size < self._room:
            self._file.write(struct.pack(">I4s", self._room - size, b"free"))

    def close(self) -> None:
        """Let go of the tables; to be called in any case."""
        for track in self.tracks.values():
            track.close()

    def _entry(self, number: int) -> bytes:
        return find(self._traks[number], b"mdia", b"minf", b"stbl", b"stsd")

    def _stbl_size(self, number: int) -> int:
        return self.tracks[number].size(self._entry(number))

    def _trak_head(self, number: int, start: int, end: int, created: int) -> bytes:
        """Everything of a `trak` before its `stbl`, which is the last box in every box around it."""
        trak = self._traks[number]
        mdia, minf = find(trak, b"mdia"), find(trak, b"mdia", b"minf")
        around = b"".join(minf[low:high] for kind, low, high in boxes(minf, 0, len(minf)) if kind != b"stbl")
        size = 8 + len(around) + self._stbl_size(number)
        language = find(mdia, b"mdhd")[20:24]
        mdhd = struct.pack(">IQQIQ", 0x01000000, created, created, TIMESCALE, self.tracks[number].duration) + language
        inner = _box(b"mdhd", mdhd) + _box(b"hdlr", find(mdia, b"hdlr")) + struct.pack(">I4s", size, b"minf") + around
        size += len(inner) - len(around)
        tkhd = struct.pack(">IQQIIQ", 0x01000003, created, created, number, 0, max(1, end - start))
        outer = _box(b"tkhd", tkhd + find(trak, b"tkhd")[24:]) + _edits(self.tracks[number], start, end)
        outer += struct.pack(">I4s", size, b"mdia") + inner
        size += len(outer) - len(inner)
        return struct.pack(">I4s", size, b"trak") + outer


def _edits(track: Track, start: int, end: int) -> bytes:
    """`edts`: the track shows [start, end), or what of that lies after its first sample."""
    first = track.first if track.first is not None else end
    late = max(0, first - start)
    edits = [(late, -1)] if late else []
    edits.append((max(0, end - start - late), max(0, start - first)))
    entries = b"".join(struct.pack(">QqI", length, at, 0x10000) for length, at in edits)
    return _box(b"edts", _box(b"elst", struct.pack(">II", 0x01000000, len(edits)) + entries))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body

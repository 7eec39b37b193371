"""The sample tables of a plain MP4 track (ISO/IEC 14496-12 clauses 8.5 to 8.7), gathered on disk while it is written.

A day of a camera has millions of samples: tables in memory would grow with the length of an export, files do not.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from perishield.recording.playback_head import boxes

_BLOCK = 1 << 16


class Table:
    """Big-endian numbers of one size, `code` as in `array`, appended one by one."""

    def __init__(self, folder: Path, code: str = "I") -> None:
        self.count = 0
        self._file: IO[bytes] = TemporaryFile(dir=folder)  # noqa: SIM115
        self._pending = array(code)

    def add(self, *values: int) -> None:
        self._pending.extend(values)
        self.count += len(values)
        if len(self._pending) >= _BLOCK:
            self._flush()

    @property
    def size(self) -> int:
        return self.count * self._pending.itemsize

    def blocks(self) -> Iterator[bytes]:
        self._flush()
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            yield block

    def close(self) -> None:
        self._file.close()

    def _flush(self) -> None:
        self._pending.byteswap()
        self._file.write(self._pending.tobytes())
        del self._pending[:]


class Runs(Table):
    """(count, value) pairs: equal values in a row are one entry."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._value = 0
        self._length = 0

    def put(self, value: int) -> None:
        if self._length and value != self._value:
            self.add(self._length, self._value & 0xFFFFFFFF)
            self._length = 0
        self._value = value
        self._length += 1

    def end(self) -> None:
        if self._length:
            self.add(self._length, self._value & 0xFFFFFFFF)
            self._length = 0


class Track:
    """One track's samples, in decode order. Times in ticks of the track's own timescale."""

    def __init__(self, folder: Path, *, sync: bool) -> None:
        self.samples = 0
        self.first: int | None = None
        """Decode time of the first sample."""
        self._until = 0
        self._sizes = Table(folder)
        self._durations = Runs(folder)
        self._composition = Runs(folder)
        self._composed = False
        self._keys = Table(folder) if sync else None
        self._chunks = Table(folder, "Q")
        self._per_chunk = Table(folder)
        self._chunk_samples = 0
        self._pending: tuple[int, int] | None = None

    @property
    def duration(self) -> int:
        return self._until - (self.first or 0)

    def chunk(self, offset: int, count: int) -> None:
        """The next `count` samples lie at that offset of the file, one behind the other."""
        self._chunks.add(offset)
        if count != self._chunk_samples:
            self._per_chunk.add(self._chunks.count, count, 1)
            self._chunk_samples = count

    def sample(self, time: int, duration: int, size: int, *, key: bool = False, composition: int = 0) -> None:
        """A sample lasts until the next one, whatever it says itself; `duration` counts for the last."""
        if self._pending is None:
            self.first = self._until = time
        else:
            self._settle(time - self._until)
        self.samples += 1
        self._sizes.add(size)
        self._composition.put(composition)
        self._composed = self._composed or composition != 0
        if key and self._keys is not None:
            self._keys.add(self.samples)
        self._pending = time, duration

    def finish(self) -> None:
        if self._pending is not None:
            self._settle(self._pending[1])
            self._pending = None
        self._durations.end()
        self._composition.end()

    def write(self, target: IO[bytes], entry: bytes) -> None:
        """`stbl`, after `finish`. `entry`: the body of `stsd`."""
        target.write(
            struct.pack(">I4s", self.size(entry), b"stbl") + struct.pack(">I4s", len(entry) + 8, b"stsd") + entry
        )
        _write(target, b"stts", struct.pack(">II", 0, self._durations.count // 2), self._durations)
        if self._composed:
            _write(target, b"ctts", struct.pack(">II", 0x01000000, self._composition.count // 2), self._composition)
        if self._keys is not None:
            _write(target, b"stss", struct.pack(">II", 0, self._keys.count), self._keys)
        _write(target, b"stsz", struct.pack(">III", 0, 0, self.samples), self._sizes)
        _write(target, b"stsc", struct.pack(">II", 0, self._per_chunk.count // 3), self._per_chunk)
        _write(target, b"co64", struct.pack(">II", 0, self._chunks.count), self._chunks)

    def size(self, entry: bytes) -> int:
        """Bytes of `stbl`, after `finish`."""
        tables = [self._durations, self._per_chunk, self._chunks]
        tables += [self._composition] if self._composed else []
        tables += [self._keys] if self._keys is not None else []
        return 8 + 8 + len(entry) + sum(16 + table.size for table in tables) + 20 + self._sizes.size

    def close(self) -> None:
        for table in (self._sizes, self._durations, self._composition, self._keys, self._chunks, self._per_chunk):
            if table is not None:
                table.close()

    def _settle(self, lasts: int) -> None:
        """The sample before lasts that long: from where it lies on the written timeline, which never runs back."""
        lasts = max(1, lasts)
        self._durations.put(lasts)
        self._until += lasts


def _write(target: IO[bytes], kind: bytes, head: bytes, table: Table) -> None:
    target.write(struct.pack(">I4s", 8 + len(head) + table.size, kind) + head)
    for block in table.blocks():
        target.write(block)


def find(data: bytes, *path: bytes) -> bytes:
    """The body of the first box along that path; empty where there is none."""
    for kind in path:
        for name, start, end in boxes(data, 0, len(data)):
            if name == kind:
                data = data[start + 8 : end]
                break
        else:
            return b""
    return data

"""Read back what `fmp4` wrote: walk a segment file to its last whole chunk, for recovery, clips and playback.

Bounded: a file of any content is read at most once, box by box, without its media data, and never trusted about sizes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from perishield.model.media import AudioFormat, Codec
from perishield.streams.fmp4 import Origin, parse_origin
from perishield.streams.sound_entry import read_sound_entry

Pread = Callable[[int, int], bytes]
"""`read(length, offset)`, as `os.pread` and `SegmentReader.pread` do."""

_MOST_INIT = 1 << 20
_MOST_MOOF = 1 << 20
_CHUNK_PREFIX = 68
"""Bytes of a chunk before its `trun` (see `fmp4`)."""
_SOUND_PREFIX = struct.Struct(">I4s I4sII I4sIQ I4sIIi")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A whole moof+mdat pair at `offset`; its access units begin `data_offset` bytes later. Times in ticks.

    Its sound, if any, lies in the `sum(sound_sizes)` bytes before them.
    """

    offset: int
    length: int
    data_offset: int
    number: int
    decode_time: int
    key: bool
    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    composition: tuple[int, ...]
    sound_time: int = 0
    sound_sizes: tuple[int, ...] = ()
    sound_durations: tuple[int, ...] = ()

    @property
    def duration(self) -> int:
        return sum(self.durations)


@dataclass(frozen=True, slots=True)
class Init:
    """An init segment. `sample_entry` is the `stsd` box's content: equal bytes mean that one decoder takes both.

    `sound_entry` is the same of the track of sound, empty without one.
    """

    data: bytes
    codec: Codec
    width: int
    height: int
    mime: str
    sample_entry: bytes
    origin: Origin | None
    audio: AudioFormat | None = None
    sound_entry: bytes = b""


def read_init(fd: int) -> Init | None:
    """The init segment at the start of the file, or None where there is no whole one that we could have written."""
    return read_init_by(partial(os.pread, fd), os.fstat(fd).st_size)


def read_init_by(read: Pread, size: int) -> Init | None:
    """The same of a segment that lies elsewhere: `size` bytes that `read` gives."""
    head = read(8, 0)
    if head[4:8] != b"ftyp":
        return None
    moov_at = int.from_bytes(head[:4], "big")
    if not 8 <= moov_at <= 256:
        return None
    head = read(8, moov_at)
    end = moov_at + int.from_bytes(head[:4], "big")
    if head[4:8] != b"moov" or end - moov_at < 16 or end > min(size, _MOST_INIT):
        return None
    data = read(end, 0)
    return parse_init(data) if len(data) == end else None


def parse_init(data: bytes) -> Init | None:
    """The same from bytes that hold an init segment and nothing else."""
    moov = _find(data, 0, len(data), b"moov")
    entry = _find_path(data, moov, (b"trak", b"mdia", b"minf", b"stbl", b"stsd"))
    if moov is None or entry is None or entry[1] - entry[0] < 8 + 86:
        return None
    start = entry[0] + 8
    kind = data[start + 4 : start + 8]
    if kind not in (b"avc1", b"hvc1"):
        return None
    codec = Codec.H264 if kind == b"avc1" else Codec.H265
    width, height = struct.unpack_from(">HH", data, start + 32)
    config = _find(data, start + 86, entry[1], b"avcC" if codec is Codec.H264 else b"hvcC")
    if config is None:
        return None
    mime = _mime(codec, data[config[0] : config[1]])
    uuid = _find(data, moov[0], moov[1], b"uuid")
    origin = parse_origin(data[uuid[0] : uuid[1]]) if uuid else None
    audio, sound = _sound(data, moov)
    return Init(data, codec, width, height, mime, data[entry[0] : entry[1]], origin, audio, sound)


def _sound(data: bytes, moov: tuple[int, int]) -> tuple[AudioFormat | None, bytes]:
    """Format and `stsd` of the second track, where it is sound that we could have written."""
    video = _find(data, moov[0], moov[1], b"trak")
    trak = _find(data, video[1], moov[1], b"trak") if video else None
    entry = _find_path(data, trak, (b"mdia", b"minf", b"stbl", b"stsd"))
    if entry is None:
        return None, b""
    return read_sound_entry(data[entry[0] + 8 : entry[1]]), data[entry[0] : entry[1]]


def walk(fd: int, start: int) -> Iterator[Chunk]:
    """The whole chunks from byte `start` on; ends at the first thing that is not one."""
    return walk_by(partial(os.pread, fd), os.fstat(fd).st_size, start)


def walk_by(read: Pread, size: int, start: int) -> Iterator[Chunk]:
    """The same of a segment that lies elsewhere: `size` bytes that `read` gives."""
    offset = start
    while offset + _CHUNK_PREFIX < size:
        head = read(4096, offset)
        chunk = _chunk(read, offset, head, size)
        if chunk is None:
            return
        yield chunk
        offset += chunk.length


def _chunk(read: Pread, offset: int, head: bytes, size: int) -> Chunk | None:
    if len(head) < _CHUNK_PREFIX + 20 or head[4:8] != b"moof":
        return None
    moof = int.from_bytes(head[:4], "big")
    if not _CHUNK_PREFIX + 20 <= moof <= _MOST_MOOF or offset + moof + 8 > size:
        return None
    if moof + 8 > len(head):
        head = read(moof + 8, offset)
    if len(head) < moof + 8 or head[52:56] != b"tfdt" or head[72:76] != b"trun" or head[moof + 4 : moof + 8] != b"mdat":
        return None
    mdat = int.from_bytes(head[moof : moof + 4], "big")
    (number,) = struct.unpack_from(">I", head, 20)
    (decode_time,) = struct.unpack_from(">Q", head, 60)
    flags, count, data_offset = struct.unpack_from(">III", head, 76)
    flags &= 0xFFFFFF
    key = bool(flags & 0x4)
    composed = bool(flags & 0x800)
    table = 88 + 4 * key
    width = 3 if composed else 2
    end = table + 4 * width * count
    if flags & ~0x804 != 0x301 or count == 0 or end > moof or int.from_bytes(head[24:28], "big") != end - 24:
        return None
    fields = struct.unpack_from(">" + ("IIi" if composed else "II") * count, head, table)
    sizes = fields[1::width]
    sound_time = 0
    sound: tuple[int, ...] = ()
    if end < moof:
        run = _sound_run(head, end, moof)
        if run is None:
            return None
        sound_time, sound = run
    before = sum(sound[1::2])
    if data_offset != moof + 8 + before or sum(sizes) + before + 8 != mdat or offset + moof + mdat > size:
        return None
    return Chunk(
        offset=offset,
        length=moof + mdat,
        data_offset=data_offset,
        number=number,
        decode_time=decode_time,
        key=key,
        sizes=sizes,
        durations=fields[0::width],
        composition=fields[2::3] if composed else (),
        sound_time=sound_time,
        sound_sizes=sound[1::2],
        sound_durations=sound[0::2],
    )


def _sound_run(head: bytes, start: int, moof: int) -> tuple[int, tuple[int, ...]] | None:
    """Decode time of the second `traf`, and ticks and bytes of its frames in turn."""
    if moof - start < _SOUND_PREFIX.size:
        return None
    fields = _SOUND_PREFIX.unpack_from(head, start)
    size, kind, _, tfhd, _, track, _, tfdt, _, decode_time, _, trun, flags, count, data_offset = fields
    if (kind, tfhd, track, tfdt, trun, flags & 0xFFFFFF) != (b"traf", b"tfhd", 2, b"tfdt", b"trun", 0x301):
        return None
    if size != moof - start or size != _SOUND_PREFIX.size + 8 * count or data_offset != moof + 8:
        return None
    return decode_time, struct.unpack_from(f">{2 * count}I", head, start + _SOUND_PREFIX.size)


def _find(data: bytes, start: int, end: int, kind: bytes) -> tuple[int, int] | None:
    """Bounds of the first box of that kind among the boxes in [start, end), its header left out."""
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > end:
            return None
        if data[start + 4 : start + 8] == kind:
            return start + 8, start + size
        start += size
    return None


def _find_path(data: bytes, bounds: tuple[int, int] | None, path: tuple[bytes, ...]) -> tuple[int, int] | None:
    for kind in path:
        if bounds is None:
            return None
        bounds = _find(data, bounds[0], bounds[1], kind)
    return bounds


def _mime(codec: Codec, config: bytes) -> str:
    """RFC 6381 codecs string: section 3.3 for avc1; 14496-15 annex E.3 for hvc1."""
    if codec is Codec.H264:
        return f"avc1.{config[1:4].hex()}"
    if len(config) < 13:
        return "hvc1"
    space = ("", "A", "B", "C")[config[1] >> 6]
    compatible = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if config[1] & 0x20 else "L"
    constraints = config[6:12].rstrip(b"\0")
    tail = "".join(f".{byte:X}" for byte in constraints)
    return f"hvc1.{space}{config[1] & 31}.{compatible:X}.{tier}{config[12]}{tail}"

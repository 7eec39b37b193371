"""Fragmented MP4 as we write it (ISO/IEC 14496-12 "the base format", 14496-15 "NAL units in it").

    ftyp                    clause 4.3     brands iso5 iso6 mp41
    moov                    8.2.1          no samples, only what a decoder needs
      mvhd                  8.2.2          timescale 90000
      trak                  8.3.1
        tkhd                8.3.2          track 1, picture size
        mdia/mdhd/hdlr      8.4            timescale 90000, "vide"
        minf/vmhd/dinf      8.4.5, 8.7
        stbl/stsd           8.5.2          avc1/avcC or hvc1/hvcC (14496-15 clauses 5.4.2, 8.4.1)
      mvex/trex             8.8.1, 8.8.3   samples are no sync samples unless a chunk says so
      uuid                  11.1           ours: epoch, stream time and wall clock of the segment's first frame
    then, per chunk:
    moof                    8.8.4
      mfhd                  8.8.5          sequence number
      traf/tfhd             8.8.7          default-base-is-moof
      tfdt                  8.8.12         version 1, its 8 bytes at TFDT_OFFSET from the chunk's start
      trun                  8.8.8          durations, sizes, composition offsets where there are any
    mdat                    8.1.1          the access units

Layout is fixed so that readers can rewrite a chunk's decode time in place without parsing it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from perishield.model.media import TIMESCALE, Codec, VideoFormat
from perishield.streams.codec_config import avcc, hvcc

TFDT_OFFSET = 60
"""Where a chunk's 64-bit decode time lies."""
_NUMBER_OFFSET = 20

ORIGIN_UUID = bytes.fromhex("8f1d3c5a6b0e4e2f9d7750536567496f")
"""Type of our `uuid` box in `moov`: version (1), epoch, stream time, wall clock in microseconds, each 64 bit."""

_ORIGIN = struct.Struct(">BQQQ")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC = 0x02000000
"""sample_depends_on = 2, a sync sample (clause 8.8.3.1)."""
_NON_SYNC = 0x01010000
"""sample_depends_on = 1, sample_is_non_sync_sample."""

_TRUN_KEY = 0x000001 | 0x000004 | 0x000100 | 0x000200
_TRUN = 0x000001 | 0x000100 | 0x000200
_TRUN_COMPOSITION = 0x000800

_HEAD = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIi")
_FIRST_FLAGS = struct.Struct(">I")
_MDAT = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a segment's time begins: written into its init segment, so that the file alone rebuilds its row."""

    epoch: int
    stream_time: int
    wall: float


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def init_segment(video: VideoFormat, origin: Origin | None = None) -> bytes:
    """`ftyp` + `moov` of one video track. Raises ValueError where the parameter sets make no decoder configuration."""
    width, height = video.width & 0xFFFF, video.height & 0xFFFF
    if video.codec is Codec.H264:
        entry, config = b"avc1", _box(b"avcC", avcc(video.parameter_sets))
    else:
        entry, config = b"hvc1", _box(b"hvcC", hvcc(video.parameter_sets))
    sample_entry = _box(
        entry,
        struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1),
        config,
    )
    empty = b"\0" * 8
    stbl = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), sample_entry),
        _box(b"stts", empty),
        _box(b"stsc", empty),
        _box(b"stsz", b"\0" * 12),
        _box(b"stco", empty),
    )
    dinf = _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", b"\0\0\0\1")))
    minf = _box(b"minf", _box(b"vmhd", b"\0\0\0\1" + empty), dinf, stbl)
    mdia = _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        _box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"vide"), b"video\0"),
        minf,
    )
    tkhd = _box(
        b"tkhd", struct.pack(">IIIII20x", 3, 0, 0, 1, 0), _MATRIX, struct.pack(">II", width << 16, height << 16)
    )
    mvhd = _box(
        b"mvhd", struct.pack(">IIIIIIH10x", 0, 0, 0, TIMESCALE, 0, 0x10000, 0x100), _MATRIX, b"\0" * 24, b"\0\0\0\2"
    )
    mvex = _box(b"mvex", _box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 0, 0, _NON_SYNC)))
    ours = (_origin_box(origin),) if origin else ()
    return _box(b"ftyp", b"iso5\0\0\2\0iso5iso6mp41") + _box(b"moov", mvhd, _box(b"trak", tkhd, mdia), mvex, *ours)


def _origin_box(origin: Origin) -> bytes:
    micros = min(max(0, int(origin.wall * 1e6)), (1 << 63) - 1)
    return _box(b"uuid", ORIGIN_UUID, _ORIGIN.pack(1, origin.epoch, origin.stream_time, micros))


def parse_origin(body: bytes) -> Origin | None:
    """The origin in a `uuid` box's body, or None where the box is not ours."""
    if body[:16] != ORIGIN_UUID or len(body) < 16 + _ORIGIN.size:
        return None
    version, epoch, stream_time, micros = _ORIGIN.unpack_from(body, 16)
    return Origin(epoch, stream_time, micros / 1e6) if version == 1 else None


def chunk_head(
    number: int,
    decode_time: int,
    key: bool,
    durations: Sequence[int],
    sizes: Sequence[int],
    composition: Sequence[int] = (),
) -> bytes:
    """`moof` and the head of `mdat`; the access units follow, `sum(sizes)` bytes.

    `key`: the first frame is a key frame. `composition`: pts - dts per frame, or empty when all are zero.
    """
    count = len(sizes)
    flags = _TRUN_KEY if key else _TRUN
    if composition:
        flags |= _TRUN_COMPOSITION
        fields = [field for sample in zip(durations, sizes, composition, strict=True) for field in sample]
        table = struct.pack(">" + "IIi" * count, *fields)
    else:
        fields = [field for sample in zip(durations, sizes, strict=True) for field in sample]
        table = struct.pack(f">{2 * count}I", *fields)
    trun = 20 + 4 * key + len(table)
    moof = 68 + trun
    head = _HEAD.pack(
        moof, b"moof",
        16, b"mfhd", 0, number & 0xFFFFFFFF,
        moof - 24, b"traf",
        16, b"tfhd", 0x020000, 1,
        20, b"tfdt", 0x01000000, decode_time,
        trun, b"trun", 0x01000000 | flags, count, moof + 8,
    )  # fmt: skip
    first = _FIRST_FLAGS.pack(_SYNC) if key else b""
    return b"".join((head, first, table, _MDAT.pack(sum(sizes) + 8, b"mdat")))


def rewrite_decode_time(chunk: bytearray | memoryview, ticks: int, number: int | None = None) -> None:
    """Set the decode time, and the sequence number if one is given, of a chunk that `chunk_head` began, in place."""
    struct.pack_into(">Q", chunk, TFDT_OFFSET, ticks)
    if number is not None:
        struct.pack_into(">I", chunk, _NUMBER_OFFSET, number & 0xFFFFFFFF)


def with_duration(init: bytes, ticks: int) -> bytes:
    """The init segment with the length of the whole file in it (`mehd`, clause 8.8.2), for files that are finished."""
    moov = int.from_bytes(init[:4], "big")
    mvex = moov + 8
    while init[mvex + 4 : mvex + 8] != b"mvex":
        mvex += int.from_bytes(init[mvex : mvex + 4], "big")
    mehd = _box(b"mehd", struct.pack(">IQ", 0x01000000, ticks))
    grown = bytearray(init[: mvex + 8] + mehd + init[mvex + 8 :])
    for start in (moov, mvex):
        (size,) = struct.unpack_from(">I", grown, start)
        struct.pack_into(">I", grown, start, size + len(mehd))
    return bytes(grown)


def index_room(entries: int) -> int:
    """Bytes that `segment_index` needs for that many entries."""
    return 48 + 12 * entries


def segment_index(pieces: Sequence[tuple[int, int]], room: int) -> bytes:
    """`sidx` (clause 8.16.3) to lie between `moov` and the first `moof`: where players may seek to.

    `pieces`: bytes and ticks of each run of chunks that begins with a key frame. The result has exactly `room` bytes,
    padded with a `free` box; it is nothing but that where the entries do not fit.
    """
    size = 40 + 12 * len(pieces)
    if not pieces or len(pieces) > 0xFFFF or size + 8 > room:
        return _box(b"free", bytes(room - 8))
    head = struct.pack(">IIIQQHH", 0x01000000, 1, TIMESCALE, 0, room - size, 0, len(pieces))
    entries = [struct.pack(">III", length & 0x7FFFFFFF, ticks, 0x90000000) for length, ticks in pieces]
    return _box(b"sidx", head, *entries) + _box(b"free", bytes(room - size - 8))

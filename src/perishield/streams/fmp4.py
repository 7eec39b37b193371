"""Fragmented MP4 as we write it (ISO/IEC 14496-12 "the base format", 14496-15 "NAL units in it").

    ftyp                    clause 4.3     brands iso5 iso6 mp41
    moov                    8.2.1          no samples, only what a decoder needs
      mvhd                  8.2.2          timescale 90000
      trak                  8.3.1
        tkhd                8.3.2          track 1, picture size
        mdia/mdhd/hdlr      8.4            timescale 90000, "vide"
        minf/vmhd/dinf      8.4.5, 8.7
        stbl/stsd           8.5.2          avc1/avcC or hvc1/hvcC (14496-15 clauses 5.4.2, 8.4.1)
      trak                                 track 2, "soun", where there is sound: see `sound_entry`
      mvex/trex             8.8.1, 8.8.3   pictures are no sync samples unless a chunk says so; sound always is
      uuid                  11.1           ours: epoch, stream time and wall clock of the segment's first frame
    then, per chunk:
    moof                    8.8.4
      mfhd                  8.8.5          sequence number
      traf/tfhd             8.8.7          default-base-is-moof
      tfdt                  8.8.12         version 1, its 8 bytes at TFDT_OFFSET from the chunk's start
      trun                  8.8.8          durations, sizes, composition offsets where there are any
      traf                                 track 2, the same without composition, where the chunk holds sound
    mdat                    8.1.1          sound, then the access units

Layout is fixed so that readers can rewrite a chunk's decode times in place. Both tracks count in 1/90000 s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from perishield.model.media import TIMESCALE, AudioFormat, Codec, VideoFormat
from perishield.streams.codec_config import avcc, hvcc
from perishield.streams.sound_entry import sound_entry

TFDT_OFFSET: Final = 60
"""Where a chunk's 64-bit decode time lies."""
_NUMBER_OFFSET: Final = 20
_TRAF_OFFSET: Final = 24
_DATA_OFFSET: Final = 84
"""Where the first `trun` says how far from the chunk's start the access units begin."""

ORIGIN_UUID: Final = bytes.fromhex("8f1d3c5a6b0e4e2f9d7750536567496f")
"""Type of our `uuid` box in `moov`: version (1), epoch, stream time, wall clock in microseconds, each 64 bit."""

_ORIGIN: Final = struct.Struct(">BQQQ")
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC: Final = 0x02000000
"""sample_depends_on = 2, a sync sample (clause 8.8.3.1)."""
_NON_SYNC: Final = 0x01010000
"""sample_depends_on = 1, sample_is_non_sync_sample."""

_TRUN_KEY: Final = 0x000001 | 0x000004 | 0x000100 | 0x000200
_TRUN: Final = 0x000001 | 0x000100 | 0x000200
_TRUN_COMPOSITION: Final = 0x000800

_HEAD: Final = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIIi")
_SOUND_HEAD: Final = struct.Struct(">I4s I4sII I4sIQ I4sIIi")
_SOUND_TFDT: Final = 36
"""Where the decode time lies in the second `traf`."""
_SOUND_TRUN: Final = 0x000001 | 0x000100 | 0x000200
_FIRST_FLAGS: Final = struct.Struct(">I")
_MDAT: Final = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a segment's time begins: written into its init segment, so that the file alone rebuilds its row."""

    epoch: int
    stream_time: int
    wall: float


@dataclass(frozen=True, slots=True)
class SoundRun:
    """The sound of a chunk: decode time of its first frame, ticks and bytes of every frame."""

    decode_time: int
    durations: Sequence[int]
    sizes: Sequence[int]


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def init_segment(video: VideoFormat, origin: Origin | None = None, audio: AudioFormat | None = None) -> bytes:
    """`ftyp` + `moov` of one video track, and one of sound. Raises ValueError where the parameter sets make no decoder
    configuration.
    """
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
    tkhd = _box(
        b"tkhd", struct.pack(">IIIII20x", 3, 0, 0, 1, 0), _MATRIX, struct.pack(">II", width << 16, height << 16)
    )
    tracks = [_box(b"trak", tkhd, _media(b"vide", b"video\0", _box(b"vmhd", b"\0\0\0\1" + b"\0" * 8), sample_entry))]
    defaults = [_box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 0, 0, _NON_SYNC))]
    if audio is not None:
        tkhd = _box(b"tkhd", struct.pack(">IIIII16xH2x", 3, 0, 0, 2, 0, 0x0100), _MATRIX, b"\0" * 8)
        tracks.append(_box(b"trak", tkhd, _media(b"soun", b"sound\0", _box(b"smhd", b"\0" * 8), sound_entry(audio))))
        defaults.append(_box(b"trex", struct.pack(">IIIIII", 0, 2, 1, 0, 0, _SYNC)))
    mvhd = _box(
        b"mvhd",
        struct.pack(">IIIIIIH10x", 0, 0, 0, TIMESCALE, 0, 0x10000, 0x100),
        _MATRIX,
        b"\0" * 24,
        struct.pack(">I", len(tracks) + 1),
    )
    ours = (_origin_box(origin),) if origin else ()
    return _box(b"ftyp", b"iso5\0\0\2\0iso5iso6mp41") + _box(b"moov", mvhd, *tracks, _box(b"mvex", *defaults), *ours)


def _media(kind: bytes, name: bytes, header: bytes, sample_entry: bytes) -> bytes:
    """`mdia` of a track without samples."""
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
    return _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, TIMESCALE, 0, 0x55C4, 0)),
        _box(b"hdlr", struct.pack(">II4s12x", 0, 0, kind), name),
        _box(b"minf", header, dinf, stbl),
    )


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
    sound: SoundRun | None = None,
) -> bytes:
    """`moof` and the head of `mdat`; the sound follows, then the access units, `sum(sizes)` bytes.

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
    traf = 44 + trun
    moof = traf + 24
    behind, more = b"", 0
    if sound is not None:
        more = sum(sound.sizes)
        moof += _SOUND_HEAD.size + 8 * len(sound.sizes)
        behind = _sound_traf(sound, moof + 8)
    head = _HEAD.pack(
        moof, b"moof",
        16, b"mfhd", 0, number & 0xFFFFFFFF,
        traf, b"traf",
        16, b"tfhd", 0x020000, 1,
        20, b"tfdt", 0x01000000, decode_time,
        trun, b"trun", 0x01000000 | flags, count, moof + 8 + more,
    )  # fmt: skip
    first = _FIRST_FLAGS.pack(_SYNC) if key else b""
    return b"".join((head, first, table, behind, _MDAT.pack(sum(sizes) + more + 8, b"mdat")))


def _sound_traf(sound: SoundRun, data_offset: int) -> bytes:
    count = len(sound.sizes)
    fields = [field for sample in zip(sound.durations, sound.sizes, strict=True) for field in sample]
    trun = 20 + 8 * count
    return _SOUND_HEAD.pack(
        44 + trun, b"traf",
        16, b"tfhd", 0x020000, 2,
        20, b"tfdt", 0x01000000, sound.decode_time,
        trun, b"trun", 0x01000000 | _SOUND_TRUN, count, data_offset,
    ) + struct.pack(f">{2 * count}I", *fields)  # fmt: skip


def rewrite_decode_time(chunk: bytearray | memoryview, ticks: int, number: int | None = None) -> None:
    """Set the decode time, and the sequence number if one is given, of a chunk that `chunk_head` began, in place.

    Its sound moves by as much; it does not move to before 0.
    """
    moof, traf = _sound_traf_at(chunk)
    if traf < moof:
        (pictures,) = struct.unpack_from(">Q", chunk, TFDT_OFFSET)
        (sound,) = struct.unpack_from(">Q", chunk, traf + _SOUND_TFDT)
        struct.pack_into(">Q", chunk, traf + _SOUND_TFDT, max(0, sound + ticks - pictures))
    struct.pack_into(">Q", chunk, TFDT_OFFSET, ticks)
    if number is not None:
        struct.pack_into(">I", chunk, _NUMBER_OFFSET, number & 0xFFFFFFFF)


def _sound_traf_at(chunk: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Where `moof` ends, and where its second `traf` begins; both are equal in a chunk without sound."""
    (moof,) = struct.unpack_from(">I", chunk, 0)
    (traf,) = struct.unpack_from(">I", chunk, _TRAF_OFFSET)
    return moof, _TRAF_OFFSET + traf


def without_sound_chunk(chunk: bytes | bytearray | memoryview) -> bytes:
    """The chunk with its pictures alone; to go with `without_sound(init)`."""
    moof, traf = _sound_traf_at(chunk)
    if traf >= moof:
        return bytes(chunk)
    (pictures,) = struct.unpack_from(">I", chunk, _DATA_OFFSET)
    head = bytearray(chunk[:traf])
    struct.pack_into(">I", head, 0, traf)
    struct.pack_into(">I", head, _DATA_OFFSET, traf + 8)
    return b"".join((head, _MDAT.pack(len(chunk) - pictures + 8, b"mdat"), chunk[pictures:]))


def without_sound(init: bytes) -> bytes:
    """The init segment with its video track alone, which is the same as one that never had sound."""
    moov = int.from_bytes(init[:4], "big")
    parts, video = [], False
    for kind, box in _boxes(init, moov + 8, len(init)):
        if kind == b"mvhd":
            parts.append(box[:-4] + struct.pack(">I", 2))
        elif kind == b"mvex":
            kept = [inner for name, inner in _boxes(box, 8, len(box)) if name != b"trex" or inner[12:16] == b"\0\0\0\1"]
            parts.append(_box(b"mvex", *kept))
        elif kind != b"trak" or not video:
            parts.append(box)
            video = video or kind == b"trak"
    return init[:moov] + _box(b"moov", *parts)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """(kind, whole box) in [start, end), as far as they can be read."""
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > end:
            return
        yield data[start + 4 : start + 8], data[start : start + size]
        start += size


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

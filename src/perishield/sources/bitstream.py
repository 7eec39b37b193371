"""NAL units in their packagings: behind start codes, behind lengths, in configuration records.

byte stream   ITU-T H.264 and H.265 annex B
avcC, hvcC    ISO/IEC 14496-15 clauses 5.3.3.1 and 8.3.3.1
"""

from __future__ import annotations

from perishield.model.media import Codec
from perishield.sources.bits import BitstreamError

START_CODE = b"\0\0\1"


def split_annexb(data: bytes) -> list[bytes]:
    """NAL units between start codes. Data without any start code is one NAL unit; empty ones are left out."""
    found = data.find(START_CODE)
    if found < 0:
        return [data] if data else []
    nals = [data[:found].rstrip(b"\0")]
    while found >= 0:
        begin = found + 3
        found = data.find(START_CODE, begin)
        nals.append(data[begin:found].rstrip(b"\0") if found >= 0 else data[begin:])
    return [nal for nal in nals if nal]


def split_lengths(data: bytes, length_size: int = 4) -> list[bytes]:
    """NAL units behind big-endian lengths; raises BitstreamError where a length points past the end."""
    nals = []
    position = 0
    while position + length_size <= len(data):
        begin = position + length_size
        position = begin + int.from_bytes(data[position:begin], "big")
        if position > len(data):
            raise BitstreamError("a NAL unit's length points past the end")
        if position > begin:
            nals.append(data[begin:position])
    return nals


def split_record(codec: Codec, record: bytes) -> tuple[int, list[bytes]]:
    """Length size and parameter sets of an avcC or hvcC record; (0, sets) where `record` is Annex B.

    Raises BitstreamError.
    """
    if record[:3] == START_CODE or record[:4] == b"\0\0\0\1" or not record:
        return 0, split_annexb(record)
    try:
        return _avcc(record) if codec is Codec.H264 else _hvcc(record)
    except IndexError:
        raise BitstreamError("configuration record ends too early") from None


def _avcc(record: bytes) -> tuple[int, list[bytes]]:
    nals: list[bytes] = []
    position = _take(record, 6, record[5] & 31, nals)
    _take(record, position + 1, record[position], nals)
    return (record[4] & 3) + 1, nals


def _hvcc(record: bytes) -> tuple[int, list[bytes]]:
    nals: list[bytes] = []
    position = 23
    for _ in range(record[22]):
        count = record[position + 1] << 8 | record[position + 2]
        position = _take(record, position + 3, count, nals)
    return (record[21] & 3) + 1, nals


def _take(record: bytes, position: int, count: int, nals: list[bytes]) -> int:
    for _ in range(count):
        end = position + 2 + (record[position] << 8 | record[position + 1])
        if end > len(record):
            raise BitstreamError("configuration record ends too early")
        nals.append(record[position + 2 : end])
        position = end
    return position

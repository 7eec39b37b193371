"""How an archive of evidence lies on disk: a ZIP file of which every byte is laid down.

    local header, data     for each file in the manifest's order, then `manifest.json` and `manifest.sig`
    central directory      one entry each, in the same order
    end record             no comment; nothing before, between or behind

Everything is stored, not compressed, dated 1980-01-01, and smaller than 4 GiB (APPNOTE.TXT 6.3.10, sections 4.3.7,
4.3.12, 4.3.16). Any program opens it; ours also demands that it could not have been written in any other way, so that
there is no place where something could be changed or hidden.
"""

from __future__ import annotations

import re
import struct
from typing import Annotated

import msgspec

FORMAT = "perishield-evidence"
VERSION = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
PUBLIC_KEY = "public_key.pem"
CHAIN = "chain.jsonl"

LARGEST = 0xFFFF_FFFE
MOST_FILES = 4096
MOST_ALARMS = 500
MOST_LINKS = 1_000_000
LARGEST_MANIFEST = 8 << 20
LARGEST_LINE = 4 << 20
SIGNATURE_LENGTH = 64

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,79}){0,2}")

_VERSION_NEEDED = 20
_UNIX = 3 << 8
_FLAGS = 0x0800
"""Names are UTF-8."""
_STORED = 0
_TIME, _DATE = 0, 0x0021
_MODE = 0o100644 << 16
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")

END_LENGTH = _END.size
CENTRAL_LENGTH = _CENTRAL.size


def local_header(name: str, crc: int, size: int) -> bytes:
    raw = name.encode()
    fields = (_VERSION_NEEDED, _FLAGS, _STORED, _TIME, _DATE, crc, size, size, len(raw), 0)
    return _LOCAL.pack(b"PK\x03\x04", *fields) + raw


def central_entry(name: str, crc: int, size: int, offset: int) -> bytes:
    raw = name.encode()
    version = _VERSION_NEEDED | _UNIX
    fields = (version, _VERSION_NEEDED, _FLAGS, _STORED, _TIME, _DATE, crc, size, size, len(raw), 0, 0, 0, 0, _MODE)
    return _CENTRAL.pack(b"PK\x01\x02", *fields, offset) + raw


def end_record(count: int, size: int, offset: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def read_end(raw: bytes) -> tuple[int, int, int] | None:
    """Number of files, size and offset of the central directory; None where this is no end record of ours."""
    if len(raw) != END_LENGTH:
        return None
    _, _, _, _, count, size, offset, _ = _END.unpack(raw)
    return (count, size, offset) if end_record(count, size, offset) == raw else None


def read_central(raw: bytes, at: int) -> tuple[str, int, int, int] | None:
    """Name, CRC, size and offset of the entry that begins at `at`; None where it is none of ours."""
    if len(raw) < at + CENTRAL_LENGTH:
        return None
    fields = _CENTRAL.unpack_from(raw, at)
    crc, size, length, offset = fields[7], fields[8], fields[10], fields[16]
    try:
        name = raw[at + CENTRAL_LENGTH : at + CENTRAL_LENGTH + length].decode("ascii")
    except UnicodeDecodeError:
        return None
    entry = central_entry(name, crc, size, offset)
    return (name, crc, size, offset) if raw[at : at + len(entry)] == entry and NAME.fullmatch(name) else None


Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
HashOrNone = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Line = Annotated[str, msgspec.Meta(max_length=4096)]


class FileEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    name: Line
    size: Count
    sha256: Hash


class EvidenceEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`sha256` and `size` of the piece as it was taken in. `file`: its place in the archive, empty where it is not
    there. `masked`: that file is a copy with privacy masks burnt in, so its hash is another.
    """

    kind: Line
    file: Line
    sha256: HashOrNone
    size: Count
    made: Line
    note: Line
    masked: bool


class RecordsEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How many records of the alarm's there are in the chain, and the numbers of the first and the last; 0: none."""

    count: Count
    first: Count
    last: Count


class AlarmEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    id: Line
    camera: Line
    camera_name: Line
    raised: Line
    event_sha256: Hash
    evidence: list[EvidenceEntry]
    records: RecordsEntry


class LinkEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    number: Count
    hash: Hash


class ChainEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The run of links in `chain.jsonl`. `previous`: the hash before its first. `head`: the chain's last link then."""

    first: Count
    last: Count
    count: Count
    previous: Hash
    hash: Hash
    head: LinkEntry


class By(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    id: Line
    name: Line


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What an archive holds; `manifest.json` is its canonical JSON (`model/chain.py`)."""

    format: Line
    version: int
    site: Line
    software: Line
    archive: Line
    exported_at: Line
    exported_by: By
    key: Hash
    files: Annotated[list[FileEntry], msgspec.Meta(max_length=MOST_FILES)]
    alarms: Annotated[list[AlarmEntry], msgspec.Meta(max_length=MOST_ALARMS)]
    chain: ChainEntry

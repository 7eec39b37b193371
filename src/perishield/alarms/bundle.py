"""Writes an archive of evidence: one file that proves itself to whoever has the site's public key."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import msgspec

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle_readme import CHINESE, ENGLISH
from perishield.alarms.evidence import BLOCK
from perishield.alarms.site_key import SiteKey
from perishield.model.chain import Link, canonical
from perishield.model.errors import StorageError
from perishield.recording.export import ExportedFile, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file to put in: from `path`, or `data`. `expect`: its SHA-256 must be this; empty: whatever it is."""

    name: str
    path: Path | None = None
    data: bytes = b""
    size: int = 0
    expect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an archive will say of itself, but for what only writing it shows."""

    archive: str
    site: str
    software: str
    exported_at: str
    by: layout.By
    alarms: list[layout.AlarmEntry]
    chain: layout.ChainEntry
    pieces: list[Piece] = field(default_factory=list)


def chain_line(link: Link, own: bool) -> bytes:
    """A link as `chain.jsonl` has it: whole, or only its digest where it is of another alarm or its content is gone."""
    if own and link.content:
        content = msgspec.json.decode(link.content)
        line = canonical({"content": content, "hash": link.hash, "number": link.number})
        if canonical(content) != link.content:
            raise StorageError(f"record {link.number}: is not canonical; the store was changed", code="corrupt")
        return line + b"\n"
    return canonical({"digest": link.content_digest(), "hash": link.hash, "number": link.number}) + b"\n"


def write_bundle(target: Path, draft: Draft, key: SiteKey, watch: Watch, *, min_free_bytes: int = 0) -> ExportedFile:
    """Write the archive; blocks. On any error nothing stays there.

    Raises StorageError: `corrupt` where evidence is not what it was when it was taken in, `missing` where it is gone,
    `disk_full`, `too_large`; CancelledError; OSError.
    """
    pieces = [
        Piece(name="README.en.txt", data=ENGLISH.encode()),
        Piece(name="README.zh.txt", data=CHINESE.encode()),
        Piece(name=layout.PUBLIC_KEY, data=key.public.pem),
        *draft.pieces,
    ]
    total = sum(piece.size or len(piece.data) for piece in pieces)
    _check(target.parent, pieces, total, min_free_bytes)
    temporary = target.with_suffix(".part")
    try:
        with temporary.open("w+b") as file:
            writer = _Writer(file, watch, total)
            files = [writer.add(piece) for piece in pieces]
            manifest = canonical(msgspec.to_builtins(_manifest(draft, key, files)))
            writer.add(Piece(name=layout.MANIFEST, data=manifest))
            writer.add(Piece(name=layout.SIGNATURE, data=key.sign(manifest)))
            writer.end()
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
            digest = _digest(file)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    watch.progress = 1.0
    return ExportedFile(name=target.name, size=size, sha256=digest, start=0.0, duration_s=0.0, spans=())


def _manifest(draft: Draft, key: SiteKey, files: list[layout.FileEntry]) -> layout.Manifest:
    return layout.Manifest(
        format=layout.FORMAT,
        version=layout.VERSION,
        site=draft.site,
        software=draft.software,
        archive=draft.archive,
        exported_at=draft.exported_at,
        exported_by=draft.by,
        key=key.public.id,
        files=files,
        alarms=draft.alarms,
        chain=draft.chain,
    )


def _check(folder: Path, pieces: Sequence[Piece], total: int, min_free: int) -> None:
    if len(pieces) + 2 > layout.MOST_FILES or total > layout.LARGEST - layout.LARGEST_MANIFEST - (4 << 20):
        raise StorageError(
            f"evidence: {len(pieces)} files of {total / 1e9:.1f} GB are more than one archive may hold (4.2 GB); "
            "export fewer alarms at once",
            code="too_large",
        )
    status = os.statvfs(folder)
    free = max(0, status.f_bavail * status.f_frsize - min_free)
    if free < total:
        raise StorageError(
            f"evidence: this archive takes {total / 1e9:.2f} GB, and {free / 1e9:.2f} GB may be used on the disk of "
            "the exports; delete older exports or export fewer alarms",
            code="disk_full",
            needed=total,
            free=free,
        )


class _Writer:
    def __init__(self, file: IO[bytes], watch: Watch, total: int) -> None:
        self._file = file
        self._watch = watch
        self._total = max(1, total)
        self._central: list[bytes] = []

    def add(self, piece: Piece) -> layout.FileEntry:
        """Data first, then the header before it, which tells what the data turned out to be."""
        offset = self._file.tell()
        self._file.write(layout.local_header(piece.name, 0, 0))
        digest, crc, size = sha256(), 0, 0
        for block in _blocks(piece):
            self._watch.check()
            digest.update(block)
            crc = zlib.crc32(block, crc)
            size += len(block)
            self._file.write(block)
            self._watch.bytes += len(block)
            self._watch.progress = min(0.99, self._watch.bytes / self._total)
        if size > layout.LARGEST:
            raise StorageError(f"{piece.name}: is too large for an archive", code="too_large")
        if piece.expect and digest.hexdigest() != piece.expect:
            raise StorageError(
                f"{piece.name}: is not what it was when it was taken in (SHA-256 {digest.hexdigest()}, not "
                f"{piece.expect}); `perishield evidence check` looks at all of it",
                code="evidence_changed",
            )
        end = self._file.tell()
        self._file.seek(offset)
        self._file.write(layout.local_header(piece.name, crc, size))
        self._file.seek(end)
        self._central.append(layout.central_entry(piece.name, crc, size, offset))
        return layout.FileEntry(name=piece.name, size=size, sha256=digest.hexdigest())

    def end(self) -> None:
        offset = self._file.tell()
        central = b"".join(self._central)
        self._file.write(central + layout.end_record(len(self._central), len(central), offset))


def _blocks(piece: Piece) -> Iterator[bytes]:
    if piece.path is None:
        yield piece.data
        return
    try:
        with piece.path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
    except FileNotFoundError as error:
        raise StorageError(f"{piece.name}: the file is gone", code="missing") from error


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    digest = sha256()
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def json_piece(name: str, content: Any) -> Piece:
    return Piece(name=name, data=canonical(content))


def own_numbers(links: Iterable[Link]) -> layout.RecordsEntry:
    numbers = [link.number for link in links]
    return layout.RecordsEntry(count=len(numbers), first=min(numbers, default=0), last=max(numbers, default=0))

"""Checks an archive of evidence, by nothing but its bytes and a public key. Reads hostile files in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO

import msgspec

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle_chain import check_chain
from perishield.alarms.site_key import PublicKey, read_public
from perishield.model.chain import canonical
from perishield.model.errors import ConfigError

_BLOCK = 1 << 20
_LARGEST_KEY = 8192


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was checked. `message`: what is wrong, or what was found."""

    name: str
    ok: bool
    message: str = ""


@dataclass(slots=True)
class Verdict:
    """`accepted`: nothing is wrong. `signer` is `proven` by a key that was given, else `unproven`."""

    items: list[Item] = field(default_factory=list)
    signer: str = "unproven"
    key: str = ""
    manifest: layout.Manifest | None = None

    @property
    def accepted(self) -> bool:
        return bool(self.items) and all(item.ok for item in self.items)


class BadError(Exception):
    """Nothing behind this can be judged. Arguments: the thing, what is wrong with it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    start: int
    size: int
    sha256: str


def check_bundle(path: Path, key: PublicKey | str | None = None) -> Verdict:
    """Judge the archive. `key`: the site's, or its id; None: the one in the archive, which proves no signer.

    Raises OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        return check_open_bundle(file, key)


def check_open_bundle(file: IO[bytes], key: PublicKey | str | None = None) -> Verdict:
    """The same of a file that can be read anywhere."""
    verdict = Verdict()
    try:
        _check(file, key, verdict)
    except BadError as error:
        verdict.items.append(Item(error.name, False, error.message))
    return verdict


def _check(file: IO[bytes], key: PublicKey | str | None, verdict: Verdict) -> None:
    members = _members(file)
    verdict.items.append(Item("archive", True, f"{len(members)} files, every byte accounted for"))
    if [member.name for member in members[-2:]] != [layout.MANIFEST, layout.SIGNATURE]:
        raise BadError("archive", "does not end with a manifest and its signature")
    named = {member.name: member for member in members}
    raw = _whole(file, named[layout.MANIFEST], layout.LARGEST_MANIFEST)
    verdict.key = _check_signature(file, named, raw, key).id
    verdict.signer = "unproven" if key is None else "proven"
    verdict.items.append(Item("signature", True, f"by key {verdict.key}"))
    manifest = verdict.manifest = _manifest(raw, verdict.key)
    verdict.items.append(Item("manifest", True, f"{manifest.archive}, exported {manifest.exported_at}"))
    for member, entry in _pairs(members[:-2], manifest.files):
        verdict.items.append(_file_item(member, entry))
    if not verdict.accepted:
        return
    lines = _lines(file, named[layout.CHAIN]) if layout.CHAIN in named else iter(())
    verdict.items.extend(
        Item(*item) for item in check_chain(manifest, lines, {member.name: member.sha256 for member in members})
    )


def _members(file: IO[bytes]) -> list[Member]:
    """Every file in it. Raises BadError unless all bytes lie as `bundle_layout` says."""
    length = file.seek(0, 2)
    file.seek(max(0, length - layout.END_LENGTH))
    end = layout.read_end(file.read(layout.END_LENGTH))
    if end is None:
        raise BadError("archive", "its end is missing or damaged, or it was not written by PyPeriShield")
    count, size, offset = end
    if count > layout.MOST_FILES or size > count * (layout.CENTRAL_LENGTH + 256):
        raise BadError("archive", f"says that it has {count} files, which is too many")
    if offset + size + layout.END_LENGTH != length:
        raise BadError("archive", "has bytes that belong to no file, or lacks some")
    file.seek(offset)
    central = file.read(size)
    members: list[Member] = []
    at = position = 0
    seen: set[str] = set()
    for _ in range(count):
        entry = layout.read_central(central, at)
        if entry is None:
            raise BadError("archive", f"its list of files is damaged at entry {len(members) + 1}")
        name, crc, length, start = entry
        if name.lower() in seen:
            raise BadError(name, "is in the archive twice")
        if start != position or start + length > offset:
            raise BadError(name, "does not lie where it should")
        seen.add(name.lower())
        at += layout.CENTRAL_LENGTH + len(name)
        header = layout.local_header(name, crc, length)
        file.seek(start)
        if file.read(len(header)) != header:
            raise BadError(name, "its header was changed")
        members.append(_read(file, name, crc, length))
        position = start + len(header) + length
    if at != size or position != offset:
        raise BadError("archive", "has bytes that belong to no file")
    return members


def _read(file: IO[bytes], name: str, crc: int, size: int) -> Member:
    start = file.tell()
    digest, found, left = sha256(), 0, size
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            raise BadError(name, "ends before it should")
        digest.update(block)
        found = zlib.crc32(block, found)
        left -= len(block)
    if found != crc:
        raise BadError(name, "was changed: its checksum is another")
    return Member(name, start, size, digest.hexdigest())


def _check_signature(
    file: IO[bytes], named: dict[str, Member], manifest: bytes, key: PublicKey | str | None
) -> PublicKey:
    if layout.PUBLIC_KEY not in named:
        raise BadError("signature", "there is no public key in the archive")
    try:
        brought = read_public(_whole(file, named[layout.PUBLIC_KEY], _LARGEST_KEY), layout.PUBLIC_KEY)
    except ConfigError as error:
        raise BadError("signature", error.message) from error
    wanted = brought.id if key is None else key if isinstance(key, str) else key.id
    if brought.id != wanted:
        raise BadError("signature", f"is by key {brought.id}, not by the site's {wanted}")
    signature = _whole(file, named[layout.SIGNATURE], layout.SIGNATURE_LENGTH)
    if not brought.verifies(signature, manifest):
        raise BadError("signature", "does not fit the manifest: one of them was changed")
    return brought


def _manifest(raw: bytes, key: str) -> layout.Manifest:
    try:
        manifest = msgspec.json.decode(raw, type=layout.Manifest)
        if canonical(msgspec.to_builtins(manifest)) != raw:
            raise BadError("manifest", "is not written in the one way that is allowed")
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadError("manifest", f"cannot be understood: {error}") from error
    if manifest.format != layout.FORMAT or manifest.version != layout.VERSION:
        raise BadError("manifest", f"is of format {manifest.format} {manifest.version}; a newer program may know it")
    if manifest.key != key:
        raise BadError("manifest", "names another key than the one that signed it")
    return manifest


def _pairs(members: list[Member], files: list[layout.FileEntry]) -> Iterator[tuple[Member, layout.FileEntry]]:
    if [member.name for member in members] != [entry.name for entry in files]:
        raise BadError("manifest", "lists other files than the archive has, or in another order")
    yield from zip(members, files, strict=True)


def _file_item(member: Member, entry: layout.FileEntry) -> Item:
    if (member.size, member.sha256) != (entry.size, entry.sha256):
        return Item(member.name, False, f"was changed: SHA-256 is {member.sha256}, not {entry.sha256}")
    return Item(member.name, True, f"SHA-256 {member.sha256}")


def _whole(file: IO[bytes], member: Member, most: int) -> bytes:
    if member.size > most:
        raise BadError(member.name, f"is larger than {most} bytes")
    file.seek(member.start)
    return file.read(member.size)


def _lines(file: IO[bytes], member: Member) -> Iterator[bytes]:
    """Lines without their end. Raises BadError for one that is too long or has no end."""
    file.seek(member.start)
    left = member.size
    while left:
        line = file.readline(min(left, layout.LARGEST_LINE))
        if not line.endswith(b"\n"):
            raise BadError(member.name, "has a line that does not end")
        left -= len(line)
        yield line[:-1]

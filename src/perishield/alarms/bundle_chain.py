"""The chained records in an archive of evidence: none changed, none missing, and what they say fits the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from perishield.alarms import bundle_layout as layout
from perishield.model.chain import canonical, hash_over, sha256

Finding = tuple[str, bool, str]
"""Name, whether it is in order, what was found."""


class _Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    number: layout.Count
    hash: layout.Hash
    content: dict[str, Any] | None = None
    digest: layout.HashOrNone = ""


class _Own:
    """What is kept of one alarm's records; bounded, however many there are."""

    def __init__(self, alarm: layout.AlarmEntry) -> None:
        self.count = self.first = self.last = 0
        self.taken: dict[str, dict[str, Any]] = {}
        self._kinds = {piece.kind for piece in alarm.evidence}

    def take(self, record: dict[str, Any]) -> None:
        """`number` was looked at."""
        self.count += 1
        self.last = int(record["number"])
        self.first = self.first or self.last
        body = record.get("body")
        if record.get("kind") != "evidence" or not isinstance(body, dict):
            return
        kind = body.get("evidence")
        if isinstance(kind, str) and kind in self._kinds:
            self.taken[kind] = {key: body.get(key) for key in ("sha256", "event_sha256")}


def check_chain(manifest: layout.Manifest, lines: Iterable[bytes], digests: Mapping[str, str]) -> Iterator[Finding]:
    """Findings on the chain and on each alarm. `digests`: SHA-256 of the archive's files by name."""
    own = {alarm.id: _Own(alarm) for alarm in manifest.alarms}
    if len(own) != len(manifest.alarms):
        yield "manifest", False, "lists an alarm twice"
        return
    wrong = _walk(manifest.chain, lines, own)
    yield "chain", not wrong, wrong or _praise(manifest.chain)
    if wrong:
        return
    for alarm in manifest.alarms:
        wrong = _check_alarm(alarm, own[alarm.id], digests)
        yield f"alarm {alarm.id}", not wrong, wrong or f"{alarm.records.count} records, all there and unchanged"


def _praise(chain: layout.ChainEntry) -> str:
    return f"records {chain.first} to {chain.last} without a gap" if chain.count else "there were no records"


def _walk(chain: layout.ChainEntry, lines: Iterable[bytes], own: Mapping[str, _Own]) -> str:
    """What is wrong with the run of links, in words; fills in the records of the archive's own alarms."""
    if chain.count > layout.MOST_LINKS or (chain.count and chain.last - chain.first + 1 != chain.count):
        return "the manifest's numbers of the chain do not fit each other"
    number, previous = chain.first - 1, chain.previous
    seen = 0
    for raw in lines:
        try:
            line = msgspec.json.decode(raw, type=_Line)
            rest: dict[str, Any] = {"digest": line.digest} if line.content is None else {"content": line.content}
            if canonical({"number": line.number, "hash": line.hash, **rest}) != raw:
                return f"the line behind record {number} is not written in the one way that is allowed"
            digest = line.digest if line.content is None else sha256(canonical(line.content))
            hash_ = hash_over(previous, digest)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return f"the line behind record {number} cannot be understood: {error}"
        if line.number != number + 1:
            return f"record {number + 1} is missing"
        if hash_ != line.hash:
            return f"record {line.number} was changed, or does not follow the one before it"
        if line.content is not None:
            if line.content.get("number") != line.number:
                return f"record {line.number} says that it is another"
            records = own.get(str(line.content.get("alarm")))
            if records is None:
                return f"record {line.number} is of an alarm that is not in this archive"
            records.take(line.content)
        number, previous, seen = line.number, line.hash, seen + 1
        if seen > chain.count:
            return "there are more records than the manifest says"
    if seen != chain.count:
        return f"there are {seen} records, not {chain.count}"
    if seen and previous != chain.hash:
        return "does not end with the hash that the manifest names"
    if chain.head.number < number or (chain.head.number == number and seen and chain.head.hash != previous):
        return "does not fit the head of the site's chain at the time of the export"
    return ""


def _check_alarm(alarm: layout.AlarmEntry, records: _Own, digests: Mapping[str, str]) -> str:
    told = (alarm.records.count, alarm.records.first, alarm.records.last)
    if (records.count, records.first, records.last) != told:
        return f"{alarm.records.count} records were exported, {records.count} are here"
    folder = f"alarms/{alarm.id}"
    if digests.get(f"{folder}/event.json") != alarm.event_sha256:
        return "event.json is not the one that the manifest names"
    for piece in alarm.evidence:
        body = records.taken.get(piece.kind)
        if body is None:
            return f"no record says that {piece.kind} was taken in"
        if body.get("sha256") != piece.sha256:
            return f"{piece.kind}: the record of its taking-in names another hash"
        if body.get("event_sha256") != alarm.event_sha256:
            return "event.json is not what it was when the evidence was taken in"
        if not piece.file:
            continue
        found = digests.get(piece.file)
        if found is None or not piece.file.startswith(f"{folder}/"):
            return f"{piece.file or piece.kind}: is not in the archive"
        if piece.masked == (found == piece.sha256):
            return f"{piece.file}: is not what was taken in"
    return ""

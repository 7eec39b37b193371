"""Gathers what an archive of evidence will hold: alarms, their evidence, the run of the chain with their records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import perishield
from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle import Draft, Piece, chain_line, json_piece, own_numbers
from perishield.model.alarms import Alarm
from perishield.model.chain import GENESIS, Link, sha256
from perishield.model.errors import StorageError
from perishield.model.evidence import Evidence
from perishield.recording.export import Watch
from perishield.store.alarms import get_alarm
from perishield.store.chain import ALARMS, alarm_chain, alarm_records, chain_head
from perishield.store.database import Database
from perishield.store.evidence import event_bytes, evidence_of

_LINKS_AT_ONCE = 2000
_SUFFIX = {"clean": ".jpg", "annotated": ".jpg", "clip": ".mp4"}

Mask = Callable[[Alarm, Evidence], Awaitable[Piece | None]]
"""A masked copy under the same name; None where nothing of that camera is masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for. `exported_at`: Unix seconds."""

    archive: str
    alarms: Sequence[str]
    site: str
    by: layout.By
    exported_at: float


async def draft_bundle(
    database: Database, media: Path, order: Order, chain_file: Path, watch: Watch, mask: Mask | None = None
) -> Draft:
    """Write the chain's run to `chain_file` and say what else goes in.

    `mask`: for whom may not see what masks cover. Raises StorageError: `missing` for an alarm that is gone,
    `too_large`, `corrupt`; CancelledError.
    """
    entries: list[layout.AlarmEntry] = []
    pieces: list[Piece] = []
    numbers: set[int] = set()
    for name in order.alarms:
        watch.check()
        async with database.read() as session:
            alarm = await get_alarm(session, name)
            evidence = await evidence_of(session, name)
            records = await alarm_records(session, name)
            event = await event_bytes(session, name)
        if alarm is None:
            raise StorageError(f"alarm {name!r}: there is none any more", code="missing", alarm=name)
        folder = f"alarms/{name}"
        pieces += [json_piece(f"{folder}/alarm.json", _alarm(alarm)), Piece(name=f"{folder}/event.json", data=event)]
        listed = []
        for one in evidence:
            piece = await _piece(media, folder, alarm, one, mask)
            if piece is not None:
                pieces.append(piece)
            listed.append(_entry(one, piece))
        entries.append(
            layout.AlarmEntry(
                id=alarm.id,
                camera=alarm.event.camera,
                camera_name=alarm.camera_name,
                raised=moment(alarm.raised),
                event_sha256=sha256(event),
                evidence=listed,
                records=own_numbers(records),
            )
        )
        numbers.update(link.number for link in records)
    chain = await _write_chain(database, numbers, chain_file, watch)
    size = (await asyncio.to_thread(chain_file.stat)).st_size
    return Draft(
        archive=order.archive,
        site=order.site,
        software=f"perishield {perishield.__version__}",
        exported_at=moment(order.exported_at),
        by=order.by,
        alarms=entries,
        chain=chain,
        pieces=[*pieces, Piece(name=layout.CHAIN, path=chain_file, size=size)],
    )


async def _piece(media: Path, folder: str, alarm: Alarm, evidence: Evidence, mask: Mask | None) -> Piece | None:
    if not evidence.sha256:
        return None
    name = f"{folder}/{evidence.kind.value}{_SUFFIX[evidence.kind.value]}"
    masked = await mask(alarm, evidence) if mask is not None else None
    if masked is not None:
        return Piece(name=name, path=masked.path, data=masked.data, size=masked.size)
    return Piece(name=name, path=media / evidence.path, size=evidence.size, expect=evidence.sha256)


def _entry(evidence: Evidence, piece: Piece | None) -> layout.EvidenceEntry:
    return layout.EvidenceEntry(
        kind=evidence.kind.value,
        file=piece.name if piece else "",
        sha256=evidence.sha256,
        size=evidence.size,
        made=moment(evidence.made),
        note=evidence.note,
        masked=piece is not None and not piece.expect,
    )


async def _write_chain(database: Database, numbers: set[int], path: Path, watch: Watch) -> layout.ChainEntry:
    """All links from the first of these numbers to the last, the others' as digests."""
    first, last = min(numbers, default=0), max(numbers, default=0)
    count = last - first + 1 if numbers else 0
    if count > layout.MOST_LINKS:
        raise StorageError(
            f"evidence: between the first and the last record of these alarms lie {count} others, and one archive "
            f"holds {layout.MOST_LINKS}; export alarms that are closer together",
            code="too_large",
        )
    async with database.read() as session:
        head, head_hash = await chain_head(session, ALARMS)
    previous, end = GENESIS, GENESIS
    with await asyncio.to_thread(path.open, "wb") as file:
        for start in range(first, first + count, _LINKS_AT_ONCE):
            watch.check()
            until = min(start + _LINKS_AT_ONCE - 1, last)
            async with database.read() as session:
                links = await alarm_chain(session, start, until)
            if [link.number for link in links] != list(range(start, until + 1)):
                raise StorageError(
                    f"evidence: records between {start} and {until} are missing in the store; "
                    "`perishield evidence check` says which",
                    code="corrupt",
                )
            if start == first:
                previous = links[0].previous
            end = links[-1].hash
            lines = await asyncio.to_thread(_lines, links, numbers)
            await asyncio.to_thread(file.write, lines)
    return layout.ChainEntry(
        first=first,
        last=last,
        count=count,
        previous=previous,
        hash=end,
        head=layout.LinkEntry(number=head, hash=head_hash),
    )


def _lines(links: Sequence[Link], numbers: set[int]) -> bytes:
    return b"".join(chain_line(link, link.number in numbers) for link in links)


def _alarm(alarm: Alarm) -> dict[str, Any]:
    """The alarm as it is now; its event lies beside it."""
    return {
        "id": alarm.id,
        "state": alarm.state.value,
        "level": alarm.level,
        "raised": alarm.raised,
        "camera": alarm.event.camera,
        "camera_name": alarm.camera_name,
        "rule_name": str(alarm.event.rule.get("name", "")),
        "clip": {
            "state": alarm.clip_state.value,
            "start": alarm.clip_start,
            "duration_s": alarm.clip_duration,
            "note": alarm.clip_note,
        },
    }


def moment(at: float) -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

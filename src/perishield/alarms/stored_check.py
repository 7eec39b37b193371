"""Is stored evidence still what was taken in? Every file read again and compared with its hash; the chain, too."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from perishield.alarms.evidence import digest_of
from perishield.alarms.site_key import SiteKeys
from perishield.model.chain import GENESIS, canonical, first_break
from perishield.model.evidence import Checkpoint, Evidence
from perishield.store.chain import ALARMS, alarm_chain, chain_head
from perishield.store.checkpoints import last_checkpoint
from perishield.store.database import Database
from perishield.store.evidence import evidence_page

_PAGE = 200
_LINKS = 2000


class Finding(StrEnum):
    INTACT = "intact"
    CHANGED = "changed"
    MISSING = "missing"
    ABSENT = "absent"
    """There was no file when it was taken in."""


@dataclass(frozen=True, slots=True)
class Checked:
    evidence: Evidence
    finding: Finding
    message: str = ""


@dataclass(slots=True)
class Report:
    """`chain`: what is wrong with the alarms' chain, empty: nothing; `links`: how many were looked at."""

    files: int = 0
    bytes: int = 0
    bad: list[Checked] | None = None
    links: int = 0
    chain: str = ""


def check_file(media: Path, evidence: Evidence) -> Checked:
    """Read one file again; blocks."""
    if not evidence.sha256:
        return Checked(evidence, Finding.ABSENT, evidence.note)
    try:
        found = digest_of(media / evidence.path)
    except FileNotFoundError:
        return Checked(evidence, Finding.MISSING, "the file is gone")
    except OSError as error:
        return Checked(evidence, Finding.MISSING, f"the file cannot be read: {error.strerror}")
    if found.sha256 != evidence.sha256:
        return Checked(evidence, Finding.CHANGED, f"its SHA-256 is {found.sha256}, not {evidence.sha256}")
    return Checked(evidence, Finding.INTACT)


async def check_all(database: Database, media: Path, keys: SiteKeys) -> Report:
    """Every file of evidence and every link of the alarms' chain, in bounded memory. Raises ConfigError."""
    report = Report(bad=[])
    bad: list[Checked] = []
    after = ("", "")
    while True:
        async with database.read() as session:
            page = await evidence_page(session, after, _PAGE)
        for one in page:
            checked = await asyncio.to_thread(check_file, media, one)
            report.files += bool(one.sha256)
            report.bytes += one.size
            if checked.finding in (Finding.CHANGED, Finding.MISSING):
                bad.append(checked)
        if len(page) < _PAGE:
            break
        after = (page[-1].alarm, page[-1].kind.value)
    report.bad = bad
    report.chain, report.links = await check_chain(database, keys)
    return report


async def check_chain(database: Database, keys: SiteKeys) -> tuple[str, int]:
    """What is wrong with the alarms' chain from its last checkpoint on, in words, and how many links it has there."""
    async with database.read() as session:
        head, head_hash = await chain_head(session, ALARMS)
        cut = await last_checkpoint(session, ALARMS)
    if cut is not None and not await asyncio.to_thread(_signed, cut, keys):
        return f"the checkpoint at record {cut.number} was not signed by this site", 0
    number, previous = (cut.number, cut.hash) if cut else (0, GENESIS)
    seen = 0
    while number < head:
        async with database.read() as session:
            links = await alarm_chain(session, number + 1, min(number + _LINKS, head))
            cut = await last_checkpoint(session, ALARMS)
        if cut is not None and cut.number > number:
            # Retention went on meanwhile.
            if not await asyncio.to_thread(_signed, cut, keys):
                return f"the checkpoint at record {cut.number} was not signed by this site", seen
            number, previous = cut.number, cut.hash
            continue
        if not links or links[0].number != number + 1:
            return f"record {number + 1} is missing", seen
        wrong = first_break(links, previous)
        if wrong:
            return wrong, seen
        seen += len(links)
        number, previous = links[-1].number, links[-1].hash
    if number == head and previous != head_hash:
        return f"record {number} is not the chain's last one", seen
    return "", seen


def _signed(cut: Checkpoint, keys: SiteKeys) -> bool:
    key = keys.find(cut.key)
    try:
        return key is not None and key.verifies(bytes.fromhex(cut.signature), canonical(cut.signed()))
    except ValueError:
        return False

"""Evidence is hashed once, chained, drawn over as a copy, and what changes later is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from sqlalchemy import update
from tests.alarms.evidence_site import EvidenceSite, picture

from perishield.alarms.bundle_check import check_bundle
from perishield.alarms.evidence import EvidenceIntake
from perishield.alarms.intake import raise_alarm
from perishield.alarms.stored_check import Finding, check_all, check_file
from perishield.model.alarms import Event
from perishield.model.chain import GENESIS, first_break
from perishield.model.errors import ConfigError
from perishield.model.evidence import EvidenceKind
from perishield.store.alarms import add_alarm
from perishield.store.chain import alarm_chain, alarm_records
from perishield.store.database import Database
from perishield.store.evidence import event_bytes, evidence_of
from perishield.store.tables_evidence import EvidenceTable
from perishield.vision.annotate import annotated


@pytest.fixture
def site(database: Database, tmp_path: Path, make_event: Callable[..., Event]) -> EvidenceSite:
    return EvidenceSite(database, tmp_path, make_event)


async def test_pictures_and_clips_are_hashed_and_chained(site: EvidenceSite) -> None:
    alarm = await site.alarm("a", clip=b"film" * 700_000)
    async with site.database.read() as session:
        found = await evidence_of(session, "a")
        records = await alarm_records(session, "a")
        event = await event_bytes(session, "a")
    assert [one.kind for one in found] == [EvidenceKind.CLEAN, EvidenceKind.ANNOTATED, EvidenceKind.CLIP]
    for one in found:
        content = (site.media / one.path).read_bytes()
        assert (one.size, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (site.media / alarm.event.snapshot).read_bytes() == picture(), "the clean picture is never touched"
    bodies = [json.loads(record.content)["body"] for record in records[1:]]
    assert [body["sha256"] for body in bodies] == [one.sha256 for one in found]
    assert {body["event_sha256"] for body in bodies} == {hashlib.sha256(event).hexdigest()}
    assert await EvidenceIntake(site.database, site.media).take_in(alarm) == [], "taken in once"


async def test_what_an_earlier_run_missed_is_taken_in(site: EvidenceSite, make_event: Callable[..., Event]) -> None:
    for number in range(120):
        async with site.database.write() as session:
            await add_alarm(session, raise_alarm(make_event(f"a{number}"), "Gate", 1.79e9))
    intake = EvidenceIntake(site.database, site.media)
    assert await intake.catch_up() == 120
    assert await intake.catch_up() == 0
    async with site.database.read() as session:
        (one,) = await evidence_of(session, "a7")
        assert (one.sha256, one.note) == ("", "the alarm was raised without a picture")
        assert first_break(await alarm_chain(session, 1, 120), GENESIS) == ""


async def test_announced_alarms_are_taken_in_while_it_runs(
    site: EvidenceSite, make_event: Callable[..., Event]
) -> None:
    intake = EvidenceIntake(site.database, site.media)
    running = asyncio.create_task(intake.run())
    alarm = raise_alarm(make_event("late"), "Gate", 1.79e9)
    async with site.database.write() as session:
        await add_alarm(session, alarm)
    intake.add(alarm)
    async with asyncio.timeout(20):
        while True:
            async with site.database.read() as session:
                if await evidence_of(session, "late"):
                    break
            await asyncio.sleep(0.01)
    running.cancel()


async def test_what_changed_is_told(site: EvidenceSite) -> None:
    for name in ("kept", "changed", "gone"):
        await site.alarm(name, clip=b"film")
    report = await check_all(site.database, site.media, site.keys)
    assert (report.files, report.bad, report.chain, report.links) == (9, [], "", 12)
    async with site.database.read() as session:
        changed = (await evidence_of(session, "changed"))[2]
        gone = (await evidence_of(session, "gone"))[0]
    (site.media / changed.path).write_bytes(b"Film")
    (site.media / gone.path).unlink()
    report = await check_all(site.database, site.media, site.keys)
    assert {(one.evidence.alarm, one.finding) for one in report.bad or []} == {
        ("changed", Finding.CHANGED),
        ("gone", Finding.MISSING),
    }
    assert check_file(site.media, replace(changed, sha256="")).finding is Finding.ABSENT


async def test_a_record_that_was_taken_out_or_changed_is_told(site: EvidenceSite) -> None:
    from sqlalchemy import delete, update

    from perishield.store.tables import AlarmRecordTable

    for name in ("a", "b", "c"):
        await site.alarm(name)
    async with site.database.write() as session:
        await session.execute(update(AlarmRecordTable).where(AlarmRecordTable.number == 5).values(content=b"{}"))
    assert (await check_all(site.database, site.media, site.keys)).chain == "record 5 was changed"
    async with site.database.write() as session:
        await session.execute(delete(AlarmRecordTable).where(AlarmRecordTable.number == 5))
    assert (await check_all(site.database, site.media, site.keys)).chain == "record 5 is missing"
    async with site.database.write() as session:
        await session.execute(delete(AlarmRecordTable).where(AlarmRecordTable.number >= 5))
    assert (await check_all(site.database, site.media, site.keys)).chain == "record 5 is missing", "the end counts, too"


def test_what_explains_it_is_drawn_where_it_is(make_event: Callable[..., Event]) -> None:
    grey = np.full((400, 600, 3), 128, np.uint8)
    event = make_event("a")
    jpeg = bytes(simplejpeg.encode_jpeg(grey, quality=95, colorspace="RGB"))
    drawn = simplejpeg.decode_jpeg(annotated(jpeg, event), colorspace="RGB").astype(int)

    def differs(x: float, y: float) -> bool:
        return bool(np.abs(drawn[int(y * 399), int(x * 599)] - 128).max() > 50)

    assert differs(0.4, 0.35), "the box's left side"
    assert differs(0.1, 0.5), "the rule's line"
    assert differs(0.5, 0.45), "the way"
    assert not differs(0.1, 0.2)
    assert not differs(0.45, 0.3)


@pytest.mark.parametrize("rule", [{}, {"line": "x"}, {"polygon": [[0, 0], [1, "a"], 3]}, {"inner": None}])
def test_old_or_odd_rules_do_not_stop_it(make_event: Callable[..., Event], rule: dict[str, object]) -> None:
    assert annotated(picture(), replace(make_event("a"), rule=rule))


async def test_what_cannot_be_drawn_stops_nothing(site: EvidenceSite) -> None:
    """The rest is taken in, and the reason is kept where a piece is missing."""
    await site.alarm("a", clip=b"film", box=(1e308, 0.0, -1e308, 1e308))
    async with site.database.read() as session:
        found = {one.kind: one for one in await evidence_of(session, "a")}
    assert found[EvidenceKind.CLIP].sha256
    assert found[EvidenceKind.CLEAN].sha256
    assert found[EvidenceKind.ANNOTATED].sha256 or "could not be drawn" in found[EvidenceKind.ANNOTATED].note


async def test_why_there_is_no_file_has_a_code_and_hashes_as_before(site: EvidenceSite) -> None:
    alarm = await site.alarm("a")
    gone = replace(alarm, event=replace(alarm.event, id="b", snapshot="evidence/gone.jpg"), id="b")
    async with site.database.write() as session:
        await add_alarm(session, gone)
    await EvidenceIntake(site.database, site.media).take_in(gone)
    async with site.database.read() as session:
        found = {one.kind: one for one in await evidence_of(session, "b")}
        bodies = [json.loads(record.content)["body"] for record in await alarm_records(session, "b")]
    (clean,) = found[EvidenceKind.CLEAN].remarks
    reason = {"error": "ENOENT", "detail": "No such file or directory"}
    assert (clean.code, clean.params) == ("not_read", reason)
    assert [body["note"] for body in bodies[1:]] == [
        "could not be read: No such file or directory",
        "could not be drawn: No such file or directory",
    ], "the chain holds sentences, as it always did"
    assert [one.code for one in found[EvidenceKind.ANNOTATED].remarks] == ["not_drawn"]
    # A row of an earlier version is read as it was written, and proved with the others.
    async with site.database.write() as session:
        await session.execute(update(EvidenceTable).where(EvidenceTable.alarm == "b").values(note="could not be read"))
    async with site.database.read() as session:
        assert {one.note for one in await evidence_of(session, "b")} == {"could not be read"}
    assert (await check_all(site.database, site.media, site.keys)).chain == ""
    assert check_bundle(await site.export("a", "b")).accepted


async def test_a_key_that_cannot_be_used_is_told(site: EvidenceSite) -> None:
    site.keys.current()
    for content in (b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        (site.folder / "site_key.pem").write_bytes(content)
        with pytest.raises(ConfigError, match="backup"):
            site.keys.current()

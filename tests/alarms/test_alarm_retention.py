"""Old alarms go in small steps, held ones stay, and the chain remains verifiable; on both databases."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from tests.alarms.evidence_site import EvidenceSite

from perishield.alarms.bundle_check import check_bundle
from perishield.alarms.retention import AlarmRetention
from perishield.alarms.stored_check import check_all
from perishield.evaluation.private_postgresql import PrivatePostgreSQL
from perishield.model.alarms import Event
from perishield.model.chain import canonical
from perishield.store.alarms import get_alarm
from perishield.store.chain import ALARMS, alarm_chain, alarm_records, append_alarm_record, chain_head
from perishield.store.checkpoints import last_checkpoint
from perishield.store.database import Database
from perishield.store.evidence import evidence_of, get_alarm_hold, hold_alarm, list_alarm_holds, release_alarm
from perishield.store.tables import AlarmRecordTable, AlarmTable

DAY = 86_400.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with PrivatePostgreSQL(durable=False) as server:
        yield server.url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[Path], str]
) -> AsyncIterator[Database]:
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("cluster") if postgresql else new_database(tmp_path / "perishield.db")
    opened = await Database.open(url)
    yield opened
    if postgresql:
        async with opened.write() as session:
            tables = "alarms, alarm_records, chain_heads, chain_checkpoints, evidence, alarm_holds, privacy_masks"
            await session.execute(text(f"TRUNCATE {tables} CASCADE"))
    await opened.close()


@pytest.fixture
def site(database: Database, tmp_path: Path, make_event: Callable[..., Event]) -> EvidenceSite:
    return EvidenceSite(database, tmp_path, make_event)


def retention(site: EvidenceSite, **options: float) -> AlarmRetention:
    return AlarmRetention(
        site.database, site.media, site.keys, **{"keep_days": 183, "batch": 2, "links": 5, "pause_s": 0, **options}
    )  # type: ignore[arg-type]


async def count(site: EvidenceSite, table: type) -> int:
    async with site.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_old_alarms_go_with_their_files_and_the_rest_stays(site: EvidenceSite) -> None:
    now = time.time()
    for number in range(7):
        await site.alarm(f"old{number}", raised=now - 200 * DAY + number, clip=b"film")
    await site.alarm("new", raised=now - 10 * DAY, clip=b"film")
    assert await retention(site).sweep() == 7
    assert await retention(site).sweep() == 0
    async with site.database.read() as session:
        assert await get_alarm(session, "old3") is None
        assert await evidence_of(session, "old3") == []
        assert await get_alarm(session, "new") is not None
    assert {path.name for path in site.media.rglob("*.*")} == {"new.jpg", "new.annotated.jpg", "new.mp4"}
    assert len(list((site.media / "evidence").iterdir())) == 1, "the days that are empty went as well"
    report = await check_all(site.database, site.media, site.keys)
    assert (report.chain, report.bad) == ("", [])


async def test_a_cut_is_signed_and_the_chain_goes_on(site: EvidenceSite) -> None:
    now = time.time()
    for number in range(6):
        await site.alarm(f"old{number}", raised=now - 200 * DAY + number)
    await site.alarm("new", raised=now - DAY)
    async with site.database.read() as session:
        before = await alarm_chain(session, 1, 21)
    await retention(site).sweep()
    async with site.database.read() as session:
        cut = await last_checkpoint(session, ALARMS)
        rest = await alarm_chain(session, 1, 10_000)
    assert cut is not None
    assert (cut.number, cut.hash) == (18, before[17].hash)
    key = site.keys.find(cut.key)
    assert key is not None
    assert key.verifies(bytes.fromhex(cut.signature), canonical(cut.signed()))
    assert not key.verifies(bytes.fromhex(cut.signature), canonical({**cut.signed(), "number": 17}))
    assert [link.number for link in rest] == list(range(19, 28))
    assert [json.loads(link.content)["kind"] for link in rest[3:]] == ["removed"] * 6
    await site.alarm("later")
    report = await check_all(site.database, site.media, site.keys)
    assert (report.chain, report.links) == ("", 12)
    async with site.database.write() as session:
        await session.execute(text("UPDATE chain_checkpoints SET at = at + 1 WHERE number = 18"))
    assert "was not signed by this site" in (await check_all(site.database, site.media, site.keys)).chain
    async with site.database.write() as session:
        await session.execute(text("UPDATE chain_checkpoints SET at = :at WHERE number = 18"), {"at": cut.at})
    # What told of the removal goes when it is as old.
    await retention(site).sweep(now + 400 * DAY)
    async with site.database.read() as session:
        assert (await chain_head(session, ALARMS))[0] > 27
    assert (await check_all(site.database, site.media, site.keys)).chain == ""


async def test_what_is_held_stays_with_its_records_and_can_be_exported(site: EvidenceSite) -> None:
    now = time.time()
    for name in ("a", "held", "b"):
        await site.alarm(name, raised=now - 300 * DAY, clip=b"film of " + name.encode())
    async with site.database.write() as session:
        await append_alarm_record(session, "held", "comment", {"text": "kept"}, now - 250 * DAY)
        hold = await hold_alarm(session, "held", "guard", "Police file 4711")
    assert await retention(site).sweep() == 2
    async with site.database.read() as session:
        assert await list_alarm_holds(session, 10) == ([hold], 1)
        assert await list_alarm_holds(session, 10, ["yard"]) == ([], 0)
        assert all(link.content for link in await alarm_records(session, "held"))
        gone = [link for link in await alarm_chain(session, 1, 100) if not link.content]
        cut = await last_checkpoint(session, ALARMS)
    assert cut is not None
    assert cut.number == 4, "up to the first record that is still wanted"
    assert len(gone) == 4, "what others' records said is gone, their links are not"
    assert (await check_all(site.database, site.media, site.keys)).chain == ""
    archive = await site.export("held")
    assert check_bundle(archive, site.keys.current().public).accepted
    async with site.database.write() as session:
        assert await release_alarm(session, "held")
        assert not await release_alarm(session, "held")
        assert await get_alarm_hold(session, "held") is None
    assert await retention(site).sweep() == 1
    assert (await check_all(site.database, site.media, site.keys)).chain == ""
    assert not list(site.media.rglob("*.mp4"))


async def test_writers_go_on_while_much_is_deleted(site: EvidenceSite) -> None:
    """No transaction is long: alarms come in between the steps, and their records follow without a gap."""
    now = time.time()
    for number in range(60):
        await site.alarm(f"old{number}", raised=now - 200 * DAY + number)
    sweeping = asyncio.create_task(retention(site, pause_s=0.01).sweep())
    written = 0
    while not sweeping.done():
        await site.alarm(f"new{written}", raised=now)
        written += 1
        await asyncio.sleep(0)
    assert await sweeping == 60
    assert written > 3
    assert await count(site, AlarmTable) == written
    assert (await check_all(site.database, site.media, site.keys)).chain == ""


async def test_a_file_that_cannot_go_keeps_its_alarm(site: EvidenceSite) -> None:
    now = time.time()
    stuck = await site.alarm("stuck", raised=now - 300 * DAY)
    await site.alarm("other", raised=now - 300 * DAY)
    path = site.media / stuck.event.snapshot
    path.unlink()
    path.mkdir()
    assert await retention(site).sweep() == 1
    path.rmdir()
    assert await retention(site).sweep() == 1
    assert await count(site, AlarmRecordTable) == 2


async def test_files_elsewhere_are_never_touched(site: EvidenceSite, tmp_path: Path) -> None:
    from sqlalchemy import update

    from perishield.store.tables_evidence import EvidenceTable

    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    await site.alarm("a", raised=time.time() - 300 * DAY)
    async with site.database.write() as session:
        await session.execute(update(EvidenceTable).values(path="evidence/../../precious"))
    assert await retention(site).sweep() == 1
    assert precious.exists()

"""Backups, moves and retention by the worker, over real folders and a real S3 store; and what faults do to them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.faulty_proxy import Fault, FaultyProxy
from perishield.model.footage import Reason
from perishield.model.storage import LOCAL, CopyState, StorageTarget, TargetKind, Tier
from perishield.recording.storage.folder_target import prepare_folder
from perishield.recording.storage.settlement import Settlement
from perishield.store.copies import copies_of, find_segment, list_copies, removed_footage
from perishield.store.database import Database
from perishield.store.segments import forget_segments, has_segment
from perishield.store.tables import HoldTable

swift = pytest.mark.real("swift")
Make = Callable[..., StorageTarget]


async def test_every_recording_gets_a_backup_at_each_hot_target(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    rows = [await footage.add() for _ in range(5)]
    near, far = make_folder("near"), make_folder("far")
    storage = await storage_of(near, far)
    await clockwork.work(storage)
    for row in rows:
        assert await footage.states(row) == {"near": CopyState.KEPT, "far": CopyState.KEPT}
        for spec in (near, far):
            assert (Path(spec.path) / row.path).read_bytes() == footage.content(row)
        assert footage.there(row)
    assert storage.worker.progress.copied == 10
    assert storage.worker.progress.bytes == 50_000


async def test_a_segment_is_copied_as_soon_as_it_is_closed(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    storage = await storage_of(make_folder())
    running = asyncio.create_task(storage.worker.run())
    try:
        await clockwork.until(lambda: storage.targets.open["nas"].health.state == "ok")
        row = await footage.add()
        storage.worker.closed(row)

        async def kept() -> bool:
            return bool(await footage.states(row) == {"nas": CopyState.KEPT})

        await clockwork.until(kept)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_footage_moves_through_the_tiers_and_is_booked_when_it_goes(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, database: Database
) -> None:
    old, young = await footage.add(age_days=8), await footage.add(age_days=6)
    content = footage.content(old)
    nas, vault = make_folder("nas", tier=Tier.WARM), make_folder("vault", tier=Tier.COLD)
    storage = await storage_of(nas, vault)
    await clockwork.work(storage)
    assert await footage.states(old) == {"nas": CopyState.KEPT, LOCAL: CopyState.REMOVED}
    assert not footage.there(old)
    assert footage.there(young)
    assert (Path(nas.path) / old.path).read_bytes() == content
    async with database.read() as session:
        assert await has_segment(session, old.path)

    await clockwork.age(old, 38)
    await clockwork.work(storage)
    assert await footage.states(old) == {"vault": CopyState.KEPT, LOCAL: CopyState.REMOVED}
    assert not (Path(nas.path) / old.path).exists()
    assert (Path(vault.path) / old.path).read_bytes() == content

    await clockwork.age(old, 128)
    await clockwork.work(storage)
    assert not (Path(vault.path) / old.path).exists()
    async with database.read() as session:
        assert not await has_segment(session, old.path)
        assert (await copies_of(session, [old.path])) == {}
        (span,) = await removed_footage(session, "gate", 0.0, 1e12)
    assert (span.start, span.until, span.reason) == (old.start, old.start + old.duration, Reason.RETENTION)
    assert storage.worker.settlement.expired == 1


async def test_held_footage_outlives_its_last_tier(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, database: Database
) -> None:
    row = await footage.add(age_days=8)
    vault = make_folder("vault", tier=Tier.COLD)
    storage = await storage_of(vault)
    await clockwork.work(storage)
    async with database.write() as session:
        session.add(
            HoldTable(
                id="h", camera="gate", start=row.start + 5, until=row.start + 6, reason="case", who="me", created=1.0
            )
        )
    await clockwork.age(row, 500)
    await clockwork.work(storage)
    assert (Path(vault.path) / row.path).exists()
    async with database.read() as session:
        assert await has_segment(session, row.path)


async def test_the_index_keeps_footage_whose_file_the_recorder_deleted(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, database: Database
) -> None:
    row = await footage.add()
    storage = await storage_of(make_folder())
    await clockwork.work(storage)
    content = footage.content(row)
    (footage.media / row.path).unlink()
    async with database.write() as session:
        await forget_segments(session, [row.path])
    async with database.read() as session:
        assert await find_segment(session, row.path) == row
    reader = await asyncio.to_thread(storage.library.open, row)
    assert reader.pread(row.size, 0) == content


async def test_what_was_deleted_before_it_could_be_copied_is_told(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, database: Database
) -> None:
    row = await footage.add()
    storage = await storage_of(make_folder())
    await storage.worker.survey()
    (footage.media / row.path).unlink()
    await clockwork.work(storage)
    async with database.read() as session:
        (copy,), _ = await list_copies(session, state="lost")
    assert copy.segment == row.path
    assert "before it was copied" in copy.error


async def test_a_damaged_copy_keeps_the_source_until_a_good_one_is_there(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await footage.add(age_days=8)
    nas = make_folder("nas", tier=Tier.WARM)
    storage = await storage_of(nas)
    target = storage.targets.open["nas"].target
    honest = target.pieces

    def rotten(row: Any) -> Iterator[bytes]:
        for piece in honest(row):
            yield bytes([piece[0] ^ 1]) + piece[1:]

    monkeypatch.setattr(target, "pieces", rotten)
    await clockwork.work(storage)
    assert await footage.states(row) == {"nas": CopyState.FAILED}
    assert footage.there(row)
    assert not (Path(nas.path) / row.path).exists()
    monkeypatch.setattr(target, "pieces", honest)
    await clockwork.end_pauses(storage)
    await clockwork.work(storage)
    assert await footage.states(row) == {"nas": CopyState.KEPT, LOCAL: CopyState.REMOVED}


async def test_an_error_that_nobody_foresaw_delays_and_ends_nothing(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await footage.add(age_days=8)
    storage = await storage_of(make_folder("nas", tier=Tier.WARM))

    def surprise(*_: object) -> bool:
        raise LookupError("of a library")

    with monkeypatch.context() as patch:
        patch.setattr(storage.targets.open["nas"].target, "put", surprise)
        await clockwork.work(storage)
    assert await footage.states(row) == {"nas": CopyState.FAILED}
    assert storage.targets.open["nas"].health.code == "storage_refused"
    assert footage.there(row)
    await clockwork.end_pauses(storage)
    await clockwork.work(storage)
    assert await footage.states(row) == {"nas": CopyState.KEPT, LOCAL: CopyState.REMOVED}


async def test_a_crash_between_the_proof_and_the_removal_is_made_good(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await footage.add(age_days=8)
    storage = await storage_of(make_folder("nas", tier=Tier.WARM))
    with monkeypatch.context() as patch:
        patch.setattr(Settlement, "settle_paths", _crash)
        with pytest.raises(SystemExit):
            await clockwork.work(storage)
    assert footage.there(row)
    assert await footage.states(row) == {"nas": CopyState.KEPT}
    await storage.worker.survey()
    assert not footage.there(row)
    assert await footage.states(row) == {"nas": CopyState.KEPT, LOCAL: CopyState.REMOVED}


async def _crash(*_: object) -> None:
    raise SystemExit


async def test_moves_keep_to_their_part_of_the_day_and_backups_do_not_wait(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    row = await footage.add(age_days=8)
    now = time.localtime()
    later = (now.tm_hour * 60 + now.tm_min + 120) % 1440
    storage = await storage_of(
        make_folder("near"), make_folder("nas", tier=Tier.WARM), window=(later, (later + 60) % 1440)
    )
    await clockwork.work(storage)
    assert await footage.states(row) == {"nas": CopyState.WAITING}
    fresh = await footage.add()
    await clockwork.work(storage)
    assert await footage.states(fresh) == {"near": CopyState.KEPT}


async def test_the_throttle_counts_what_goes_out_and_what_is_read_back(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    for _ in range(3):
        await footage.add(40_000)
    storage = await storage_of(make_folder(), max_bytes_s=100 << 20)
    await clockwork.work(storage)
    assert storage.worker.throttle.passed == 2 * 3 * 40_000


@pytest.mark.real("mount")
async def test_a_share_that_is_unmounted_under_way_loses_nothing_and_is_taken_up_again(
    tmp_path: Path, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    backing = tmp_path / "backing"
    backing.mkdir()
    subprocess.run(["mount", "--bind", backing, share], check=True)
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.WARM, path=str(share))
    prepare_folder(spec)
    first, second = await footage.add(age_days=8), await footage.add(age_days=8)
    storage = await storage_of(spec)
    try:
        await storage.worker.survey()
        assert await storage.worker.serve(storage.targets.open["nas"]) == 2
        third = await footage.add(age_days=8)
        await storage.worker.survey()
        subprocess.run(["umount", "-l", share], check=True)
        assert await storage.worker.serve(storage.targets.open["nas"]) == 1
        health = storage.targets.open["nas"].health
        assert (health.state, health.code) == ("failing", "mount_gone")
        assert footage.there(third)
        assert list(share.iterdir()) == []
        assert await storage.worker.serve(storage.targets.open["nas"]) == 0

        subprocess.run(["mount", "--bind", backing, share], check=True)
        await clockwork.end_pauses(storage)
        await clockwork.work(storage)
        for row in (first, second, third):
            assert await footage.states(row) == {"nas": CopyState.KEPT, LOCAL: CopyState.REMOVED}
            assert (backing / row.path).stat().st_size == 5000
        assert health.state == "ok"
    finally:
        subprocess.run(["umount", "-l", share], capture_output=True)


async def test_a_spare_takes_over_while_a_target_is_down(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    near, spare = make_folder("near"), make_folder("spare")
    storage = await storage_of(near, spare, copies=1)
    before = await footage.add()
    await clockwork.work(storage)
    assert await footage.states(before) == {"near": CopyState.KEPT}
    (Path(near.path) / ".perishield-storage").rename(Path(near.path) / "away")
    during = await footage.add()
    await clockwork.work(storage)
    await clockwork.work(storage)
    assert (await footage.states(during))["spare"] is CopyState.KEPT


@swift
async def test_a_storm_of_refusals_only_delays(
    make_cloud: Make, proxy: FaultyProxy, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    rows = [await footage.add(age_days=8) for _ in range(6)]
    contents = [footage.content(row) for row in rows]
    storage = await storage_of(make_cloud(tier=Tier.COLD))
    proxy.mode = Fault.BUSY
    cloud = storage.targets.open["cloud"]
    for _ in range(3):
        await clockwork.work(storage)
        await clockwork.end_pauses(storage)
    assert cloud.health.code == "storage_busy"
    assert cloud.health.failures >= 3
    assert all(footage.there(row) for row in rows)
    # Of those that wait none but a few were tried: the target pauses, not each segment for itself.
    assert storage.worker.progress.failed <= 8
    proxy.mode = Fault.PASS
    await clockwork.end_pauses(storage)
    await clockwork.work(storage)
    for row, content in zip(rows, contents, strict=True):
        assert await footage.states(row) == {"cloud": CopyState.KEPT, LOCAL: CopyState.REMOVED}
        assert b"".join(cloud.target.pieces(row)) == content


@swift
@pytest.mark.parametrize(
    ("fields", "code"), [({"secret_key": "wrong"}, "storage_auth"), ({"bucket": "no-such-bucket"}, "storage_missing")]
)
async def test_a_store_that_cannot_be_used_leaves_footage_where_it_is(
    make_cloud: Make, storage_of: Any, footage: Any, clockwork: Any, fields: dict[str, str], code: str
) -> None:
    row = await footage.add(age_days=8)
    storage = await storage_of(make_cloud(tier=Tier.COLD, **fields))
    await clockwork.work(storage)
    assert storage.targets.open["cloud"].health.code == code
    assert await footage.states(row) == {"cloud": CopyState.FAILED}
    assert footage.there(row)


@swift
async def test_footage_moves_from_a_share_to_the_cloud_and_its_hash_goes_with_it(
    make_cloud: Make, make_folder: Make, storage_of: Any, footage: Any, clockwork: Any, database: Database
) -> None:
    row = await footage.add(age_days=8)
    content = footage.content(row)
    nas = make_folder("nas", tier=Tier.WARM)
    storage = await storage_of(nas, make_cloud(tier=Tier.COLD))
    await clockwork.work(storage)
    async with database.read() as session:
        known = {copy.target: copy.sha256 for copy in (await copies_of(session, [row.path]))[row.path]}
    await clockwork.age(row, 40)
    await clockwork.work(storage)
    async with database.read() as session:
        then = {copy.target: copy.sha256 for copy in (await copies_of(session, [row.path]))[row.path]}
    assert then["cloud"] == known["nas"]
    assert b"".join(storage.targets.open["cloud"].target.pieces(row)) == content


@swift
async def test_rot_on_the_share_is_found_before_it_spreads(
    make_cloud: Make, make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    row = await footage.add(age_days=8)
    nas = make_folder("nas", tier=Tier.WARM)
    storage = await storage_of(nas, make_cloud(tier=Tier.COLD))
    await clockwork.work(storage)
    copied = Path(nas.path) / row.path
    copied.write_bytes(b"\0" * 5000)
    await clockwork.age(row, 40)
    await clockwork.work(storage)
    assert (await footage.states(row))["cloud"] is CopyState.FAILED
    assert copied.exists()
    assert storage.targets.open["cloud"].target.size(row) is None


@swift
async def test_killed_in_mid_upload_it_goes_on_where_it_was(
    make_cloud: Make,
    swift_endpoint: str,
    storage_of: Any,
    footage: Any,
    clockwork: Any,
    database: Database,
    tmp_path: Path,
) -> None:
    rows = [await footage.add(2_000_000) for _ in range(3)] + [await footage.add(20_000_000)]
    spec = make_cloud()
    program = Path(__file__).with_name("killed_worker.py")
    for _ in range(2):
        command = [sys.executable, program, tmp_path, swift_endpoint, spec.bucket, str(6_000_000)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            await clockwork.until(lambda: _copying(database))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert await _copying(database)
    storage = await storage_of(replace(spec, timeout_s=30.0))
    running = asyncio.create_task(storage.worker.run())
    try:

        async def whole() -> bool:
            async with database.read() as session:
                return (await list_copies(session, state="kept"))[1] == len(rows)

        await clockwork.until(whole, 60)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    target = storage.targets.open["cloud"].target
    for row in rows:
        assert b"".join(target.pieces(row)) == footage.content(row)


async def _copying(database: Database) -> bool:
    async with database.read() as session:
        return (await list_copies(session, state="copying"))[1] > 0


async def test_a_share_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    code = """
import sys, threading, time
from perishield.recording.storage.threads import DaemonThreads
threads = DaemonThreads(2, "hung")
threads.submit(threading.Event().wait)
print("HUNG", flush=True)
threads.shutdown()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path, env=dict(os.environ))
    assert process.communicate(timeout=20)[0] == b"HUNG\n"
    assert process.returncode == 0

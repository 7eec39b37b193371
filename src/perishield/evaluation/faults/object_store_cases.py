"""An object store that refuses, hangs and drops: a real one (OpenStack Swift), behind a proxy that breaks it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perishield.api.footage import FootageIndex
from perishield.evaluation.faults.stand import Stand, demand
from perishield.evaluation.faults.witness import agreement
from perishield.evaluation.faulty_proxy import Fault, FaultyProxy
from perishield.evaluation.swift_server import ACCESS_KEY, SECRET_KEY, SwiftServer, swift_programs
from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState, SegmentCopy, StoragePlan, StorageTarget, TargetKind, Tier
from perishield.recording.storage.library import Storage, open_storage
from perishield.store.copies import list_copies
from perishield.store.database import Database, sqlite_url
from perishield.store.segments import list_segments

_BUCKET = "footage"
_CATCH_UP_S = 120.0


def missing() -> str:
    """Why there is no object store here, or empty."""
    return "" if swift_programs() else "needs Swift (`make swift`)"


def object_store(folder: Path, *, quick: bool) -> dict[str, Any]:
    """503, silence and cut uploads while cameras record: recording goes on, every segment arrives whole in the end."""
    lasts = 4.0 if quick else 15.0
    with SwiftServer(folder / "swift") as swift, FaultyProxy("127.0.0.1", swift.port).running() as proxy:
        swift.make_bucket(_BUCKET)
        stand = Stand(folder, 3, options={"segment_s": 1.0})
        with stand.running():
            stand.all_record(stand.began)
            figures = asyncio.run(_copy(stand, proxy, lasts))
            totals = {name: agreement(stand, name, stand.began, figures["end"] - 1) for name in stand.names}
    figures["states"] = totals[stand.names[0]]
    del figures["end"]
    return figures


async def _copy(stand: Stand, proxy: FaultyProxy, lasts: float) -> dict[str, Any]:
    database = await Database.open(sqlite_url(stand.data / "perishield.db"))
    cloud = StorageTarget(
        name="cloud",
        kind=TargetKind.S3,
        tier=Tier.HOT,
        bucket=_BUCKET,
        endpoint=proxy.endpoint,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        prefix="site",
        timeout_s=2.0,
    )
    storage = await open_storage(database, stand.media, StoragePlan(targets=(cloud,)))
    index = FootageIndex(database, stand.media)
    jobs = [asyncio.create_task(storage.worker.run()), asyncio.create_task(_survey(storage, index))]
    arrived: dict[str, int] = {}
    try:
        for fault, after in ((Fault.BUSY, 0), (Fault.STALL, 0), (Fault.DROP, 20_000)):
            proxy.drop_after = after
            proxy.mode = fault
            await asyncio.sleep(lasts)
            demand(stand.alive, f"the recorder died while the store answered with {fault.value}")
            arrived[fault.value] = len(await _kept(database))
        proxy.mode = Fault.PASS
        end = time.time()
        await asyncio.to_thread(stand.stop)
        began = time.monotonic()
        rows = await _everything(stand, database, index)
        await _until(lambda copies: len(copies) >= len(rows), database)
        caught_up = time.monotonic() - began
        for row in rows:
            await asyncio.to_thread(_compare, stand, storage, row, await _kept(database))
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await database.close()
    return {
        "segments": len(rows),
        "arrived_under_fault": arrived,
        "failed_tries": storage.worker.progress.failed,
        "refused": proxy.refused,
        "stalled": proxy.stalled,
        "dropped": proxy.dropped,
        "caught_up_s": round(caught_up, 1),
        "end": end,
    }


async def _survey(storage: Storage, index: FootageIndex) -> None:
    """What the server does all the time, a little faster."""
    while True:
        await index.compare()
        await storage.worker.survey()
        await asyncio.sleep(1.0)


async def _everything(stand: Stand, database: Database, index: FootageIndex) -> list[SegmentRow]:
    await index.compare()
    rows: list[SegmentRow] = []
    async with database.read() as session:
        for name in stand.names:
            found, _ = await list_segments(session, name, None, None, 10_000)
            rows += found
    files = sum(len(stand.files(name)) for name in stand.names)
    demand(len(rows) == files, f"{files} files were recorded, the index knows {len(rows)}")
    return rows


async def _kept(database: Database) -> dict[str, SegmentCopy]:
    async with database.read() as session:
        copies, _ = await list_copies(session, state=CopyState.KEPT, limit=10_000)
    return {copy.segment: copy for copy in copies}


async def _until(true: Callable[[dict[str, SegmentCopy]], bool], database: Database) -> None:
    deadline = time.monotonic() + _CATCH_UP_S
    while not true(await _kept(database)):
        demand(
            time.monotonic() < deadline, f"not every segment reached the store within {_CATCH_UP_S:g} s of its return"
        )
        await asyncio.sleep(0.2)


def _compare(stand: Stand, storage: Storage, row: SegmentRow, kept: dict[str, SegmentCopy]) -> None:
    """The copy, read back through the product, is what lies on the disk."""
    local = (stand.media / row.path).read_bytes()
    copy = kept[row.path]
    demand(copy.sha256 == hashlib.sha256(local).hexdigest(), f"{row.path}: the copy's hash is not the file's")
    back = b"".join(storage.targets.open[copy.target].target.pieces(row))
    demand(back == local, f"{row.path}: what comes back is not what was sent")

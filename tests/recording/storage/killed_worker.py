"""A process that copies until it is killed: `python killed_worker.py FOLDER ENDPOINT BUCKET BYTES_PER_SECOND`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from perishield.evaluation.swift_server import ACCESS_KEY, SECRET_KEY
from perishield.model.storage import StoragePlan, StorageTarget, TargetKind, Tier
from perishield.recording.storage.library import open_storage
from perishield.store.database import Database, sqlite_url


async def main(folder: Path, endpoint: str, bucket: str, rate: int) -> None:
    database = await Database.open(sqlite_url(folder / "perishield.db"))
    target = StorageTarget(
        name="cloud",
        kind=TargetKind.S3,
        tier=Tier.HOT,
        bucket=bucket,
        endpoint=endpoint,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        prefix="site-1",
    )
    storage = await open_storage(database, folder / "media", StoragePlan(targets=(target,), max_bytes_s=rate))
    await storage.worker.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))

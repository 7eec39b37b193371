"""Storage made of real parts: folders, a Swift behind a proxy that may break, a database, footage of real chunks."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perishield.evaluation.faulty_proxy import FaultyProxy
from perishield.evaluation.swift_server import ACCESS_KEY, SECRET_KEY, SwiftServer
from perishield.model.media import SegmentRow
from perishield.model.storage import CopyState, StoragePlan, StorageTarget, TargetKind, Tier
from perishield.recording.storage.folder_target import prepare_folder
from perishield.recording.storage.library import Storage, open_storage
from perishield.store.copies import copies_of, list_copies, save_copy
from perishield.store.database import Database
from perishield.store.segments import save_segments
from perishield.streams.layout import RECORDINGS

DAY_S = 86_400.0
_numbers = itertools.count()


@pytest.fixture
async def database(tmp_path: Path, new_database: Callable[[Path], str]) -> AsyncIterator[Database]:
    opened = await Database.open(new_database(tmp_path / "perishield.db"))
    yield opened
    await opened.close()


@pytest.fixture
def proxy(swift: SwiftServer) -> Iterator[FaultyProxy]:
    """In front of the store; it lets everything through until told otherwise."""
    with FaultyProxy("127.0.0.1", swift.port).running() as running:
        yield running


@pytest.fixture
def swift_endpoint(swift: SwiftServer) -> str:
    """The store itself, without the proxy."""
    return swift.endpoint


@pytest.fixture
def bucket(swift: SwiftServer) -> str:
    """A bucket of the test's own."""
    name = f"footage-{os.getpid()}-{next(_numbers)}"
    swift.make_bucket(name)
    return name


@pytest.fixture
def make_cloud(proxy: FaultyProxy, bucket: str) -> Callable[..., StorageTarget]:
    """Descriptions of the store behind the proxy."""

    def make(**fields: Any) -> StorageTarget:
        values: dict[str, Any] = {
            "name": "cloud",
            "kind": TargetKind.S3,
            "tier": Tier.HOT,
            "bucket": bucket,
            "endpoint": proxy.endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "prefix": "site-1",
            "timeout_s": 2.0,
        }
        return StorageTarget(**{**values, **fields})

    return make


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., StorageTarget]:
    """Folders that are marked as ours."""

    def make(name: str = "nas", **fields: Any) -> StorageTarget:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        values: dict[str, Any] = {"name": name, "kind": TargetKind.NAS, "tier": Tier.HOT, "path": str(folder)}
        spec = StorageTarget(**{**values, **fields})
        prepare_folder(spec)
        return spec

    return make


class Footage:
    """Segments of random bytes on the recorder's disk, and in the index. What moves them need not know video."""

    def __init__(self, media: Path, database: Database) -> None:
        self.media = media
        self.database = database
        self._starts = itertools.count(1_790_000_000, 10)

    async def add(self, size: int = 5000, *, age_days: float = 0.0, camera: str = "gate") -> SegmentRow:
        start = float(next(self._starts))
        folder = time.strftime("%Y-%m-%d/%H", time.gmtime(start))
        path = f"{RECORDINGS}/{camera}/{folder}/{start:.0f}.mp4"
        file = self.media / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
        row = SegmentRow(
            camera=camera,
            pool=RECORDINGS,
            path=path,
            epoch=1,
            start=start,
            duration=10.0,
            size=size,
            frames=250,
            stream_time=0,
            codec="h264",
            mime="avc1.64001f",
            width=640,
            height=360,
            init_length=700,
            keyframes=((0, 700),),
            complete=True,
        )
        moment = time.time() - age_days * DAY_S
        os.utime(file, (moment, moment))
        async with self.database.write() as session:
            await save_segments(session, [row])
        return row

    def content(self, row: SegmentRow) -> bytes:
        return (self.media / row.path).read_bytes()

    def there(self, row: SegmentRow) -> bool:
        return (self.media / row.path).exists()

    async def states(self, row: SegmentRow) -> dict[str, CopyState]:
        async with self.database.read() as session:
            found = await copies_of(session, [row.path])
        return {copy.target: copy.state for copy in found.get(row.path, [])}


@pytest.fixture
def footage(tmp_path: Path, database: Database) -> Footage:
    return Footage(tmp_path / "media", database)


OpenStorage = Callable[..., Awaitable[Storage]]


@pytest.fixture
async def storage_of(database: Database, footage: Footage) -> AsyncIterator[OpenStorage]:
    """Storage with these targets; closed at the end."""
    opened: list[Storage] = []

    async def make(*targets: StorageTarget, **fields: Any) -> Storage:
        storage = await open_storage(database, footage.media, StoragePlan(targets=targets, **fields))
        opened.append(storage)
        return storage

    yield make
    for storage in opened:
        storage.worker.close()


class Clockwork:
    """What the worker does by and by, done now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def work(self, storage: Storage) -> None:
        """Survey, serve every target until nothing is left to try, and survey again."""
        await storage.worker.survey()
        for target in storage.targets.open.values():
            while await storage.worker.serve(target):
                pass
        await storage.worker.survey()

    async def end_pauses(self, storage: Storage) -> None:
        """As if the time had passed after which everything is tried again."""
        for target in storage.targets.open.values():
            target.health.until = 0.0
        async with self._database.write() as session:
            copies, _ = await list_copies(session, limit=1000)
            for copy in copies:
                await save_copy(session, replace(copy, due=0.0))

    async def age(self, row: SegmentRow, days: float) -> None:
        """As if the segment had been written so many days ago."""
        async with self._database.write() as session:
            for copy in (await copies_of(session, [row.path])).get(row.path, []):
                await save_copy(session, replace(copy, recorded=time.time() - days * DAY_S))

    async def until(self, true: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while True:
                found = true()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
def clockwork(database: Database) -> Clockwork:
    return Clockwork(database)

"""Footage opened wherever it lies, and read by ranges without fetching whole files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.evaluation.faulty_proxy import Fault, FaultyProxy
from perishield.model.errors import StorageError
from perishield.model.storage import StorageTarget
from perishield.recording.segment_reader import LocalSegment
from perishield.recording.storage.tiered import BLOCK, BlockCache, RemoteSegment

Make = Callable[..., StorageTarget]


async def test_the_recorders_own_disk_comes_first(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    row = await footage.add()
    storage = await storage_of(make_folder())
    await clockwork.work(storage)
    reader = await asyncio.to_thread(storage.library.open, row)
    assert isinstance(reader, LocalSegment)
    reader.close()


async def test_a_copy_that_is_gone_gives_way_to_the_next(
    make_folder: Make, storage_of: Any, footage: Any, clockwork: Any
) -> None:
    row = await footage.add()
    content = footage.content(row)
    storage = await storage_of(make_folder("near"), make_folder("far"))
    await clockwork.work(storage)
    (footage.media / row.path).unlink()
    storage.targets.open["near"].target.remove(row)
    reader = await asyncio.to_thread(storage.library.open, row)
    assert reader.size == row.size
    assert reader.pread(100, 4990) == content[4990:]


async def test_footage_without_any_copy_is_missing(make_folder: Make, storage_of: Any, footage: Any) -> None:
    row = await footage.add()
    (footage.media / row.path).unlink()
    storage = await storage_of(make_folder())
    with pytest.raises(StorageError) as error:
        await asyncio.to_thread(storage.library.open, row)
    assert error.value.code == "missing"


async def test_it_is_never_opened_on_the_event_loop(make_folder: Make, storage_of: Any, footage: Any) -> None:
    row = await footage.add()
    (footage.media / row.path).unlink()
    storage = await storage_of(make_folder())
    with pytest.raises(AssertionError, match="in a thread"):
        storage.library.open(row)


@pytest.mark.real("swift")
async def test_a_minute_out_of_an_hour_fetches_about_a_minute(
    make_cloud: Make, storage_of: Any, footage: Any, clockwork: Any, proxy: FaultyProxy
) -> None:
    row = await footage.add(24 << 20)
    content = footage.content(row)
    storage = await storage_of(make_cloud(timeout_s=30.0))
    await clockwork.work(storage)
    (footage.media / row.path).unlink()
    before = proxy.bytes_down

    def play() -> bytes:
        reader = storage.library.open(row)
        try:
            return b"".join(reader.pread(4096, 8_000_000 + offset) for offset in range(0, 1_000_000, 4096))
        finally:
            reader.close()

    assert await asyncio.to_thread(play) == content[8_000_000 : 8_000_000 + 245 * 4096]
    assert proxy.bytes_down - before < 4_000_000
    first = proxy.bytes_down
    assert await asyncio.to_thread(play)
    # From the cache, but for asking whether it is there.
    assert proxy.bytes_down - first < 5_000


@pytest.mark.real("swift")
async def test_a_store_that_breaks_while_playing_is_named(
    make_cloud: Make, storage_of: Any, footage: Any, clockwork: Any, proxy: FaultyProxy
) -> None:
    row = await footage.add(3 << 20)
    storage = await storage_of(make_cloud(timeout_s=1.0))
    await clockwork.work(storage)
    (footage.media / row.path).unlink()
    reader = await asyncio.to_thread(storage.library.open, row)
    proxy.mode = Fault.BUSY
    with pytest.raises(StorageError) as error:
        await asyncio.to_thread(reader.pread, 100, 0)
    assert error.value.code == "storage_busy"


class Counted:
    """A target in memory that counts what is asked of it."""

    def __init__(self, content: bytes) -> None:
        self.spec = StorageTarget(name="t", kind="s3", tier="hot")  # type: ignore[arg-type]
        self.content = content
        self.requests = 0
        self.bytes = 0

    def read(self, row: Any, offset: int, length: int) -> bytes:
        del row
        self.requests += 1
        self.bytes += length
        return self.content[offset : offset + length]


class Row:
    path = "recordings/gate/x.mp4"


CONTENT = os.urandom(5 * BLOCK + 1234)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6 * BLOCK), st.integers(0, 3 * BLOCK)), max_size=20), st.integers(2, 12))
def test_any_reads_in_any_order_give_the_files_bytes(reads: list[tuple[int, int]], blocks: int) -> None:
    cache = BlockCache(blocks * BLOCK)
    reader = RemoteSegment(Counted(CONTENT), Row(), len(CONTENT), cache)  # type: ignore[arg-type]
    for offset, length in reads:
        assert reader.pread(length, offset) == CONTENT[offset : offset + length]
        assert cache.size <= cache.limit


def test_reading_on_takes_few_requests_and_jumping_takes_little() -> None:
    onward = Counted(CONTENT)
    reader = RemoteSegment(onward, Row(), len(CONTENT), BlockCache(64 * BLOCK))  # type: ignore[arg-type]
    for offset in range(0, len(CONTENT), 10_000):
        reader.pread(10_000, offset)
    assert onward.requests <= 4
    assert onward.bytes == len(CONTENT)
    jumping = Counted(CONTENT)
    reader = RemoteSegment(jumping, Row(), len(CONTENT), BlockCache(64 * BLOCK))  # type: ignore[arg-type]
    for block in (4, 0, 2):
        reader.pread(16, block * BLOCK + 5)
    assert jumping.bytes == 3 * BLOCK


def test_a_copy_that_became_shorter_is_not_passed_off_as_whole() -> None:
    target = Counted(CONTENT[: BLOCK // 2])
    reader = RemoteSegment(target, Row(), len(CONTENT), BlockCache(8 * BLOCK))  # type: ignore[arg-type]
    with pytest.raises(StorageError) as error:
        reader.pread(10, 0)
    assert error.value.code == "corrupt"

"""Copies in a real S3 store: OpenStack Swift, alone and behind a proxy that breaks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from perishield.evaluation.faulty_proxy import Fault, FaultyProxy
from perishield.model.errors import StorageError
from perishield.model.media import SegmentRow
from perishield.model.storage import StorageTarget, TargetKind, Tier
from perishield.recording.storage.copier import LocalSource, copy_segment
from perishield.recording.storage.s3_target import PART, S3Target

pytestmark = pytest.mark.real("swift")

Make = Callable[..., StorageTarget]


def silent(size: int) -> None:
    """No pace."""


@pytest.fixture
def target(make_cloud: Make) -> S3Target:
    return S3Target(make_cloud())


async def copied(footage: Any, target: S3Target, size: int = 50_000) -> SegmentRow:
    row: SegmentRow = await footage.add(size)
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    return row


@pytest.mark.parametrize("size", [5_000, PART, 2 * PART + 12_345])
async def test_what_was_copied_reads_back_the_same(target: S3Target, footage: Any, size: int) -> None:
    row = await copied(footage, target, size)
    assert target.size(row) == size
    assert b"".join(target.pieces(row)) == footage.content(row)
    assert target.read(row, size - 10, 10) == footage.content(row)[-10:]


async def test_a_large_segment_never_lies_in_memory_whole(target: S3Target, footage: Any) -> None:
    row = await footage.add(4 * PART)
    taken, largest = 0, 0

    class Watched(LocalSource):
        def pieces(self) -> Iterator[bytes]:
            nonlocal taken
            for piece in super().pieces():
                taken += len(piece)
                yield piece

    def pace(size: int) -> None:
        nonlocal largest
        largest = max(largest, size)

    target.put(row, Watched(footage.media, row), "00" * 32, pace)
    assert taken == 4 * PART
    assert largest <= 1 << 20
    assert target.size(row) == 4 * PART


async def test_a_copy_that_is_there_is_not_written_over(target: S3Target, footage: Any) -> None:
    row = await copied(footage, target)
    before = footage.content(row)
    (footage.media / row.path).write_bytes(os.urandom(50_000))
    assert target.put(row, LocalSource(footage.media, row), "00" * 32, silent) is False
    assert b"".join(target.pieces(row)) == before


async def test_a_foreign_object_at_its_place_is_noticed_and_replaced_on_the_next_attempt(
    target: S3Target, footage: Any
) -> None:
    row = await copied(footage, target)
    (footage.media / row.path).write_bytes(os.urandom(50_000))
    with pytest.raises(StorageError) as error:
        copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert error.value.code == "corrupt"
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert b"".join(target.pieces(row)) == footage.content(row)


async def test_removing_may_be_repeated_and_what_is_gone_is_missing(target: S3Target, footage: Any) -> None:
    row = await copied(footage, target)
    target.remove(row)
    target.remove(row)
    assert target.size(row) is None
    for read in (lambda: target.read(row, 0, 10), lambda: b"".join(target.pieces(row))):
        with pytest.raises(StorageError) as error:
            read()
        assert error.value.code == "missing"


async def test_a_signed_address_gives_the_footage_to_anybody_and_expires(
    target: S3Target, footage: Any, clockwork: Any
) -> None:
    row = await copied(footage, target)
    link = target.link(row, 60)
    short = target.link(row, 1)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link)).content == footage.content(row)
        part = await client.get(link, headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, footage.content(row)[100:200])
        assert (await client.get(link.replace("/gate/", "/yard/"))).status_code == 403
        assert (await client.get(link.split("?")[0])).is_client_error

        async def expired() -> bool:
            return (await client.get(short)).status_code == 403

        await clockwork.until(expired)
    assert "testing" not in link


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"secret_key": "wrong-secret"}, "storage_auth"),
        ({"access_key": "nobody:at-all"}, "storage_auth"),
        ({"bucket": "no-such-bucket"}, "storage_missing"),
        ({"endpoint": "http://127.0.0.1:9"}, "storage_unreachable"),
    ],
)
async def test_a_wrong_description_is_named_without_its_keys(
    make_cloud: Make, footage: Any, fields: dict[str, str], code: str
) -> None:
    target, row = S3Target(make_cloud(**fields)), await footage.add()
    for attempt in (target.check, lambda: target.put(row, LocalSource(footage.media, row), "00" * 32, silent)):
        with pytest.raises(StorageError) as error:
            attempt()
        assert error.value.code == code
        assert "cloud" in str(error.value)
        assert "wrong-secret" not in str(error.value)
        assert "AWS4-HMAC" not in str(error.value)


async def test_the_environment_does_not_meddle(make_cloud: Make, footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-somebody-else")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    await copied(footage, S3Target(make_cloud()))


@pytest.mark.parametrize(
    ("mode", "code"),
    [(Fault.BUSY, "storage_busy"), (Fault.STALL, "storage_unreachable"), (Fault.DROP, "storage_unreachable")],
)
@pytest.mark.parametrize("size", [200_000, 2 * PART])
async def test_a_store_that_fails_in_mid_upload_leaves_no_copy(
    make_cloud: Make, proxy: FaultyProxy, footage: Any, mode: Fault, code: str, size: int
) -> None:
    target, row = S3Target(make_cloud(timeout_s=1.0)), await footage.add(size)
    proxy.mode, proxy.drop_after = mode, 100_000
    with pytest.raises(StorageError) as error:
        copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert error.value.code == code
    proxy.mode = Fault.PASS
    assert target.size(row) is None
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert target.size(row) == size


async def test_a_slow_store_is_waited_for(target: S3Target, proxy: FaultyProxy, footage: Any) -> None:
    proxy.mode, proxy.latency_s = Fault.LATENCY, 0.05
    row = await copied(footage, target)
    assert target.size(row) == 50_000


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        (
            {"endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "path_style": False},
            "https://footage.oss-cn-hangzhou.aliyuncs.com/recordings/",
        ),
        (
            {"endpoint": "https://cos.ap-guangzhou.myqcloud.com", "path_style": False, "bucket": "footage-125"},
            "https://footage-125.cos.ap-guangzhou.myqcloud.com/recordings/",
        ),
        (
            {"endpoint": "https://footage.oss-cn-hangzhou.aliyuncs.com", "path_style": False},
            "https://footage.oss-cn-hangzhou.aliyuncs.com/recordings/",
        ),
        ({"endpoint": "https://minio.example.org:9000"}, "https://minio.example.org:9000/footage/recordings/"),
        ({"region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com/footage/recordings/"),
        ({"region": "eu-central-1", "path_style": False}, "https://footage.s3.eu-central-1.amazonaws.com/recordings/"),
    ],
)
async def test_addresses_are_made_as_each_vendor_wants_them(footage: Any, fields: dict[str, Any], host: str) -> None:
    values = {"bucket": "footage", "access_key": "a", "secret_key": "b", **fields}
    target = S3Target(StorageTarget(name="cloud", kind=TargetKind.S3, tier=Tier.COLD, **values))
    assert target.link(await footage.add(), 60).startswith(host)

"""Storage over HTTP: what the API tells, footage played out of copies, and one node as the NVR of another."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from perishield.model.errors import StorageError
from perishield.model.storage import StoragePlan, StorageTarget, TargetKind, Tier
from perishield.recording.storage.copier import LocalSource, copy_segment
from perishield.recording.storage.folder_target import prepare_folder
from perishield.recording.storage.nvr_target import NvrTarget
from perishield.roles.server import http_server, listen

KEY = "between-nodes"


def silent(size: int) -> None:
    """No pace."""


@pytest.fixture
def nas(tmp_path: Path) -> StorageTarget:
    (tmp_path / "nas").mkdir()
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.HOT, path=str(tmp_path / "nas"))
    prepare_folder(spec)
    return spec


async def copied(node: Any) -> bool:
    answer = await node.client.get("/api/storage/copies", params={"state": "kept"})
    return bool(answer.json()["total"])


async def test_footage_is_played_from_its_copy_once_the_file_is_gone(
    node_with: Any, nas: StorageTarget, make_recorder_for: Any
) -> None:
    node = await node_with(storage=StoragePlan(targets=(nas,)))
    recorder = make_recorder_for(node)
    recorder.record(0, 4)
    row = recorder.rows[0]
    node.services.footage.closed(row)
    node.services.storage.worker.closed(row)
    await node.until(lambda: copied(node))
    file = node.services.media / row.path
    content = file.read_bytes()

    (copy,) = (await node.client.get("/api/storage/copies", params={"segment": row.path})).json()["items"]
    assert (copy["target"], copy["state"], copy["size"]) == ("nas", "kept", row.size)
    assert copy["sha256"] == hashlib.sha256(content).hexdigest()

    file.unlink()
    file.with_suffix(".json").unlink()
    await node.services.footage.compare()
    whole = await node.client.get(copy["url"])
    assert (whole.status_code, whole.content) == (200, content)
    part = await node.client.get(copy["url"], headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{row.size}"
    outside = await node.client.get(copy["url"], headers={"range": f"bytes={row.size}-"})
    assert outside.status_code == 416
    await node.add_camera(id="gate")
    found = (await node.client.get("/api/video/recordings/gate")).json()["items"]
    assert found[0]["size"] == row.size
    played = (await node.client.get("/api/video/playback/gate", params={"from": row.start, "to": row.start + 2})).json()
    video = await node.client.get(played["parts"][0]["url"])
    assert video.content[4:8] == b"ftyp"
    assert len(video.content) > row.size / 2


async def test_the_state_of_storage_is_told_without_its_keys(node_with: Any, nas: StorageTarget) -> None:
    cloud = StorageTarget(
        name="cloud",
        kind=TargetKind.S3,
        tier=Tier.COLD,
        bucket="footage",
        endpoint="http://127.0.0.1:9",
        access_key="AKID-of-ours",
        secret_key="hush-hush",
        timeout_s=1.0,
    )
    node = await node_with(
        storage=StoragePlan(targets=(nas, cloud), window=(60, 300), upload_key=KEY, max_bytes_s=5 << 20)
    )

    async def told() -> bool:
        targets = (await node.client.get("/api/storage")).json()["targets"]
        return [target["state"] for target in targets] == ["ok", "failing"]

    await node.until(told)
    answer = await node.client.get("/api/storage")
    for secret in ("AKID-of-ours", "hush-hush", KEY):
        assert secret not in answer.text
    body = answer.json()
    share, store = body["targets"]
    assert share["free"] > 0
    assert (store["code"], store["place"]) == ("storage_unreachable", "http://127.0.0.1:9/footage")
    assert store["retry_at"] is not None
    assert body["rules"]["window"] == "01:00-05:00"
    assert body["receives"] is True
    assert (await node.client.get("/api/storage/copies", params={"target": "nowhere"})).status_code == 404


async def test_without_targets_there_is_nothing_and_nobody_may_upload(node: Any) -> None:
    body = (await node.client.get("/api/storage")).json()
    assert (body["targets"], body["receives"]) == ([], False)
    answer = await node.client.post("/api/video/recordings/gate/segments?name=1790000000.mp4", content=b"x")
    assert answer.status_code == 403


@pytest.fixture
async def nvr(node_with: Any) -> AsyncIterator[Any]:
    """A node on a real port that takes uploads up to 2 MiB."""
    node = await node_with("nvr", storage=StoragePlan(upload_key=KEY, upload_bytes=2 << 20))
    listener = listen("127.0.0.1", 0)
    server = http_server(node.services)
    task = asyncio.create_task(server.serve([listener]))
    await node.until(lambda: server.started)
    node.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield node
    server.should_exit = True
    await task


def described(nvr: Any, key: str = KEY) -> StorageTarget:
    return StorageTarget(
        name="hq",
        kind=TargetKind.NVR_HTTP,
        tier=Tier.HOT,
        url=f"{nvr.url}/api/video",
        key=key,
        prefix="site-1-",
        timeout_s=10.0,
    )


@pytest.fixture
def sent(make_recorder_for: Any, node: Any) -> Any:
    """A real segment on this node's disk."""
    recorder = make_recorder_for(node)
    recorder.record(0, 4)
    return recorder.rows[0]


async def test_one_node_is_the_nvr_of_another(nvr: Any, node: Any, sent: Any) -> None:
    target = NvrTarget(described(nvr))
    content = (node.services.media / sent.path).read_bytes()

    def round_trip() -> None:
        target.check()
        assert target.size(sent) is None
        sha256 = copy_segment(sent, LocalSource(node.services.media, sent), target, silent)
        assert sha256 == hashlib.sha256(content).hexdigest()
        # Once more: it is there already, and that is fine.
        copy_segment(sent, LocalSource(node.services.media, sent), target, silent)
        assert target.size(sent) == len(content)
        assert target.read(sent, len(content) - 5, 100) == content[-5:]
        assert target.read(sent, len(content), 100) == b""

    await asyncio.to_thread(round_trip)
    await nvr.services.footage.flush()
    link = await asyncio.to_thread(target.link, sent, 60)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link)).content == content
        held = await client.get(
            f"{nvr.url}/api/video/recordings/site-1-gate/segments",
            params={"from": sent.start, "to": sent.start + 2},
            headers={"Authorization": f"Bearer {KEY}"},
        )
        told = held.json()
        assert [item["size"] for item in told["items"]] == [len(content)]
        video = await client.get(nvr.url + told["playback"])
        assert video.content[4:8] == b"ftyp"
    target.close()


async def test_the_worker_uploads_to_another_node(nvr: Any, node_with: Any, make_recorder_for: Any) -> None:
    node = await node_with("sender", storage=StoragePlan(targets=(described(nvr),)))
    recorder = make_recorder_for(node)
    recorder.record(0, 4)
    for row in recorder.rows:
        node.services.footage.closed(row)
        node.services.storage.worker.closed(row)

    async def all_kept() -> bool:
        answer = await node.client.get("/api/storage/copies", params={"state": "kept", "target": "hq"})
        return bool(answer.json()["total"] == len(recorder.rows))

    await node.until(all_kept)
    await nvr.services.footage.flush()
    found, _ = await nvr.services.footage.find("site-1-gate", None, None, 10)
    assert [row.size for row in found] == [row.size for row in recorder.rows]


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x"])
async def test_a_wrong_key_is_told_apart(nvr: Any, key: str) -> None:
    target = NvrTarget(described(nvr, key or "-"))
    with pytest.raises(StorageError) as error:
        await asyncio.to_thread(target.check)
    target.close()
    assert error.value.code == "storage_auth"
    assert KEY not in str(error.value)


async def post(nvr: Any, path: str, body: bytes, **headers: str) -> httpx.Response:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    told = {"Authorization": f"Bearer {KEY}", "Content-Digest": f"sha-256=:{digest}:", **headers}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{nvr.url}/api/video/recordings/{path}", content=body, headers=told)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("gate/segments?name=1790000000.mp4", 422),
        ("gate/segments", 422),
        ("gate/segments?name=..%2F..%2Fx.mp4", 422),
        ("..%2Fgate/segments?name=1790000000.mp4", 405),
        ("GATE/segments?name=1790000000.mp4", 422),
    ],
)
async def test_what_is_no_segment_or_has_no_proper_name_is_refused(nvr: Any, path: str, status: int) -> None:
    answer = await post(nvr, path, b"x" * 5000)
    assert answer.status_code == status, answer.text
    assert [path for path in nvr.services.media.rglob("*") if path.is_file()] == []


async def test_a_segment_that_is_too_long_is_refused_before_it_is_read(nvr: Any) -> None:
    answer = await post(nvr, "gate/segments?name=1790000000.mp4", b"x" * ((2 << 20) + 1))
    assert answer.status_code == 413
    assert json.loads(answer.content)["params"]["limit"] == 2 << 20


@pytest.mark.parametrize("digest", ["", "sha-256=:AAAA:", "md5=:AAAA:", "sha-256=" + "A" * 43, "sha-256=:" + "*" * 44])
async def test_a_digest_is_asked_for(nvr: Any, digest: str) -> None:
    answer = await post(nvr, "gate/segments?name=1790000000.mp4", b"x", **{"Content-Digest": digest})
    assert answer.status_code == 422


async def test_a_camera_of_the_node_itself_takes_no_uploads(nvr: Any, node: Any, sent: Any) -> None:
    await nvr.add_camera(id="gate")
    body = (node.services.media / sent.path).read_bytes()
    answer = await post(nvr, f"gate/segments?name={Path(sent.path).name}", body)
    assert answer.status_code == 409
    assert "prefix" in answer.json()["detail"]


async def test_other_requests_stay_as_bounded_as_they_were(nvr: Any) -> None:
    answer = await nvr.client.post("/api/cameras", content=b"x" * (2 << 20))
    assert answer.status_code == 413

"""Exports as jobs: progress, cancel, restart, retention, and sentences where there is nothing to export."""

from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import msgspec
import pytest

from perishield.api.export_room import ExportRoom
from perishield.api.exports import Exports, ExportState, Job
from perishield.recording.segment_reader import LocalFootage, SegmentReader

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


class SlowFootage(LocalFootage):
    """Segments that open only when they are let."""

    def __init__(self, media: Path) -> None:
        super().__init__(media)
        self.opened = 0
        self.let = 10**9
        self.news = threading.Event()

    def open(self, row: Any) -> SegmentReader:
        while self.opened >= self.let:
            self.news.wait(0.02)
        self.opened += 1
        return super().open(row)


@pytest.fixture
async def footage(node: Any, make_recorder: MakeRecorder) -> Any:
    await node.add_camera()
    make_recorder().record(0, 8)
    await node.services.footage.compare()
    return node


async def asked(node: Any, start: float = 1.52, end: float = 6.52) -> dict[str, Any]:
    body = {"camera": "gate", "from": WALL + start, "to": WALL + end}
    answer = await node.client.post("/api/exports", json=body)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def ended(node: Any, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        found = (await node.client.get(f"/api/exports/{job['id']}")).json()
        return found["state"] not in ("queued", "running")

    await node.until(over)
    return found


async def test_an_export_is_a_file_with_a_hash_behind_a_signed_link(footage: Any) -> None:
    job = await ended(footage, await asked(footage))
    assert (job["state"], job["progress"], job["message"], job["note"]) == ("done", 1.0, "", "")
    (file,) = job["files"]
    assert (file["name"], file["start"]) == ("gate_20260921T141321Z.mp4", "2026-09-21T14:13:21.520Z")
    assert file["duration_s"] == pytest.approx(5, abs=0.001)
    listed = (await footage.client.get("/api/exports")).json()
    assert (listed["total"], listed["items"][0]["id"]) == (1, job["id"])
    del footage.client.headers["Authorization"]
    answer = await footage.client.get(file["url"])
    assert answer.headers["content-disposition"] == f'attachment; filename="{file["name"]}"'
    assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
    with av.open(io.BytesIO(answer.content)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 125
    part = await footage.client.get(file["url"], headers={"range": "bytes=100-199"})
    assert part.content == answer.content[100:200]
    other = file["url"].replace(file["name"], "job.json")
    assert code_of(await footage.client.get(other)) == (403, "forbidden")


async def test_only_the_files_of_an_export_are_served(footage: Any) -> None:
    job = await ended(footage, await asked(footage))
    for name in ("job.json", "..%2f..%2fsite.json", "none.mp4"):
        answer = await footage.client.get(f"/api/exports/{job['id']}/files/{name}")
        assert code_of(answer) == (404, "not_found")


async def test_cancelling_leaves_no_file(footage: Any) -> None:
    slow = SlowFootage(footage.services.media)
    slow.let = 3
    footage.services.playback.footage = slow
    job = await asked(footage)
    await footage.until(lambda: slow.opened == 3)
    running = (await footage.client.get(f"/api/exports/{job['id']}")).json()
    assert running["state"] == "running"
    removing = asyncio.create_task(footage.client.delete(f"/api/exports/{job['id']}"))
    await asyncio.sleep(0)
    await footage.until(footage.services.exports.get(job["id"])[1].cancel.is_set)
    slow.let = 10**9
    assert (await removing).status_code == 204
    assert code_of(await footage.client.get(f"/api/exports/{job['id']}")) == (404, "not_found")
    assert list((footage.folder / "exports").iterdir()) == []


async def test_deleting_a_finished_export_deletes_its_file(footage: Any) -> None:
    job = await ended(footage, await asked(footage))
    assert (await footage.client.delete(f"/api/exports/{job['id']}")).status_code == 204
    assert list((footage.folder / "exports").iterdir()) == []
    assert code_of(await footage.client.delete(f"/api/exports/{job['id']}")) == (404, "not_found")


async def test_guards_delete_their_own_exports_only(footage: Any) -> None:
    job = await ended(footage, await asked(footage))
    token = footage.services.tokens.issue_machine(60)
    theirs = {"Authorization": f"Bearer {token}"}
    answer = await footage.client.delete(f"/api/exports/{job['id']}", headers=theirs)
    assert code_of(answer) == (403, "forbidden")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": WALL}, 422, "invalid"),
        ({"to": WALL + 40 * 86400}, 422, "invalid"),
        ({"camera": "../gate"}, 422, "invalid"),
        ({"camera": "none"}, 404, "not_found"),
        ({"from": WALL + 100, "to": WALL + 110}, 404, "missing"),
        ({"from": "soon"}, 422, "invalid"),
        ({"folder": "/tmp"}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_exported_is_a_sentence(
    footage: Any, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"camera": "gate", "from": WALL + 1, "to": WALL + 5, **change}
    assert code_of(await footage.client.post("/api/exports", json=body)) == (status, code)


async def test_a_full_disk_fails_the_job_with_a_sentence(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage.services.exports, "_min_free", 1 << 60)
    job = await ended(footage, await asked(footage))
    assert (job["state"], job["code"]) == ("failed", "disk_full")
    assert "delete older exports or choose a shorter time" in job["message"]
    assert job["files"] == []


async def test_footage_that_vanished_fails_the_job_with_a_sentence(footage: Any) -> None:
    for path in (footage.services.media / "recordings" / "gate").rglob("*.mp4"):
        path.unlink()
    job = await ended(footage, await asked(footage))
    assert (job["state"], job["code"]) == ("failed", "missing")
    assert "no footage" in job["message"]


def again(node: Any, **more: Any) -> Exports:
    settings = {"keep_s": 3600.0, "room": ExportRoom(1 << 30), "min_free_bytes": 0, **more}
    return Exports(node.services.playback, node.folder / "exports", **settings)


async def test_a_restart_carries_on_and_keeps_results(footage: Any) -> None:
    done = await ended(footage, await asked(footage))
    slow = SlowFootage(footage.services.media)
    slow.let = 2
    footage.services.playback.footage = slow
    job = await asked(footage)
    await footage.until(lambda: slow.opened == 2)
    closing = asyncio.create_task(footage.services.exports.close())
    await footage.until(footage.services.exports.get(job["id"])[1].cancel.is_set)
    slow.let = 10**9
    await closing
    (footage.folder / "exports" / ("f" * 32)).mkdir()
    (footage.folder / "exports" / ("f" * 32) / "job.json").write_bytes(b"{")
    second = again(footage)
    running = asyncio.create_task(second.run())
    await footage.until(lambda: len(second.all()) == 2 and second.get(job["id"])[0].state is ExportState.DONE)
    assert second.get(done["id"])[0].files[0].sha256 == done["files"][0]["sha256"]
    assert second.get(job["id"])[0].files[0].sha256 == done["files"][0]["sha256"]
    names = sorted(path.name for path in (footage.folder / "exports" / job["id"]).iterdir())
    assert names == ["gate_20260921T141321Z.mp4", "job.json"]
    assert not (footage.folder / "exports" / ("f" * 32)).exists()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_results_go_when_they_are_old_or_too_many(footage: Any) -> None:
    first = await ended(footage, await asked(footage))
    second = await ended(footage, await asked(footage, 2, 3))
    exports = again(footage, room=ExportRoom(second["files"][0]["size"]))
    running = asyncio.create_task(exports.run())
    await footage.until(lambda: len(exports.all()) == 1)
    assert exports.all()[0][0].id == second["id"]
    await footage.until(lambda: not (footage.folder / "exports" / first["id"]).exists())
    exports._clock = lambda: second and 9e9
    await exports.sweep()
    assert exports.all() == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_all_kinds_of_exports_share_one_room(footage: Any) -> None:
    """Footage and evidence each had the whole of it, so that both together took twice what was set."""
    jobs = [await ended(footage, await asked(footage, number, number + 2)) for number in range(3)]
    size = max(job["files"][0]["size"] for job in jobs)
    oldest = footage.folder / "exports" / jobs[0]["id"]
    (footage.folder / "others").mkdir()
    shutil.move(oldest, footage.folder / "others" / jobs[0]["id"])
    room = ExportRoom(3 * size)
    here = again(footage, room=room)
    there = Exports(footage.services.playback, footage.folder / "others", keep_s=3600.0, room=room, min_free_bytes=0)
    running = [asyncio.create_task(one.run()) for one in (here, there)]
    await footage.until(lambda: len(here.all()) + len(there.all()) == 3)
    room._most_bytes = 2 * size
    await here.sweep()
    assert there.all() == [], "the oldest goes, whoever keeps it and whoever sweeps"
    assert {job.id for job, _ in here.all()} == {job["id"] for job in jobs[1:]}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_what_waits_is_bounded(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perishield.api.exports._MOST_WAITING", 0)
    body = {"camera": "gate", "from": WALL + 1, "to": WALL + 5}
    assert code_of(await footage.client.post("/api/exports", json=body)) == (503, "busy")


def test_a_job_reads_back_as_it_was_written() -> None:
    job = Job(id="a" * 32, camera="gate", start=1.5, end=2.5, owner="admin", created=3.0)
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job

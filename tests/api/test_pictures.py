"""Pictures out of recordings: the right ones, bounded, no older than their footage, never in the recorder's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pytest
import simplejpeg

from perishield.api import pictures
from perishield.bus import topics
from perishield.bus.topics import SegmentRemoved, StoragePressure
from perishield.recording import sprites

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]
SHEET = f"/api/video/sprites/gate/{sprites.sheet_start(WALL)}.jpg"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def footage(node: Any, make_recorder: MakeRecorder) -> Any:
    await node.add_camera()
    recorder = make_recorder()
    recorder.record(0, 8)
    await node.services.footage.compare()
    return node


async def test_key_frames_are_listed_without_decoding(footage: Any) -> None:
    asked = {"from": WALL + 1.5, "to": WALL + 6.5}
    found = (await footage.client.get("/api/video/keyframes/gate", params=asked)).json()
    assert found["total"] == 5
    assert [item["wall"][17:] for item in found["items"]] == ["22.000Z", "23.000Z", "24.000Z", "25.000Z", "26.000Z"]
    assert all(item["size"] > 500 for item in found["items"])
    few = (await footage.client.get("/api/video/keyframes/gate", params={**asked, "limit": 2})).json()
    assert (len(few["items"]), few["total"]) == (2, 5)


async def test_a_thumbnail_is_the_key_frame_before_or_exactly_that_picture(footage: Any) -> None:
    asked = {"at": WALL + 3.5, "width": 96}
    answer = await footage.client.get("/api/video/thumbnail/gate", params=asked)
    assert answer.headers["x-decoder"] == "software"
    assert answer.headers["x-picture-time"] == "2026-09-21T14:13:23.000Z"
    assert simplejpeg.decode_jpeg(answer.content).shape == (64, 96, 3)
    exact = await footage.client.get("/api/video/thumbnail/gate", params={**asked, "exact": True})
    assert exact.headers["x-picture-time"] == "2026-09-21T14:13:23.480Z", "25 pictures a second"
    assert np.abs(simplejpeg.decode_jpeg(exact.content).astype(int) - simplejpeg.decode_jpeg(answer.content)).max() > 20


async def test_a_sheet_is_made_once_and_kept(footage: Any) -> None:
    asked = {"from": WALL - 3600, "to": WALL + 3600}
    (item,) = (await footage.client.get("/api/video/sprites/gate", params=asked)).json()["items"]
    assert datetime.fromisoformat(item["start"]).timestamp() == sprites.sheet_start(WALL)
    del footage.client.headers["Authorization"]
    answer = await footage.client.get(item["url"])
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = simplejpeg.decode_jpeg(answer.content)
    assert pixels.shape == (6 * 90, 10 * 160, 3)
    drawn = {
        number
        for number in range(60)
        if pixels[number // 10 * 90 : number // 10 * 90 + 90, number % 10 * 160 : number % 10 * 160 + 160].max() > 40
    }
    offset = WALL - sprites.sheet_start(WALL)
    assert drawn == {int(offset // 10), int((offset + 7.9) // 10)}
    (kept,) = (footage.folder / "cache" / "sprites" / "gate").iterdir()
    assert kept.read_bytes() == answer.content
    kept.write_bytes(b"kept")
    assert (await footage.client.get(item["url"])).content == b"kept"


async def test_no_picture_outlives_its_footage(footage: Any) -> None:
    await footage.client.get(SHEET)
    kept = footage.folder / "cache" / "sprites" / "gate"
    path = next((footage.services.media / "recordings" / "gate").rglob("*.mp4"))
    relative = str(path.relative_to(footage.services.media))

    def told() -> bool:
        footage.peer.publish(topics.REMOVED, "gate", SegmentRemoved("gate", relative))
        return not list(kept.iterdir())

    await footage.until(told)


async def test_sheets_give_way_when_they_take_too_much(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await footage.client.get(SHEET)).content
    kept = footage.folder / "cache" / "sprites" / "yard" / "1.jpg"
    kept.parent.mkdir()
    kept.write_bytes(bytes(len(made)))
    monkeypatch.setattr(footage.services.pictures, "_most_bytes", len(made) * 2)
    monkeypatch.setattr(footage.services.pictures, "_bytes", -1)
    (footage.folder / "cache" / "sprites" / "gate" / f"{sprites.sheet_start(WALL)}.jpg").unlink()
    await footage.client.get(SHEET)
    assert kept.exists()
    monkeypatch.setattr(footage.services.pictures, "_most_bytes", int(len(made) * 1.5))
    (footage.folder / "cache" / "sprites" / "gate" / f"{sprites.sheet_start(WALL)}.jpg").unlink()
    await footage.client.get(SHEET)
    assert not kept.exists()


async def test_nothing_is_made_while_the_recorder_needs_the_disk(footage: Any) -> None:
    def told() -> bool:
        footage.peer.publish(topics.PRESSURE, "", StoragePressure(level=1))
        return bool(footage.services.pictures.pressure == 1)

    await footage.until(told)
    answer = await footage.client.get(SHEET)
    assert code_of(answer) == (503, "pressure")
    assert answer.headers["retry-after"] == "5"
    assert code_of(await footage.client.get(f"/api/video/thumbnail/gate?at={WALL + 1}")) == (503, "pressure")
    footage.services.pictures.pressure = 0
    assert (await footage.client.get(SHEET)).status_code == 200


async def test_many_who_ask_for_one_sheet_wait_for_one_work(footage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_MOST_WAITING", 4)
    answers = await asyncio.gather(*(footage.client.get(SHEET) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    asked = (footage.client.get(f"/api/video/thumbnail/gate?at={WALL + 1 + number / 100}") for number in range(100))
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert set(statuses) == {200, 503}, "what waits is bounded"


async def test_a_sheet_whose_time_is_not_over_is_made_anew(node: Any, make_recorder: MakeRecorder) -> None:
    await node.add_camera()
    wall = time.time() - 7
    recorder = make_recorder(wall=wall)
    recorder.record(0, 6, close=False)
    answer = await node.client.get(f"/api/video/sprites/gate/{sprites.sheet_start(wall)}.jpg")
    assert answer.status_code == 200
    assert not list((node.folder / "cache").rglob("*.jpg")) or sprites.sheet_start(wall) + 600 < time.time() - 20


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        (f"/api/video/keyframes/gate?from={WALL}&to={WALL}", 422, "invalid"),
        (f"/api/video/keyframes/gate?from={WALL}&to={WALL + 40 * 86400}", 422, "invalid"),
        (f"/api/video/keyframes/none?from={WALL}&to={WALL + 5}", 404, "not_found"),
        ("/api/video/thumbnail/gate?at=nan", 422, "invalid"),
        (f"/api/video/thumbnail/gate?at={WALL + 500}", 404, "missing"),
        (f"/api/video/thumbnail/none?at={WALL}", 404, "not_found"),
        (f"/api/video/thumbnail/..%2fgate?at={WALL}", 404, "not_found"),
        (f"/api/video/thumbnail/gate?at={WALL}&width=99999", 422, "invalid"),
        (f"/api/video/sprites/none?from={WALL}&to={WALL + 5}", 404, "not_found"),
        (f"/api/video/sprites/gate?from={WALL}&to={WALL + 40 * 86400}", 422, "invalid"),
        ("/api/video/sprites/gate/1.jpg", 404, "not_found"),
        ("/api/video/sprites/gate/600.jpg", 404, "missing"),
        ("/api/video/sprites/..%2f..%2fgate/600.jpg", 404, "not_found"),
        ("/api/video/sprites/Gate/600.jpg", 404, "not_found"),
    ],
)
async def test_what_cannot_be_shown_is_a_sentence(footage: Any, address: str, status: int, code: str) -> None:
    assert code_of(await footage.client.get(address)) == (status, code)


async def test_a_damaged_picture_is_a_sentence(footage: Any) -> None:
    for path in (footage.services.media / "recordings" / "gate").rglob("*.mp4"):
        data = bytearray(path.read_bytes())
        start = data.index(b"mdat") + 4
        data[start : start + 2000] = b"\xff" * 2000
        path.write_bytes(data)
    assert code_of(await footage.client.get(f"/api/video/thumbnail/gate?at={WALL + 0.5}")) == (422, "corrupt")

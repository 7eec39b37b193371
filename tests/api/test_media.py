"""Footage, clips and pictures: signed links, ranges, playback, snapshots, the index."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import av
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.api.problems import ProblemError
from perishield.api.signing import LIFETIME_S, Links
from perishield.bus import topics
from perishield.bus.topics import SegmentRemoved
from perishield.store.segments import paths_of_day
from perishield.streams.recovery import describe

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def file(node: Any) -> tuple[str, bytes]:
    """A media file and the signed link to it."""
    content = bytes(range(256)) * 40
    path = node.services.media / "evidence" / "2026-11-22" / "e1.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return node.services.links.sign("/media/evidence/2026-11-22/e1.mp4"), content


async def test_a_signed_link_needs_no_login(node: Any, file: tuple[str, bytes]) -> None:
    del node.client.headers["Authorization"]
    answer = await node.client.get(file[0])
    assert answer.status_code == 200
    assert answer.content == file[1]
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    head = await node.client.head(file[0])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(file[1])))


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, 10_240), ("bytes=-50", 10_190, 10_240), ("bytes=5-99999", 5, 10_240)],
)
async def test_ranges_are_served(node: Any, file: tuple[str, bytes], asked: str, start: int, end: int) -> None:
    answer = await node.client.get(file[0], headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/10240"
    assert answer.content == file[1][start:end]


async def test_a_range_outside_the_file_is_a_problem(node: Any, file: tuple[str, bytes]) -> None:
    answer = await node.client.get(file[0], headers={"Range": "bytes=20000-"})
    assert code_of(answer) == (416, "range_invalid")
    assert answer.headers["content-range"] == "bytes */10240"


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "é"},
        {"expires": "99999999999"},
        {"expires": "soon"},
        {"expires": ""},
        {"more": "1"},
    ],
)
async def test_a_tampered_link_is_refused(node: Any, file: tuple[str, bytes], change: dict[str, str]) -> None:
    parts = urlsplit(file[0])
    query = {**dict(parse_qsl(parts.query)), **change}
    assert code_of(await node.client.get(f"{parts.path}?{urlencode(query)}")) == (403, "forbidden")
    assert code_of(await node.client.get(f"{file[0]}&expires=99999999999")) == (403, "forbidden")
    other = parts.path.replace("e1", "e2")
    assert code_of(await node.client.get(f"{other}?{parts.query}")) == (403, "forbidden")


async def test_a_link_expires(node: Any, file: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr("perishield.api.signing.time.time", lambda: real() + LIFETIME_S + 600)
    assert code_of(await node.client.get(file[0])) == (403, "link_expired")


@pytest.mark.parametrize(
    "path",
    [
        "../site.json",
        "../secret.key",
        "evidence/../../perishield.db",
        "/etc/passwd",
        "evidence",
        "evidence/link.mp4",
        "evidence/none.mp4",
        "a\0b.mp4",
    ],
)
async def test_even_signed_nothing_outside_the_media_root_is_served(node: Any, path: str) -> None:
    evidence = node.services.media / "evidence"
    evidence.mkdir(parents=True)
    (evidence / "link.mp4").symlink_to(node.folder / "secret.key")
    link = node.services.links.sign(f"/media/{path}")
    assert code_of(await node.client.get(link)) == (404, "not_found")
    quoted = link.replace("../", "%2e%2e%2f")
    assert (await node.client.get(quoted)).status_code in (403, 404)


@given(
    params=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    other=st.text(max_size=20),
)
def test_a_signature_fits_one_address_only(params: dict[str, str], other: str) -> None:
    params = {key: value for key, value in params.items() if key not in ("expires", "signature")}
    links = Links(b"k" * 32)
    signed = dict(parse_qsl(urlsplit("/x?" + links.sign("x", params).partition("?")[2]).query, keep_blank_values=True))
    links.check("x", signed)
    for changed in ({**signed, "extra": ""}, {**signed, "expires": signed["expires"] + "0"}):
        with pytest.raises(ProblemError):
            links.check("x", changed)
    if other != "x":
        with pytest.raises(ProblemError):
            links.check(other, signed)
    with pytest.raises(ProblemError):
        Links(b"j" * 32).check("x", signed)


async def test_recordings_are_listed_and_their_files_play(node: Any, make_recorder: MakeRecorder) -> None:
    await node.add_camera()
    recorder = make_recorder()
    recorder.record(0, 6)

    async def told() -> bool:
        for row in recorder.rows:
            node.peer.publish(topics.SEGMENTS, "gate", row)
        return int((await node.client.get("/api/video/recordings/gate")).json()["total"]) == len(recorder.rows)

    await node.until(told)
    items = (await node.client.get("/api/video/recordings/gate")).json()["items"]
    assert [item["start"] for item in items] == sorted(item["start"] for item in items)
    assert items[0]["start"] == "2026-09-21T14:13:20.000Z"
    assert (items[0]["codec"], items[0]["width"], items[0]["complete"]) == ("h264", 192, True)
    narrowed = await node.client.get(
        "/api/video/recordings/gate", params={"from": items[1]["start"], "to": items[1]["end"]}
    )
    assert [item["url"].partition("?")[0] for item in narrowed.json()["items"]] == [items[1]["url"].partition("?")[0]]
    segment = (await node.client.get(items[0]["url"])).content
    with av.open(io.BytesIO(segment)) as container:
        assert sum(1 for _ in container.decode(video=0)) == items[0]["frames"]
    gone = recorder.rows[0].path

    async def forgotten() -> bool:
        node.peer.publish(topics.REMOVED, "gate", SegmentRemoved("gate", gone))
        return int((await node.client.get("/api/video/recordings/gate")).json()["total"]) == len(recorder.rows) - 1

    await node.until(forgotten)


async def test_the_segment_being_written_is_listed_too(node: Any, make_recorder: MakeRecorder) -> None:
    await node.add_camera()
    recorder = make_recorder(wall=time.time() - 4)
    recorder.record(0, 1.5, close=False)
    items = (await node.client.get("/api/video/recordings/gate")).json()["items"]
    assert [(item["complete"], item["frames"] > 20) for item in items] == [(False, True)]
    assert (await node.client.get(items[0]["url"])).status_code == 200


async def test_the_index_is_made_again_from_the_files(node: Any, make_recorder: MakeRecorder) -> None:
    recorder = make_recorder()
    recorder.record(0, 6)
    paths = {row.path for row in recorder.rows}
    added, gone = await node.services.footage.compare()
    assert (added, gone) == (len(paths), 0)
    lost = node.services.media / recorder.rows[0].path
    lost.unlink()
    lost.with_suffix(".json").unlink()
    (node.services.media / recorder.rows[1].path).with_suffix(".json").write_text("not json")
    assert await node.services.footage.compare() == (0, 1)
    async with node.services.database.read() as session:
        assert await paths_of_day(session, "gate", 1_790_000_000 // 86_400) == paths - {recorder.rows[0].path}
    assert describe(node.services.media, recorder.rows[1].path) is not None


async def test_playback_is_one_continuous_video(node: Any, make_recorder: MakeRecorder) -> None:
    await node.add_camera()
    make_recorder().record(0, 8)
    await node.services.footage.compare()
    answer = await node.client.get("/api/video/playback/gate", params={"from": WALL + 1.5, "to": WALL + 5.5})
    found = answer.json()
    assert found["start"] == "2026-09-21T14:13:21.000Z"
    assert found["mime"].startswith('video/mp4; codecs="avc1.')
    assert found["duration_s"] == pytest.approx(4.5, abs=0.2)
    del node.client.headers["Authorization"]
    video = await node.client.get(found["url"])
    assert video.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(video.content)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times[0] == 0
    assert times == sorted(times)
    assert len(times) == pytest.approx(4.5 * 25, abs=12)
    widened = found["url"].replace(f"{WALL + 5.5:.3f}", f"{WALL + 9:.3f}")
    assert widened != found["url"]
    assert code_of(await node.client.get(widened)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"from": WALL + 100, "to": WALL + 110}, 404, "missing"),
        ({"from": WALL + 1, "to": WALL + 1}, 422, "invalid"),
        ({"from": WALL, "to": WALL + 25 * 3600}, 422, "invalid"),
        ({"from": "yesterday", "to": WALL}, 422, "invalid"),
        ({"from": "nan", "to": WALL}, 422, "invalid"),
        ({"to": WALL}, 422, "invalid"),
    ],
)
async def test_playback_that_cannot_be_is_a_sentence(
    node: Any, make_recorder: MakeRecorder, params: dict[str, Any], status: int, code: str
) -> None:
    await node.add_camera()
    make_recorder().record(0, 2)
    await node.services.footage.compare()
    assert code_of(await node.client.get("/api/video/playback/gate", params=params)) == (status, code)


@pytest.mark.parametrize("camera", ["..", "Gate", "gate%2f..", "none"])
async def test_playback_of_what_is_no_camera(node: Any, camera: str) -> None:
    answer = await node.client.get(f"/api/video/playback/{camera}", params={"from": 1, "to": 2})
    assert answer.status_code == 404


async def test_a_snapshot_comes_from_the_live_stream_else_from_the_last_segment(
    node: Any, make_recorder: MakeRecorder
) -> None:
    camera = await node.add_camera()
    assert code_of(await node.client.get("/api/video/snapshot/gate")) == (404, "missing")
    assert code_of(await node.client.get("/api/video/snapshot/none")) == (404, "not_found")
    recorder = make_recorder()
    recorder.record(0, 3)
    await node.services.footage.compare()
    stored = await node.client.get("/api/video/snapshot/gate")
    assert stored.headers["content-type"] == "image/jpeg"
    with av.open(io.BytesIO(stored.content), format="image2pipe") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (192, 128)
    for ref in recorder.refs:
        node.services.live.feed(ref)
    live = await node.client.get("/api/video/snapshot/gate")
    assert live.status_code == 200
    assert (await node.client.get("/api/video/snapshot/gate")).content == live.content
    del node.client.headers["Authorization"]
    assert (await node.client.get(camera["snapshot_url"])).content == live.content
    other = camera["snapshot_url"].replace("gate", "yard")
    assert code_of(await node.client.get(other)) == (403, "forbidden")
    assert code_of(await node.client.get("/api/video/snapshot/gate")) == (401, "unauthorized")


async def test_the_console_is_served_with_its_pages_or_says_how_to_build_it(node: Any) -> None:
    missing = await node.client.get("/cameras")
    assert (missing.status_code, missing.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "npm run build" in missing.text
    static: Path = node.services.static
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>console</title>")
    (static / "assets" / "app-1a2b.js").write_text("export {}")
    (static.parent / "outside.txt").write_text("secret")
    for path in ("/", "/cameras", "/setup?token=x", "/alarms/e1"):
        page = await node.client.get(path)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
        assert "console" in page.text
    script = await node.client.get("/assets/app-1a2b.js")
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    outside = await node.client.get("/%2e%2e/outside.txt")
    assert "secret" not in outside.text

"""Playback over HTTP: links, ranges, HLS, speeds, several cameras, and what makes no sense."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.api.byte_ranges import asked_range
from perishield.api.problems import ProblemError
from perishield.evaluation.texture_clip import read_packets, write_clip

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def ask(node: Any, start: float, end: float, **more: Any) -> dict[str, Any]:
    params = {"from": WALL + start, "to": WALL + end, **more}
    answer = await node.client.get("/api/video/playback/gate", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def footage(node: Any, make_recorder: MakeRecorder) -> Any:
    """Eight seconds with a hole of two in them."""
    await node.add_camera()
    make_recorder().record(0, 3)
    make_recorder(epoch=8).record(5, 8)
    await node.services.footage.compare()
    return node


async def test_any_range_of_bytes_is_the_slice_of_the_whole(footage: Any) -> None:
    found = await ask(footage, 0.5, 7.5)
    (part,) = found["parts"]
    del footage.client.headers["Authorization"]
    whole = (await footage.client.get(found["url"])).content
    assert len(whole) == part["size"]
    head = await footage.client.head(found["url"])
    assert (head.content, head.headers["content-length"]) == (b"", str(part["size"]))
    for low, high in ((0, 10), (500, 70_000), (len(whole) - 5, len(whole)), (12_345, 12_346), (0, len(whole))):
        answer = await footage.client.get(found["url"], headers={"range": f"bytes={low}-{high - 1}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {low}-{high - 1}/{len(whole)}"
        assert answer.content == whole[low:high]
    answer = await footage.client.get(found["url"], headers={"range": f"bytes={len(whole)}-"})
    assert code_of(answer) == (416, "range_invalid")
    assert answer.headers["content-range"] == f"bytes */{len(whole)}"
    stale = {"range": "bytes=0-9", "if-range": '"other"'}
    assert (await footage.client.get(found["url"], headers=stale)).status_code == 200
    fresh = {"range": "bytes=0-9", "if-range": head.headers["etag"]}
    assert (await footage.client.get(found["url"], headers=fresh)).status_code == 206


@given(
    header=st.one_of(st.text(max_size=30), st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}")), size=st.integers(1, 1000)
)
def test_whatever_range_is_asked_for_what_is_sent_lies_inside(header: str, size: int) -> None:
    found = None
    with suppress(ProblemError):
        found = asked_range(header, size)
    assert found is None or 0 <= found[0] < found[1] <= size


async def test_the_timeline_tells_the_time_on_the_screen(footage: Any) -> None:
    found = await ask(footage, 0.5, 7.5)
    assert (found["start"], found["start_offset_s"]) == ("2026-09-21T14:13:20.000Z", 0.5)
    first, second = found["parts"][0]["timeline"]
    assert first == {"media_s": 0, "wall": "2026-09-21T14:13:20.000Z", "duration_s": 3.0}
    assert second == {"media_s": 3.0, "wall": "2026-09-21T14:13:25.000Z", "duration_s": 2.56}, "whole chunks"
    kept = await ask(footage, 0.5, 7.5, gaps="real")
    assert [entry["media_s"] for entry in kept["parts"][0]["timeline"]] == [0, 5.0]


async def test_what_is_being_written_plays_and_its_link_keeps_its_layout(
    node: Any, make_recorder: MakeRecorder
) -> None:
    await node.add_camera()
    recorder = make_recorder(wall=time.time() - 7)
    recorder.record(0, 5, close=False)
    asked = {"from": recorder.wall, "to": recorder.wall + 600}
    found = (await node.client.get("/api/video/playback/gate", params=asked)).json()
    before = (await node.client.get(found["url"])).content
    recorder.record(5, 7)
    await node.services.footage.compare()
    node.services.playback.forget()
    assert (await node.client.get(found["url"])).content == before
    with av.open(io.BytesIO(before)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 100


async def test_a_wall_of_cameras_is_asked_for_at_once(footage: Any, make_recorder: MakeRecorder) -> None:
    await footage.add_camera(id="yard", name="Yard")
    body = {"cameras": ["gate", "yard", "none"], "from": WALL + 1, "to": WALL + 7}
    answer = await footage.client.post("/api/video/playback", json=body)
    assert answer.status_code == 200, answer.text
    gate, yard, none = answer.json()["items"]
    assert (gate["camera"], gate["parts"][0]["url"]) == ("gate", gate["url"])
    assert (yard["code"], none["code"]) == ("missing", "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"to": WALL},
        {"to": WALL + 40 * 86400},
        {"cameras": []},
        {"cameras": ["../gate"]},
        {"cameras": ["gate"] * 17},
        {"speed": 17},
        {"speed": 0},
        {"gaps": "mind"},
        {"from": "nan"},
        {"more": 1},
    ],
)
async def test_a_wall_that_makes_no_sense_is_refused(footage: Any, change: dict[str, Any]) -> None:
    body = {"cameras": ["gate"], "from": WALL + 1, "to": WALL + 7, **change}
    assert code_of(await footage.client.post("/api/video/playback", json=body)) == (422, "invalid")


async def test_fast_playback_is_key_frames_at_their_own_times(footage: Any) -> None:
    found = await ask(footage, 0, 8, speed=4)
    answer = await footage.client.get(found["url"])
    assert "accept-ranges" not in answer.headers
    with av.open(io.BytesIO(answer.content)) as container:
        pictures = list(container.decode(video=0))
    times = [float(picture.time or 0) for picture in pictures]
    assert all(picture.key_frame for picture in pictures)
    assert times[0] == 0
    assert all(min(abs(moment - second) for second in (0, 1, 2, 5, 6, 7)) < 0.05 for moment in times)
    normal = (await footage.client.get((await ask(footage, 0, 8))["url"])).content
    assert len(answer.content) < len(normal) / 3


async def test_hls_lists_byte_ranges_that_play(footage: Any) -> None:
    found = await ask(footage, 0.5, 7.5)
    answer = await footage.client.get(found["hls_url"])
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    lines = answer.text.splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == "#EXT-X-ENDLIST"
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert [line for line in lines if "DATE-TIME" in line] == [
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.000Z",
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:25.000Z",
    ]
    assert sum(float(line[8:-1]) for line in lines if line.startswith("#EXTINF")) == pytest.approx(5.56)
    whole = (await footage.client.get(found["url"])).content
    (mapped,) = re.findall(r'MAP:URI="(.*)",BYTERANGE="(\d+)@0"', answer.text)
    parts = [await footage.client.get(mapped[0], headers={"range": f"bytes=0-{int(mapped[1]) - 1}"})]
    ranges = re.findall(r"BYTERANGE:(\d+)@(\d+)\n(.*)", answer.text)
    for length, offset, uri in ranges:
        asked = {"range": f"bytes={offset}-{int(offset) + int(length) - 1}"}
        parts.append(await footage.client.get(uri, headers=asked))
    assert b"".join(part.content for part in parts) == whole


async def test_links_live_as_long_as_what_they_play(footage: Any, make_recorder: MakeRecorder) -> None:
    found = await ask(footage, 0, 10 * 3600)
    (expires,) = parse_qs(urlsplit(found["url"]).query)["expires"]
    assert int(expires) > time.time() + 9 * 3600


@pytest.mark.parametrize("change", ["camera", "part", "to", "range"])
async def test_even_signed_links_are_checked(footage: Any, change: str) -> None:
    links = footage.services.links
    params = {"from": str(WALL), "to": str(WALL + 5), "part": "0"}
    if change == "camera":
        answer = await footage.client.get(links.sign("/media/playback/..%2f..%2fx.mp4", params))
        assert answer.status_code in (403, 404)
        answer = await footage.client.get(links.sign("/media/playback/Gate.mp4", params))
        assert code_of(answer) == (404, "missing")
    elif change == "part":
        answer = await footage.client.get(links.sign("/media/playback/gate.mp4", {**params, "part": "1"}))
        assert code_of(answer) == (404, "not_found")
    else:
        to = WALL - 5 if change == "to" else WALL + 40 * 86400
        for suffix in ("mp4", "m3u8"):
            answer = await footage.client.get(links.sign(f"/media/playback/gate.{suffix}", {**params, "to": str(to)}))
            assert code_of(answer) == (422, "invalid")


async def test_a_new_part_begins_where_the_codec_changes(
    node: Any, make_recorder: MakeRecorder, tmp_path: Path
) -> None:
    await node.add_camera()
    recorder = make_recorder()
    recorder.record(0, 3)
    write_clip(tmp_path / "wide.mp4", width=384, height=256, seconds=3, bitrate=300_000, gop_s=1)
    video, recorder.packets = read_packets(tmp_path / "wide.mp4")
    recorder.wall += 3
    recorder.chunker.format(video)
    recorder.record(0, 3)
    await node.services.footage.compare()
    found = await ask(node, 0.5, 6)
    first, second = found["parts"]
    assert [(part["width"], part["start_offset_s"]) for part in (first, second)] == [(192, 0.5), (384, 0)]
    assert second["start"] == "2026-09-21T14:13:23.000Z"
    for part in (first, second):
        with av.open(io.BytesIO((await node.client.get(part["url"])).content)) as container:
            assert {(frame.width, frame.pts is None) for frame in container.decode(video=0)} == {(part["width"], False)}
    playlist = (await node.client.get(found["hls_url"])).text
    assert playlist.count("#EXT-X-MAP") == 2
    assert playlist.count("#EXT-X-DISCONTINUITY") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(low=st.floats(0, 7), length=st.floats(0.001, 8))
async def test_any_time_asked_for_is_an_answer_or_a_sentence(footage: Any, low: float, length: float) -> None:
    params = {"from": WALL + low, "to": WALL + low + length}
    answer = await footage.client.get("/api/video/playback/gate", params=params)
    if answer.status_code != 200:
        assert code_of(answer) == (404, "missing")
        return
    video = await footage.client.get(answer.json()["url"])
    with av.open(io.BytesIO(video.content)) as container:
        assert next(container.decode(video=0)).pts == 0

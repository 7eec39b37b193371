"""What a browser makes of playback: over gaps and changes of codec, by file and by socket, exact to the frame."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from perishield.evaluation.texture_clip import read_packets, write_clip

pytestmark = [pytest.mark.long, pytest.mark.real("chromium"), pytest.mark.timeout(180)]

WALL = 1_790_000_000.0
MakeRecorder = Callable[..., Any]

PLAY_FILE = """async ({url, at, rate}) => {
    const video = document.createElement('video');
    video.muted = true;
    video.src = url;
    document.body.replaceChildren(video);
    const event = name => new Promise((done, fail) => {
        video.addEventListener(name, done, {once: true});
        video.addEventListener('error', () => fail(new Error(video.error.message)), {once: true});
    });
    await event('loadeddata');
    const sought = event('seeked');
    video.currentTime = at;
    await sought;
    video.playbackRate = rate;
    const ended = event('ended');
    await video.play();
    await ended;
    const {videoWidth, currentTime, duration} = video;
    return {videoWidth, currentTime, duration, frames: video.getVideoPlaybackQuality().totalVideoFrames};
}"""

FIRST_PICTURE = """async ({url, at}) => {
    const video = document.createElement('video');
    video.muted = true;
    video.src = url;
    document.body.replaceChildren(video);
    let last = null;
    const watch = (now, picture) => { last = picture.mediaTime; video.requestVideoFrameCallback(watch); };
    video.requestVideoFrameCallback(watch);
    await new Promise(done => video.addEventListener('loadeddata', done, {once: true}));
    const sought = new Promise(done => video.addEventListener('seeked', done, {once: true}));
    video.currentTime = at;
    await sought;
    for (let frame = 0; frame < 5; frame += 1) await new Promise(requestAnimationFrame);
    return last;
}"""

PLAY_SOCKET = """async ({token, open}) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws/playback');
    socket.binaryType = 'arraybuffer';
    const connected = new Promise(done => { socket.onopen = done; });
    const players = open.cameras.map(() => {
        const video = document.createElement('video');
        video.muted = true;
        const source = new MediaSource();
        video.src = URL.createObjectURL(source);
        document.body.append(video);
        return {video, source, queue: [], bytes: 0, gaps: [], widths: [], ended: false, buffer: null};
    });
    await Promise.all(players.map(player => new Promise(done => player.source.addEventListener('sourceopen', done))));
    let position = 0;
    const pump = player => {
        if (!player.queue.length || (player.buffer && player.buffer.updating)) return;
        const item = player.queue.shift();
        if (item.mime) {
            if (!player.buffer) {
                player.buffer = player.source.addSourceBuffer(item.mime);
                player.buffer.addEventListener('updateend', () => {
                    const index = players.indexOf(player);
                    const at = Math.max(position, player.video.currentTime);
                    socket.send(JSON.stringify({type: 'ack', index, bytes: player.bytes, position_s: at}));
                    pump(player);
                });
            } else player.buffer.changeType(item.mime);
            return pump(player);
        }
        if (item.end) { player.source.endOfStream(); return; }
        player.bytes += item.byteLength;
        player.buffer.appendBuffer(item);
    };
    const over = new Promise((done, fail) => {
        setTimeout(() => fail(new Error(JSON.stringify(players.map(({video, queue, gaps, ended}) => ({
            at: video.currentTime, state: video.readyState, queue: queue.length, gaps, ended, paused: video.paused,
            ranges: [...Array(video.buffered.length).keys()].map(i => [video.buffered.start(i), video.buffered.end(i)]),
        }))))), 40000);
        socket.onclose = event => fail(new Error(`closed ${event.code} ${event.reason}`));
        socket.onmessage = ({data}) => {
            if (data instanceof ArrayBuffer) {
                const player = players[new DataView(data).getUint8(1)];
                player.queue.push(data.slice(8));
                return pump(player);
            }
            const said = JSON.parse(data);
            const player = players[said.index];
            if (said.type === 'position') position = said.media_s;
            if (said.type === 'gap') player.gaps.push([said.from_s, said.to_s]);
            if (said.type === 'init') player.queue.push(said);
            if (said.type === 'end') { player.queue.push({end: true}); pump(player); }
        };
        for (const player of players) {
            const {video} = player;
            video.addEventListener('error', () => fail(new Error(video.error.message)));
            video.addEventListener('resize', () => player.widths.push(video.videoWidth));
            video.addEventListener('ended', () => {
                player.ended = true;
                if (players.every(one => one.ended)) done();
            });
            video.addEventListener('loadedmetadata', () => {
                video.currentTime = position;
                video.playbackRate = open.speed;
                video.play();
            });
            // A gap is jumped, as a player does when all cameras have one.
            setInterval(() => {
                // Chromium forgets a seek that meets the end of the stream on its way.
                if (video.readyState && !video.seeking && video.currentTime < position) video.currentTime = position;
                const gap = player.gaps.find(([from, to]) => video.currentTime > from - 0.3 && video.currentTime < to);
                const ranges = [...Array(video.buffered.length).keys()].map(index => video.buffered.start(index));
                const next = ranges.find(start => start > video.currentTime);
                if (gap && next !== undefined && video.readyState < 3) video.currentTime = next + 0.01;
            }, 50);
        }
    });
    await connected;
    socket.send(JSON.stringify({type: 'auth', token}));
    socket.send(JSON.stringify({type: 'open', ...open}));
    await over;
    socket.onclose = null;
    socket.close();
    return players.map(({video, widths, gaps, bytes}) => ({
        widths, gaps, bytes, at: video.currentTime, position,
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        dropped: video.getVideoPlaybackQuality().corruptedVideoFrames,
    }));
}"""


@pytest.fixture
async def page(served: Any) -> AsyncIterator[Page]:
    """An empty page of the server's own origin, under its own security policy."""
    served.services.static.mkdir(parents=True, exist_ok=True)
    (served.services.static / "index.html").write_text("<!doctype html><title>test</title><body></body>")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        opened = await browser.new_page()
        await opened.goto(served.url.replace("ws:", "http:") + "/")
        yield opened
        await browser.close()


@pytest.fixture
async def footage(served: Any, make_recorder: MakeRecorder, tmp_path: Path) -> Any:
    """0 to 3 s, a hole, 5 to 8 s, and 3 s more of twice the width."""
    await served.add_camera()
    await served.add_camera(id="yard", name="Yard")
    make_recorder().record(0, 3)
    make_recorder(epoch=8).record(5, 8)
    recorder = make_recorder(epoch=9)
    write_clip(tmp_path / "wide.mp4", width=384, height=256, seconds=3, bitrate=300_000, gop_s=1)
    video, recorder.packets = read_packets(tmp_path / "wide.mp4")
    recorder.wall += 8
    recorder.chunker.format(video)
    recorder.record(0, 3)
    make_recorder("yard", wall=WALL + 0.25).record(0, 8)
    await served.services.footage.compare()
    return served


async def parts_of(node: Any, start: float, end: float, **more: Any) -> list[dict[str, Any]]:
    params = {"from": WALL + start, "to": WALL + end, **more}
    answer = await node.client.get("/api/video/playback/gate", params=params)
    found: list[dict[str, Any]] = answer.json()["parts"]
    return found


async def test_files_play_over_a_gap_and_one_after_the_other(footage: Any, page: Page) -> None:
    first, second = await parts_of(footage, 0.5, 10.5)
    for part, width, frames in ((first, 192, 5 * 25), (second, 384, 2 * 25)):
        asked = {"url": part["url"], "at": part["start_offset_s"], "rate": 2}
        played = await page.evaluate(PLAY_FILE, asked)
        assert played["videoWidth"] == width
        assert played["duration"] == pytest.approx(part["duration_s"], abs=0.05)
        assert played["currentTime"] == pytest.approx(part["duration_s"], abs=0.1)
        assert played["frames"] >= frames - 10


async def test_a_kept_gap_plays_in_real_time(footage: Any, page: Page) -> None:
    first, _ = await parts_of(footage, 0.5, 10.5, gaps="real")
    played = await page.evaluate(PLAY_FILE, {"url": first["url"], "at": 2.5, "rate": 4})
    assert played["currentTime"] == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("start", [0.0, 0.52, 1.96, 2.4, 5.2, 7.8])
async def test_a_range_begins_at_the_very_frame(footage: Any, page: Page, start: float) -> None:
    """Frame n of the clip is at n/25 s; what the browser presents first is the one asked for."""
    first, _ = await parts_of(footage, start, 10.5)
    # A time within the picture, as players ask: its edge may round to the one before.
    asked = {"url": first["url"], "at": first["start_offset_s"] + 0.01}
    shown = await page.evaluate(FIRST_PICTURE, asked)
    assert shown == pytest.approx(first["start_offset_s"], abs=0.002)


async def test_fast_files_play_to_their_end(footage: Any, page: Page) -> None:
    first, _ = await parts_of(footage, 0, 10.5, speed=8)
    played = await page.evaluate(PLAY_FILE, {"url": first["url"], "at": 0, "rate": 8})
    assert played["frames"] <= 8
    assert played["currentTime"] > 6


@pytest.mark.parametrize("speed", [2, 8])
async def test_two_cameras_play_over_one_socket(footage: Any, page: Page, speed: float) -> None:
    opened = {"cameras": ["gate", "yard"], "from": WALL + 0.5, "to": WALL + 10.5, "speed": speed}
    gate, yard = await page.evaluate(PLAY_SOCKET, {"token": footage.token, "open": opened})
    position = gate["position"]
    assert gate["at"] == pytest.approx(position + 10, abs=1.1)
    assert yard["at"] == pytest.approx(position + 7.75, abs=1.1)
    assert [width for width in gate["widths"] if width][-1] == 384
    ((start, end),) = gate["gaps"]
    assert (start, end) == (pytest.approx(position + 2.5), pytest.approx(position + 4.5))
    assert gate["dropped"] == yard["dropped"] == 0
    assert yard["frames"] >= (150 if speed < 4 else 2)


async def test_hls_plays_in_the_browser_itself_where_it_can(footage: Any, page: Page) -> None:
    params = {"from": WALL + 0.5, "to": WALL + 7.5}
    found = (await footage.client.get("/api/video/playback/gate", params=params)).json()
    if not await page.evaluate("document.createElement('video').canPlayType('application/vnd.apple.mpegurl')"):
        text = await page.evaluate("url => fetch(url).then(answer => answer.text())", found["hls_url"])
        assert re.match(r"#EXTM3U\n", text)
        return
    played = await page.evaluate(PLAY_FILE, {"url": found["hls_url"], "at": 1, "rate": 2})
    assert played["currentTime"] == pytest.approx(5.5, abs=0.3), json.dumps(played)

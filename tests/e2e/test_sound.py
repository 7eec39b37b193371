"""From a camera's microphone to a file that others read without complaint, and to a browser's loudspeaker."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from perishield.evaluation.texture_clip import write_clip
from perishield.model.media import Codec, SegmentRow
from perishield.model.site import Camera
from perishield.recording.clip import cut_clip
from perishield.sources.rtsp.source import RtspSource
from perishield.sources.simulator import Simulator, SimulatorClip
from perishield.streams.chunker import Chunker
from perishield.streams.fmp4 import without_sound, without_sound_chunk
from perishield.streams.fmp4_reader import parse_init, walk
from perishield.streams.segments import MediaRoot, SegmentWriter

CODECS = ("aac", "opus", "pcma", "pcmu")
SECONDS = 7.0

PLAYER = """
async ([mime, pieces]) => {
  if (!MediaSource.isTypeSupported(mime)) return { error: 'not supported: ' + mime }
  const video = document.createElement('video')
  video.muted = true
  document.body.append(video)
  const source = new MediaSource()
  video.src = URL.createObjectURL(source)
  await new Promise((done) => source.addEventListener('sourceopen', done, { once: true }))
  const buffer = source.addSourceBuffer(mime)
  for (const piece of pieces) {
    const bytes = Uint8Array.from(atob(piece), (letter) => letter.charCodeAt(0))
    buffer.appendBuffer(bytes)
    await new Promise((done) => buffer.addEventListener('updateend', done, { once: true }))
    if (video.error) return { error: video.error.message }
  }
  const have = buffer.buffered
  const ranges = Array.from({ length: have.length }, (_, i) => [have.start(i), have.end(i)])
  video.currentTime = ranges[0][0]
  await video.play()
  const until = performance.now() + 20000
  while (video.currentTime < ranges[0][0] + 1.5 && performance.now() < until && !video.error)
    await new Promise((done) => setTimeout(done, 50))
  return {
    error: video.error ? video.error.message : '',
    ranges,
    at: video.currentTime,
    sound: video.webkitAudioDecodedByteCount,
    pictures: video.webkitVideoDecodedByteCount,
  }
}
"""


@dataclass(frozen=True)
class Recorded:
    media: Path
    rows: dict[str, list[SegmentRow]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Some seconds of one camera for each codec of sound, H.265 for the second."""
    folder = tmp_path_factory.mktemp("sound")
    clips = {}
    for name in CODECS:
        file = folder / f"{name}.{'mov' if name.startswith('pcm') else 'mp4'}"
        codec = Codec.H265 if name == "pcma" else Codec.H264
        write_clip(file, codec=codec, width=320, height=192, seconds=4, bitrate=300_000, gop_s=1.0, sound=name)
        clips[name] = SimulatorClip.load(file)
    return asyncio.run(_record(clips, folder / "media"))


async def _record(clips: dict[str, SimulatorClip], media: Path) -> Recorded:
    farm = Simulator(clips)
    await farm.start()
    rows: dict[str, list[SegmentRow]] = {name: [] for name in clips}
    chunkers, tasks = [], []
    for name, url in zip(clips, farm.urls, strict=True):
        writer = SegmentWriter(MediaRoot(media), name, "recordings", 2.0, rows[name].append, lambda error: None)
        chunker = Chunker(name, 7, writer, lambda ref: None)
        source = RtspSource(Camera(id=name, name=name, url=url), chunker, lambda state: None)
        chunkers.append(chunker)
        tasks.append(asyncio.create_task(source.run()))
    deadline = time.monotonic() + 60
    while any(sum(row.duration for row in found) < SECONDS for found in rows.values()):
        assert time.monotonic() < deadline, "nothing is recorded"
        await asyncio.sleep(0.1)
        for chunker in chunkers:
            chunker.tick(time.time())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for chunker in chunkers:
        chunker.close()
    await farm.close()
    return Recorded(media, rows)


def complaints(path: Path) -> str:
    probe = ["ffprobe", "-v", "error", "-show_error", "-show_entries", "stream=codec_type", "-of", "json", str(path)]
    probed = subprocess.run(probe, capture_output=True, text=True, check=False)
    decode = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-map", "0", "-f", "null", "-"]
    decoded = subprocess.run(decode, capture_output=True, text=True, check=False)
    streams = [stream["codec_type"] for stream in json.loads(probed.stdout).get("streams", [])]
    assert streams == ["video", "audio"]
    return probed.stderr + decoded.stderr + ("error" if "error" in json.loads(probed.stdout) else "")


@pytest.mark.real("ffmpeg")
@pytest.mark.parametrize("name", CODECS)
def test_others_find_no_fault_in_segments_and_clips(recorded: Recorded, tmp_path: Path, name: str) -> None:
    rows = recorded.rows[name]
    assert {row.audio for row in rows} == {name}
    for row in rows:
        assert complaints(recorded.media / row.path) == ""
    cut_clip(recorded.media, name, rows[0].start + 0.5, rows[0].start + 5, tmp_path / "clip.mp4")
    assert complaints(tmp_path / "clip.mp4") == ""


def pieces_of(recorded: Recorded, row: SegmentRow, *, sound: bool) -> tuple[str, list[str]]:
    """MIME type, and init segment and chunks in base64."""
    data = (recorded.media / row.path).read_bytes()
    init = parse_init(data[: row.init_length])
    assert init is not None
    assert init.audio is not None
    with open(recorded.media / row.path, "rb") as file:
        chunks = [data[chunk.offset : chunk.offset + chunk.length] for chunk in walk(file.fileno(), row.init_length)]
    if not sound:
        pieces = [without_sound(init.data), *map(without_sound_chunk, chunks)]
        return f'video/mp4; codecs="{init.mime}"', [base64.b64encode(piece).decode() for piece in pieces]
    mime = f'video/mp4; codecs="{init.mime},{init.audio.mime}"'
    return mime, [base64.b64encode(piece).decode() for piece in (init.data, *chunks)]


@pytest.mark.real("chromium")
@pytest.mark.parametrize(("name", "sound"), [("aac", True), ("opus", True), ("pcmu", False)])
def test_chromium_plays_sound_beside_the_pictures(recorded: Recorded, name: str, sound: bool) -> None:
    mime, pieces = pieces_of(recorded, recorded.rows[name][0], sound=sound)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            page = browser.new_page()
            page.goto("about:blank")
            played = page.evaluate(PLAYER, [mime, pieces])
        finally:
            browser.close()
    assert played["error"] == ""
    assert len(played["ranges"]) == 1, "one run without holes"
    assert played["ranges"][0][1] - played["ranges"][0][0] > 1.8
    assert played["at"] >= played["ranges"][0][0] + 1.5
    assert played["pictures"] > 0
    assert (played["sound"] > 0) is sound

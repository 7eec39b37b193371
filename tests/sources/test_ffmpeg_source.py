"""What FFmpeg reads for us: files below one folder, HTTP, and everything that can go wrong with them."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import subprocess
import threading
from itertools import pairwise

import av
import pytest

from perishield.model.media import StreamCondition
from perishield.model.site import Camera
from perishield.sources.ffmpeg.source import FfmpegSource


def remux(source, target, times=1, **options):
    """The same packets in another container, `times` times over."""
    with av.open(str(source)) as clip, av.open(str(target), "w", options=options) as container:
        video = clip.streams.video[0]
        stream = container.add_stream_from_template(video)
        for number in range(times):
            for packet in clip.demux(video):
                if packet.size:
                    shift = number * int(2 / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    container.mux(packet)
            clip.seek(0)


class Running:
    def __init__(self, sink, url, file_root, **options):
        self.sink = sink
        self.states = []
        camera = Camera(id="gate-3", name="Gate 3", url=url)
        options = {"first_retry_s": 0.05, "connect_timeout_s": 5.0} | options
        self.source = FfmpegSource(camera, sink, self.states.append, file_root=file_root, **options)
        self.task = asyncio.create_task(self.source.run())

    @property
    def codes(self):
        return [state.code for state in self.states if state.code]


@pytest.fixture
async def play(sink, clip_files):
    running = []

    def start(url, *, file_root=clip_files["plain"].parent, **options):
        running.append(Running(sink, url, file_root, **options))
        return running[-1]

    yield start
    for each in running:
        each.task.cancel()
        await asyncio.gather(each.task, return_exceptions=True)
        if not each.task.cancelled():
            each.task.result()


@pytest.mark.parametrize("name", ["plain", "reordered", "hevc_open"])
async def test_a_file_is_played_in_real_time_and_has_an_end(play, until, sink, name):
    running = play(f"file:{name}.mp4")
    await until(lambda: running.codes, "the end")
    assert running.codes == ["gone"]
    assert "#loop" in running.states[-1].message
    assert len(sink.packets) == sink.decode() == 50
    assert sink.packets[-1].arrival - sink.packets[0].arrival >= 1.1, "50 pictures at 25 a second, some of them at once"
    assert [state.condition for state in running.states][:2] == [StreamCondition.CONNECTING, StreamCondition.LIVE]


async def test_a_loop_has_no_seam(play, until, sink):
    play("file:reordered.mp4#loop")
    await until(lambda: len(sink.packets) >= 80, "packets")
    assert {later.dts - earlier.dts for earlier, later in pairwise(sink.packets)} == {3600}
    assert sink.log.count("format") == 1
    assert sink.discontinuities == []
    assert sink.decode() >= len(sink.packets) - 1


@pytest.mark.parametrize("container", ["ts", "flv", "mkv"])
async def test_containers_of_all_kinds_end_in_the_same_packets(play, until, sink, clip_files, tmp_path, container):
    path = tmp_path / f"clip.{container}"
    remux(clip_files["plain"], path)
    running = play("file:clip." + container, file_root=tmp_path)
    await until(lambda: running.codes, "the end")
    assert len(sink.packets) >= 49
    assert sink.decode() == len(sink.packets)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:none.mp4", "not_found"),
        ("file:../../../etc/passwd", "not_found"),
        ("file:///etc/passwd", "not_found"),
        ("file://elsewhere/plain.mp4", "not_found"),
        ("file:link.mp4", "not_found"),
        ("file:folder", "not_a_video"),
        ("file:notes.txt", "not_a_video"),
        ("file:noise.mp4", "not_a_video"),
        ("file:empty.mp4", "not_a_video"),
        ("file:headless.mp4", "not_a_video"),
        ("file:sound.wav", "not_a_video"),
        ("file:vp9.mkv", "unsupported_codec"),
        ("http://127.0.0.1:{port}/x.mp4", "refused"),
        ("rtmp://127.0.0.1:{port}/live/x", "refused"),
        ("http://no-such-camera.invalid/x", "dns"),
        ("http://", "unreachable"),
    ],
)
async def test_bad_input_has_a_sentence_of_its_own(
    play, until, sink, tmp_path, clip_files, make_clip, free_port, url, code
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").symlink_to(clip_files["plain"])
    (tmp_path / "notes.txt").write_text("buy milk\n" * 40)
    (tmp_path / "noise.mp4").write_bytes(os.urandom(20_000))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "headless.mp4").write_bytes(clip_files["plain"].read_bytes()[:5000])
    (tmp_path / "sound.wav").write_bytes(
        b"RIFF\x24\x01\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\1\0\0" + b"\x80" * 256
    )
    if "vp9" in url:
        make_clip(tmp_path / "vp9.mkv", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, frames=3)
    running = play(url.format(port=free_port), file_root=tmp_path)
    await until(lambda: running.codes, "code")
    assert running.codes[0] == code
    assert "gate-3" in running.states[-1].message
    assert sink.packets == []


async def test_files_are_closed_without_a_folder_for_them(play, until):
    running = play("file:plain.mp4", file_root=None)
    await until(lambda: running.codes, "code")
    assert running.codes[0] == "unsupported_scheme"


async def test_a_file_that_breaks_off_is_truncated(play, until, sink, tmp_path, clip_files):
    whole = tmp_path / "whole.mp4"
    remux(clip_files["plain"], whole, times=2, movflags="faststart")
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    running = play("file:cut.mp4", file_root=tmp_path)
    await until(lambda: running.codes, "code")
    assert running.codes[0] == "truncated"
    assert "incomplete" in running.states[-1].message or "ends" in running.states[-1].message
    assert sink.packets


@pytest.fixture
def web(tmp_path, clip_files):
    """A web server with a clip, and a door that wants a password."""
    remux(clip_files["plain"], tmp_path / "clip.mp4", movflags="faststart")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/secret/"):
                if self.headers.get("Authorization") != "Basic Z3VhcmQ6bmlnaHQgJiBkYXk=":
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="x"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.path = self.path.removeprefix("/secret")
            super().do_GET()

        def log_message(self, format, *args):  # noqa: A002
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_http_is_read_too(play, until, sink, web):
    play(f"{web}/clip.mp4#loop")
    await until(lambda: len(sink.packets) >= 10, "packets")


async def test_http_passwords_are_given_and_missed(play, until, sink, web):
    bad = play(f"{web}/secret/clip.mp4")
    await until(lambda: bad.codes, "code")
    assert bad.codes[0] == "auth_failed"
    play(web.replace("http://", "http://guard:night%20%26%20day@") + "/secret/clip.mp4")
    await until(lambda: len(sink.packets) >= 10, "packets")


async def test_http_paths_can_be_wrong(play, until, web):
    running = play(f"{web}/none.mp4")
    await until(lambda: running.codes, "code")
    assert running.codes[0] == "not_found"


async def test_a_killed_helper_is_replaced_and_time_goes_on(play, until, sink):
    running = play("file:plain.mp4#loop")
    await until(lambda: len(sink.packets) >= 5, "packets")
    children = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "ffmpeg.helper"], capture_output=True, text=True)
    os.kill(int(children.stdout.split()[0]), 9)
    before = len(sink.packets)
    await until(lambda: "reconnect" in sink.discontinuities, "reconnect")
    await until(lambda: len(sink.packets) >= before + 5, "packets")
    assert "gone" in running.codes
    await until(lambda: running.states[-1].condition is StreamCondition.LIVE, "live state")


async def test_leaving_ends_the_helper(play, until, sink):
    running = play("file:plain.mp4#loop")
    await until(lambda: sink.packets, "packets")
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)
    children = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "ffmpeg.helper"], capture_output=True, text=True)
    assert children.stdout == ""


@pytest.mark.real("ffmpeg")
async def test_rtmp_is_pulled_from_a_server(play, until, sink, clip_files, free_port):
    url = f"rtmp://127.0.0.1:{free_port}/live/gate"
    source = ["-re", "-stream_loop", "-1", "-i", str(clip_files["plain"]), "-c", "copy"]
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", *source, "-f", "flv", "-listen", "1", url]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        play(url)
        await until(lambda: len(sink.packets) >= 20, "packets", 30)
    finally:
        server.kill()
        server.wait()
    assert sink.decode() >= len(sink.packets) - 1

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perishield.model.errors import PortTakenError, SourceError
from perishield.sources.simulator import Simulator, SimulatorClip
from perishield.sources.simulator.server import clip_names


def test_a_loop_is_as_long_as_the_clip(clips):
    for clip in clips.values():
        assert len(clip.clip_frames) == 50
        assert clip.duration == 50 * 3600
        assert clip.frame_rate == 25
        assert clip.clip_frames[0].key
        assert clip.clip_frames[0].shown == 0
        assert all(frame.due >= frame.shown for frame in clip.clip_frames), "nothing is sent before it is seen"


@pytest.mark.parametrize(("content", "code"), [(b"buy milk\n" * 50, "not_a_video"), (None, "not_found")])
def test_what_is_no_clip_is_named(tmp_path, content, code):
    path = tmp_path / "gate.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        SimulatorClip.load(path)
    assert caught.value.code == code
    assert "gate.mp4" in caught.value.message


def test_a_codec_that_rtsp_cameras_do_not_send_is_named(make_clip, tmp_path):
    path = make_clip(tmp_path / "old.avi", "mpeg4", {}, frames=3)
    with pytest.raises(SourceError) as caught:
        SimulatorClip.load(path)
    assert caught.value.code == "unsupported_codec"


def test_files_of_one_name_get_numbers():
    names = clip_names([Path("a/gate.mp4"), Path("b/gate.mp4"), Path("yard.mp4")])
    assert list(names) == ["gate", "gate-2", "yard"]


async def test_a_taken_port_is_told(clips):
    first = Simulator(clips)
    await first.start()
    try:
        with pytest.raises(PortTakenError):
            await Simulator(clips, port=first.port).start()
    finally:
        await first.close()


def test_the_command_prints_an_address_a_line_and_ends_cleanly(clip_files, free_port):
    command = [sys.executable, "-m", "perishield.sources.simulator", str(clip_files["plain"]), str(clip_files["hevc"])]
    process = subprocess.Popen([*command, "--port", str(free_port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        lines = [process.stdout.readline().strip() for _ in range(2)]
        assert lines == [f"rtsp://127.0.0.1:{free_port}/plain", f"rtsp://127.0.0.1:{free_port}/hevc"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_command_says_in_a_sentence_what_is_wrong(tmp_path):
    command = [sys.executable, "-m", "perishield.sources.simulator", str(tmp_path / "none.mp4"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "none.mp4 does not exist: check the path\n"


def test_the_product_command_serves_rtsps_with_faults(clip_files, free_port):
    command = [sys.executable, "-m", "perishield", "simulate", str(clip_files["plain"]), "--port", str(free_port)]
    options = ["--tls", "--udp", "--loss", "5", "--reorder", "3", "--fault", "no-sprop", "--fault", "seed:7"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        lines = [process.stdout.readline().split() for _ in range(2)]
        process.kill()
        process.wait()
    assert lines[0][0] == "fingerprint"
    assert len(lines[0][1]) == 64
    assert lines[1] == [f"rtsps://127.0.0.1:{free_port}/plain"]


def test_the_product_command_names_a_fault_that_is_none(clip_files):
    command = [sys.executable, "-m", "perishield", "simulate", str(clip_files["plain"]), "--fault", "locusts"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "locusts" in done.stderr
    assert "jump-hour" in done.stderr

"""A hundred segments, as the recorder leaves them, read by demuxers that are not ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from perishield.evaluation.faults.stand import Stand, wait_until

pytestmark = pytest.mark.long

WANTED = 100
# What VLC says of every fragmented file: there are no samples in `moov`, and it does not know our box.
USUAL = re.compile(r"Unknown uuid type box|no chunk defined|STTS table of 0 entries|unrecognized major media")


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    folder = tmp_path_factory.mktemp("stand")
    stand = Stand(folder, 10, options={"segment_s": 1.0}, media=folder / "media")
    with stand.running():
        wait_until(lambda: sum(len(stand.files(name)) for name in stand.names) > WANTED, 60, "a hundred segments")
        stand.stop()
        yield sorted(path for name in stand.names for path in stand.files(name))[:WANTED]


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that every user may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.real("ffmpeg")
def test_ffprobe_finds_no_error(segments: list[Path]) -> None:
    assert len(segments) == WANTED
    for path in segments:
        told = subprocess.run(
            [
                "ffprobe",
                "-v",
                "warning",
                "-count_packets",
                "-show_entries",
                "stream=nb_read_packets",
                "-of",
                "csv",
                path,
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert told.stderr == "", path
        assert int(told.stdout.split(",")[1]) > 0


@pytest.mark.real("vlc")
def test_vlc_finds_no_error(segments: list[Path], shelf: Path) -> None:
    for number, path in enumerate(segments):
        shutil.copyfile(path, shelf / f"{number}.mp4")
    command = ["vlc", "-I", "dummy", "-vv", "--no-dbus", "--no-media-library", "--no-auto-preparse"]
    command += ["--sout", "#std{access=dummy,mux=dummy,dst=-}", "--play-and-exit"]
    if os.geteuid() == 0:
        # It refuses to run as root.
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    # It pauses after every file, so several of it share the work.
    with ThreadPoolExecutor(8) as pool:
        told = list(
            pool.map(lambda first: watch(command, [shelf / f"{n}.mp4" for n in range(first, WANTED, 8)]), range(8))
        )
    lines = [line for part in told for line in part]
    assert sum("EOF reached" in line for line in lines) >= WANTED
    found = [line for line in lines if re.search(r"(mp4|demux|avcodec|h264|packetizer)\S* .*(error|warning):", line)]
    assert [line for line in found if not USUAL.search(line)] == []


def watch(command: list[str], paths: list[Path]) -> list[str]:
    told = subprocess.run(
        [*command, *map(str, paths), "vlc://quit"],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=90,
        env={**os.environ, "HOME": "/nonexistent"},
    )
    return told.stderr.splitlines()

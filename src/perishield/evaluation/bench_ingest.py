"""Our ingest process beside one ffmpeg per camera: processor time, memory and lost frames for the same streams.

A clip of 720p25 at 2 Mbit/s is served by the simulator to as many clients as there are cameras; both record it without
decoding into ten-second segments, one after the other within the same minutes, on the same machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from perishield.bus.site_file import write_site
from perishield.evaluation.bench_viewers import Viewers
from perishield.evaluation.process_usage import Usage, UsageMeter, machine
from perishield.evaluation.role_process import start_role
from perishield.evaluation.texture_clip import write_clip
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.media import TIMESCALE, Codec
from perishield.model.site import Analysis, Camera, Site, Transport
from perishield.recording.index import list_segments
from perishield.settings import Ingest
from perishield.streams import chunker
from perishield.streams.fmp4_reader import walk
from perishield.streams.journal import read_journal

Advance = Callable[[float], None]

PEERS = ("ffmpeg", "none")
TRANSPORTS = ("tcp", "udp")
CODECS = ("h264", "h265")
_FPS = 25
_BITRATE = 2_000_000
_SETTLE_S = 5.0
_START_S = 60.0
_SEGMENT_S = 10
_SOUND_TICKS = 5760
"""1024 samples at 16 kHz."""


def run(
    cameras: int,
    seconds: float,
    peer: str = "ffmpeg",
    progress: Advance | None = None,
    *,
    transport: str = "tcp",
    codec: str = "h264",
    audio: bool = False,
    viewers: int = 0,
) -> dict[str, Any]:
    """Measure; `cpu_ratio` and `pss_ratio` are ours divided by the peer's, None without one. Both read over
    `transport`, video of `codec`, and with `audio` also AAC at 16 kHz. Of ours, `viewers` cameras are looked at live
    by somebody each, who reads their chunks from the page cache: `view_delay_ms` is how long after its newest frame
    came in a chunk was in the viewer's hands. The peer serves no viewers.

    `frames_lost` counts the frames missing between the first and the last one recorded of every camera, `sound_lost`
    those of sound; `lost` says of every camera that misses some how many, and what the recorder's journal has on it.
    Raises PeriShieldError: `peer_missing`, `bench_failed`; ConfigError for arguments that make no sense.
    """
    if not 1 <= cameras <= 1000 or not 1 <= seconds <= 3600:
        raise ConfigError("bench ingest: --cameras takes 1 to 1000, --seconds 1 to 3600")
    if peer not in PEERS:
        raise ConfigError(f"bench ingest: unknown peer {peer!r}; use one of {', '.join(PEERS)}")
    if transport not in TRANSPORTS:
        raise ConfigError(f"bench ingest: unknown transport {transport!r}; use one of {', '.join(TRANSPORTS)}")
    if codec not in CODECS:
        raise ConfigError(f"bench ingest: unknown codec {codec!r}; use one of {', '.join(CODECS)}")
    if not 0 <= viewers <= cameras:
        raise ConfigError("bench ingest: --viewers takes 0 to the number of cameras")
    program = _ffmpeg() if peer == "ffmpeg" else ""
    advance = progress or (lambda share: None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perishield-bench-")))
        sound = "aac" if audio else ""
        clip = folder / "clip.mp4"
        write_clip(clip, codec=Codec(codec), fps=_FPS, seconds=10, bitrate=_BITRATE, gop_s=2.0, sound=sound)
        advance(0.05)
        port = stack.enter_context(_farm(clip))
        urls = [f"rtsp://127.0.0.1:{port}/clip?{index}" for index in range(cameras)]
        footage = int(cameras * (seconds + _SETTLE_S + 10) * _BITRATE / 8)
        _touch(folder, footage)
        watching = Viewers([f"cam-{index}" for index in range(viewers)], folder / "ours")
        ours = _ours(
            urls, seconds, folder / "ours", lambda share: advance(0.05 + 0.45 * share), Transport(transport), watching
        )
        frames, missing = _count(folder / "ours" / "media", cameras)
        lost = _explained(folder / "ours" / "journal", missing)
        heard, unheard = _count_sound(folder / "ours" / "media", cameras)
        shutil.rmtree(folder / "ours")
        theirs = None
        if program:
            _touch(folder, footage)
            theirs = _theirs(
                program, urls, seconds, folder / "peer", lambda share: advance(0.5 + 0.5 * share), transport
            )
    advance(1.0)
    return {
        "cameras": cameras,
        "seconds": seconds,
        "transport": transport,
        "codec": codec,
        "audio": audio,
        "viewers": viewers,
        "view_delay_ms": watching.delays(),
        "cpu_cores": round(ours.cores, 4),
        "peer_cpu_cores": round(theirs.cores, 4) if theirs else None,
        "cpu_ratio": round(ours.cores / theirs.cores, 4) if theirs else None,
        "pss_mb": round(ours.pss_mb, 1),
        "peer_pss_mb": round(theirs.pss_mb, 1) if theirs else None,
        "pss_ratio": round(ours.pss_mb / theirs.pss_mb, 4) if theirs else None,
        "frames": frames,
        "frames_lost": sum(missing.values()),
        "lost": lost,
        "sound_frames": heard,
        "sound_lost": unheard,
        "threads": ours.threads,
        "peer": peer,
        "peer_processes": theirs.processes if theirs else None,
        "compiled": not chunker.__file__.endswith(".py"),
        "machine": machine(),
    }


def _touch(folder: Path, size: int) -> None:
    """Have as much memory at hand as the page cache is about to take.

    In a virtual machine the first use of a page waits for the host: three times the cost of the write itself, and paid
    by whoever is measured first, since what they leave is what the second finds.
    """
    block = bytes(1 << 20)
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        file.writelines(block for _ in range(min(size, shutil.disk_usage(folder).free // 2) >> 20))
    ballast.unlink()


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise PeriShieldError(
            "bench ingest: the peer 'ffmpeg' is not installed; on Debian: apt install ffmpeg, or run with --peer none",
            code="peer_missing",
        )
    return program


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End them: politely first, then not."""
    for child in children:
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _farm(clip: Path) -> Iterator[int]:
    """The simulator as a process of its own; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    command = [sys.executable, "-m", "perishield.sources.simulator", str(clip), "--port", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    if child.stdout is None:
        raise AssertionError("it is a pipe")
    with child.stdout:
        try:
            if not child.stdout.readline().strip():
                raise PeriShieldError(
                    "bench ingest: the simulator did not start; see its message above", code="bench_failed"
                )
            yield port
        finally:
            _end([child])


def _ours(
    urls: Sequence[str], seconds: float, data: Path, advance: Advance, transport: Transport, watching: Viewers
) -> Usage:
    media = data / "media"
    cameras = tuple(
        Camera(id=f"cam-{index}", name=f"cam-{index}", url=url, analysis=Analysis(enabled=False), transport=transport)
        for index, url in enumerate(urls)
    )
    shipped = Ingest()
    data.mkdir()
    write_site(data / "site.json", Site(revision=1, cameras=cameras))
    config: Mapping[str, object] = {
        "data_dir": str(data),
        "run_dir": str(data / "run"),
        "media_dir": str(media),
        "segment_s": _SEGMENT_S,
        "chunk_s": shipped.chunk_s,
        "chunk_bytes": shipped.chunk_kib * 1024,
        "log_level": "warning",
    }
    child = start_role("ingest", config)
    try:
        _await_files([media / "recordings" / camera.id for camera in cameras], "the ingest process", child.poll)
        with watching:
            return _measure([child.pid], seconds, advance)
    finally:
        _end([child])


def _theirs(program: str, urls: Sequence[str], seconds: float, folder: Path, advance: Advance, transport: str) -> Usage:
    children: list[subprocess.Popen[bytes]] = []
    folders = [folder / f"cam-{index}" for index in range(len(urls))]
    try:
        for url, target in zip(urls, folders, strict=True):
            target.mkdir(parents=True)
            command = [program, "-nostdin", "-loglevel", "error", "-rtsp_transport", transport, "-i", url, "-c", "copy"]
            command += ["-f", "segment", "-segment_time", str(_SEGMENT_S), "-reset_timestamps", "1"]
            children.append(subprocess.Popen([*command, str(target / "%05d.mp4")], stdin=subprocess.DEVNULL))
            time.sleep(0.02)
        _await_files(folders, "ffmpeg", lambda: next((c.returncode for c in children if c.poll() is not None), None))
        return _measure([child.pid for child in children], seconds, advance)
    finally:
        _end(children)


def _await_files(folders: Sequence[Path], who: str, ended: Callable[[], int | None]) -> None:
    """Until there is footage in every folder."""
    deadline = time.monotonic() + _START_S
    waiting = list(folders)
    while waiting:
        waiting = [folder for folder in waiting if not _has_footage(folder)]
        if ended() is not None:
            raise PeriShieldError(f"bench ingest: {who} ended early; see its message above", code="bench_failed")
        if time.monotonic() > deadline:
            raise PeriShieldError(
                f"bench ingest: {who} had not begun to record {len(waiting)} of {len(folders)} cameras after "
                f"{_START_S:g} s; the machine is too busy or too small for that many",
                code="bench_failed",
            )
        time.sleep(0.1)


def _has_footage(folder: Path) -> bool:
    return any(path.stat().st_size for path in folder.rglob("*.mp4"))


def _measure(pids: Sequence[int], seconds: float, advance: Advance) -> Usage:
    time.sleep(_SETTLE_S)
    meter = UsageMeter(pids)
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        advance(elapsed / seconds)
        time.sleep(min(0.5, seconds - elapsed))
    return meter.read()


def _count(media: Path, cameras: int) -> tuple[int, dict[str, int]]:
    """Frames recorded, and by camera those missing between its first and last, by the times of what is there."""
    step = TIMESCALE // _FPS
    frames = 0
    missing: dict[str, int] = {}
    for index in range(cameras):
        rows = list_segments(media, f"cam-{index}", 0, time.time() + 3600)
        mine = sum(row.frames for row in rows)
        spans: dict[int, tuple[int, int]] = {}
        for row in rows:
            first, last = spans.get(row.epoch, (row.stream_time, row.stream_time))
            end = row.stream_time + round(row.duration * TIMESCALE)
            spans[row.epoch] = (min(first, row.stream_time), max(last, end))
        due = sum(round((last - first) / step) for first, last in spans.values())
        frames += mine
        if due > mine:
            missing[f"cam-{index}"] = due - mine
    return frames, missing


def _explained(journal: Path, missing: Mapping[str, int]) -> dict[str, Any]:
    """By camera: frames missing, and the journal's entries on it, oldest first; `at` and `until` in Unix seconds."""
    entries = read_journal(journal, 0.0, time.time() + 3600) if missing else []
    return {
        camera: {
            "frames": frames,
            "journal": [
                {
                    "at": round(entry.wall, 2),
                    "until": round(entry.until, 2),
                    "state": str(entry.reason or entry.state),
                    "detail": entry.detail,
                }
                for entry in entries
                if entry.camera == camera
            ],
        }
        for camera, frames in missing.items()
    }


def _count_sound(media: Path, cameras: int) -> tuple[int, int]:
    """The same of frames of sound; a loop of the clip ends with less than one frame's pause."""
    frames = lost = 0
    for index in range(cameras):
        previous = -1
        for row in list_segments(media, f"cam-{index}", 0, time.time() + 3600):
            with open(media / row.path, "rb") as file:
                for chunk in walk(file.fileno(), row.init_length):
                    at = row.stream_time + chunk.sound_time
                    for lasts in chunk.sound_durations:
                        frames += 1
                        if previous >= 0:
                            lost += max(0, (at - previous) // _SOUND_TICKS - 1)
                        previous, at = at, at + lasts
    return frames, lost


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]), indent=2) + os.linesep)

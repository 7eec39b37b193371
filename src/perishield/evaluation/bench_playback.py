"""Playback measured on a real server: time to the first picture, and memory while a day is streamed.

The index is a real database with `days` of `cameras`, one row a segment. One recorded segment lies behind a subset of
the rows by hard links: behind those that random seeks hit, and behind one whole day of one camera. Every figure stands
beside a peer's, measured right before it on the same machine: PyAV opening and seeking in the plain segment file (the
least that a first picture can cost), ffmpeg opening a concatenation of the day, and the same server
serving the segments as plain files.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from perishield.evaluation.playback_archive import Archive, build
from perishield.evaluation.process_usage import machine
from perishield.evaluation.role_process import start_role
from perishield.model.errors import ConfigError, PeriShieldError

Advance = Callable[[float], None]

_SAMPLE_EVERY = 64
_PLAIN_FILES = 60


def run(
    cameras: int = 100,
    days: int = 30,
    segment_s: int = 60,
    seeks: int = 30,
    hours: float = 24,
    progress: Advance | None = None,
) -> dict[str, Any]:
    """Measure; times in milliseconds, memory (resident set of the server) in MiB.

    Raises ConfigError for arguments that make no sense, PeriShieldError (`bench_failed`) where the server fails.
    """
    if not (1 <= cameras <= 1000 and 1 <= days <= 365 and 2 <= segment_s <= 3600 and seeks >= 1 and 0 < hours <= 24):
        raise ConfigError(
            "bench playback: 1 to 1000 cameras, 1 to 365 days, segments of 2 s to an hour, up to 24 hours"
        )
    advance = progress or (lambda share: None)
    with tempfile.TemporaryDirectory(prefix="perishield-bench-") as folder:
        began = time.monotonic()
        archive = build(Path(folder), cameras, days, segment_s, seeks, lambda share: advance(share * 0.6))
        built = time.monotonic() - began
        with _server(archive) as (address, pid, token):
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=address, headers=headers, timeout=120) as client:
                figures = _measure(archive, client, pid, hours, lambda share: advance(0.6 + share * 0.4))
    advance(1.0)
    return {
        "cameras": cameras,
        "days": days,
        "segment_s": segment_s,
        "rows": archive.rows,
        "database_mb": round(archive.database_bytes / 1e6),
        "build_s": round(built, 1),
        **figures,
        "machine": machine(),
    }


@contextmanager
def _server(archive: Archive) -> Iterator[tuple[str, int, str]]:
    """The server role as a process of its own; yields its address, its process and a viewer's token."""
    config = {
        "data_dir": str(archive.data),
        "run_dir": str(archive.data / "run"),
        "media_dir": str(archive.media),
        "port": 0,
        "compare_footage": False,
        "log_level": "info",
        "log_format": "json",
    }
    log = archive.data / "server.log"
    child = start_role("server", config, log=log)
    try:
        port = _port(log)
        token = (archive.data / "run" / "token").read_text()
        yield f"http://127.0.0.1:{port}", child.pid, token
    finally:
        child.terminate()
        child.wait(20)


def _port(log: Path) -> int:
    for line in log.read_text().splitlines():
        if "server.listening" in line:
            return int(line.rpartition("127.0.0.1:")[2].split('"')[0].split("/")[0])
    raise PeriShieldError("bench playback: the server did not say where it listens", code="bench_failed")


def _measure(archive: Archive, client: httpx.Client, pid: int, hours: float, advance: Advance) -> dict[str, Any]:
    # Once for nothing: modules are loaded with the first request.
    _first_picture(client, *archive.targets[0], 60.0)
    seeks, floor = [], []
    for number, (camera, moment) in enumerate(archive.targets):
        floor.append(_plain(archive, moment))
        seeks.append(_first_picture(client, camera, moment, 60.0))
        advance(0.3 * number / len(archive.targets))
    length = hours * 3600
    # Other ends, so that no layout is known from the time before.
    day = [_first_picture(client, archive.day_camera, archive.day_start, length - turn) for turn in range(5)]
    again = [_first_picture(client, archive.day_camera, archive.day_start, length) for _ in range(6)][1:]
    peer = [_ffmpeg(archive, hours) for _ in range(5)] if shutil.which("ffmpeg") else []
    plain = _served_files(client, archive)
    streamed = _stream(client, archive, pid, hours)
    fast = _rate(client, archive, hours)
    advance(1.0)
    return {
        "seek_ms": _spread(seeks),
        "plain_seek_ms": _spread(floor),
        "seek_ratio_to_plain": round(statistics.median(seeks) / statistics.median(floor), 2),
        "day_first_ms": _spread(day),
        "day_again_ms": _spread(again),
        "ffmpeg_day_first_ms": _spread(peer) if peer else None,
        "day_ratio_to_ffmpeg": round(statistics.median(day) / statistics.median(peer), 3) if peer else None,
        **asdict(streamed),
        "files_mb_s": round(plain, 1),
        "stream_ratio_to_files": round(streamed.stream_mb_s / plain, 3),
        **fast,
    }


class _Body(io.RawIOBase):
    """A response's body as a file that cannot seek."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _first_picture(client: httpx.Client, camera: str, moment: float, length: float) -> float:
    """Milliseconds from asking the API to the decoded picture of that moment, exact to the frame."""
    began = time.perf_counter()
    answer = client.get(f"/api/video/playback/{camera}", params={"from": moment, "to": moment + length})
    if answer.status_code != 200:
        raise PeriShieldError(f"bench playback: {answer.status_code} {answer.text[:200]}", code="bench_failed")
    found = answer.json()
    with client.stream("GET", found["url"]) as stream:
        _show(_Body(stream.iter_raw(1 << 16)), found["start_offset_s"])
    return (time.perf_counter() - began) * 1000


def _show(source: io.RawIOBase | str, offset: float) -> None:
    """Decode until the picture that is shown at `offset` seconds."""
    import av

    with av.open(source, "r", options={"probesize": "32768"}) as container:
        if isinstance(source, str):
            container.seek(int(offset * 1e6))
        for frame in container.decode(video=0):
            if frame.time + 0.04 > offset:
                return
    raise PeriShieldError("bench playback: there is no picture", code="bench_failed")


def _plain(archive: Archive, moment: float) -> float:
    """The same from the segment file itself, without a server or an index: the floor."""
    began = time.perf_counter()
    _show(str(archive.segment), moment % archive.segment_s)
    return (time.perf_counter() - began) * 1000


def _day_files(archive: Archive, hours: float) -> list[Path]:
    return archive.day_files[: max(1, int(hours * 3600 / archive.segment_s))]


def _ffmpeg(archive: Archive, hours: float) -> float:
    """The first picture of the range by ffmpeg over a list of its files."""
    listed = archive.data / "day.txt"
    listed.write_text("".join(f"file '{path}'\n" for path in _day_files(archive, hours)))
    command = ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", str(listed)]
    began = time.perf_counter()
    subprocess.run([*command, "-frames:v", "1", "-f", "null", "-"], check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


def _served_files(client: httpx.Client, archive: Archive) -> float:
    """MB/s of the same segments served as plain files by the same server: what rewriting times costs."""
    asked = {"from": archive.day_start, "to": archive.day_start + _PLAIN_FILES * archive.segment_s}
    items = client.get(f"/api/video/recordings/{archive.day_camera}", params=asked).json()["items"]
    began, total = time.perf_counter(), 0
    for item in items:
        with client.stream("GET", item["url"]) as stream:
            total += sum(len(block) for block in stream.iter_raw())
    return total / 1e6 / (time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class _Streamed:
    stream_gb: float
    stream_mb_s: float
    rss_start_mb: float
    rss_peak_mb: float
    rss_end_mb: float


def _stream(client: httpx.Client, archive: Archive, pid: int, hours: float) -> _Streamed:
    """The whole range, read and thrown away, with the server's memory sampled under way."""
    asked = {"from": archive.day_start, "to": archive.day_start + hours * 3600}
    found = client.get(f"/api/video/playback/{archive.day_camera}", params=asked).json()
    start = peak = _rss(pid)
    began, total, blocks = time.perf_counter(), 0, 0
    with client.stream("GET", found["url"]) as stream:
        for block in stream.iter_raw():
            total += len(block)
            blocks += 1
            if blocks % _SAMPLE_EVERY == 0:
                peak = max(peak, _rss(pid))
    seconds = time.perf_counter() - began
    if total != found["parts"][0]["size"]:
        raise PeriShieldError(f"bench playback: {total} of {found['parts'][0]['size']} bytes came", code="bench_failed")
    return _Streamed(round(total / 1e9, 2), round(total / 1e6 / seconds, 1), start, peak, _rss(pid))


def _rate(client: httpx.Client, archive: Archive, hours: float) -> dict[str, Any]:
    """Bytes a second of watching at 1x and, key frames only, at 4x, 8x and 16x."""
    length = min(hours * 3600, 600.0)
    rates = {}
    for speed in (1, 4, 8, 16):
        asked = {"from": archive.day_start, "to": archive.day_start + length, "speed": speed}
        found = client.get(f"/api/video/playback/{archive.day_camera}", params=asked).json()
        total = len(client.get(found["url"]).content)
        rates[f"bytes_s_{speed}x"] = round(total / (length / speed))
    return rates


def _rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=2) + os.linesep)

"""A test stand: cameras from the simulator, one recorder as the product runs it, both as processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perishield.bus.site_file import write_site
from perishield.evaluation.role_process import start_role
from perishield.evaluation.texture_clip import write_clip
from perishield.model.errors import PeriShieldError
from perishield.model.site import Analysis, Camera, Site
from perishield.recording.index import list_segments

FPS = 25
GOP_S = 1.0
_CLIP_S = 10.0
_STOP_S = 15.0


class FaultError(PeriShieldError):
    """A promise was not kept, or the stand itself could not do its part: `fault_found`."""

    code = "fault_found"


def demand(kept: bool, promise: str) -> None:
    """Raise FaultError that names the broken promise."""
    if not kept:
        raise FaultError(promise)


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until `true()`. Raises FaultError naming `what` did not happen."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise FaultError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - began


class Stand:
    """Cameras `cam-0`... and a recorder below `folder`; everything ends with the block that opened it."""

    def __init__(
        self,
        folder: Path,
        cameras: int,
        *,
        media: Path | None = None,
        environment: Mapping[str, str] | None = None,
        options: Mapping[str, object] | None = None,
        simulator: Sequence[str] = (),
        camera: Mapping[str, Any] | None = None,
        bitrate: int = 400_000,
    ) -> None:
        self.data = folder / "data"
        self.media = media or self.data / "media"
        self.names = [f"cam-{index}" for index in range(cameras)]
        self.port = 0
        self.began = 0.0
        self.recorder: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self.environment = {**os.environ, **(environment or {})}
        self._options = dict(options or {})
        self._simulator_options = tuple(simulator)
        self._camera = dict(camera or {})
        self._bitrate = bitrate
        self._simulator: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[Stand]:
        """Serve the cameras and record them from here on."""
        try:
            self.serve()
            self.publish()
            self.start()
            yield self
        finally:
            self.close()

    def close(self) -> None:
        """End what still runs, politely or not."""
        try:
            self.stop()
        finally:
            _end(self._simulator)

    def serve(self) -> None:
        """Start the cameras."""
        clip = self._folder / "clip.mp4"
        write_clip(clip, width=320, height=192, fps=FPS, seconds=_CLIP_S, bitrate=self._bitrate, gop_s=GOP_S)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        command = [sys.executable, "-m", "perishield", "simulate", str(clip), "--port", str(self.port)]
        self._simulator = subprocess.Popen([*command, *self._simulator_options], stdout=subprocess.PIPE)
        if self._simulator.stdout is None:
            raise AssertionError("it is a pipe")
        with self._simulator.stdout as told:
            if not told.readline():
                raise FaultError("the simulated cameras did not start; see the message above")

    def publish(self, port: int = 0, **changes: Any) -> None:
        """Tell the recorder which cameras there are, behind `port` where something stands between."""
        settings = {"analysis": Analysis(enabled=False), **self._camera, **changes}
        cameras = tuple(
            Camera(id=name, name=name, url=f"rtsp://127.0.0.1:{port or self.port}/clip?{name}", **settings)
            for name in self.names
        )
        self.data.mkdir(parents=True, exist_ok=True)
        write_site(self.data / "site.json", Site(revision=time.monotonic_ns(), cameras=cameras))

    def start(self) -> None:
        """Start the recorder, and wait for its READY. Raises PeriShieldError."""
        config = {
            "data_dir": str(self.data),
            "run_dir": str(self.data / "run"),
            "media_dir": str(self.media),
            "segment_s": 4.0,
            "log_level": "error",
            **self._options,
        }
        log = self._folder / "recorder.log"
        self.recorder = start_role("ingest", config, log=log, environment=self.environment)
        self.began = self.began or time.time()

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self.recorder is not None:
            self.recorder.kill()
            self.recorder.wait()

    def stop(self) -> None:
        """SIGTERM: a clean end. Raises FaultError where it takes too long."""
        process, self.recorder = self.recorder, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise FaultError(f"the recorder did not end within {_STOP_S:g} s of SIGTERM") from None

    @property
    def alive(self) -> bool:
        return self.recorder is not None and self.recorder.poll() is None

    def log(self) -> str:
        """What the recorder complained about."""
        try:
            return (self._folder / "recorder.log").read_text(errors="replace")
        except OSError:
            return ""

    def files(self, camera: str, *, pool: str = "recordings") -> list[Path]:
        return sorted((self.media / pool / camera).glob("*/*/*.mp4"))

    def newest(self, camera: str) -> float:
        """Unix seconds at which that camera's newest footage ends, 0 without any."""
        now = time.time()
        rows = list_segments(self.media, camera, now - 7200, now + 7200)
        return max((row.start + row.duration for row in rows), default=0.0)

    def all_record(self, since: float, seconds: float = 30.0) -> float:
        """Seconds until every camera has footage from after `since` (Unix seconds)."""
        return wait_until(
            lambda: all(self.newest(name) > since + 0.5 for name in self.names),
            seconds,
            "every camera is recorded again",
        )

    def memory(self) -> float:
        """Proportional set size of the recorder, in MB."""
        if self.recorder is None:
            return 0.0
        for line in Path(f"/proc/{self.recorder.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return 0.0


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

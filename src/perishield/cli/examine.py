"""`perishield doctor rtsp://...`: every step of the way to a camera's picture, and what the picture is like."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import sys
import time
from dataclasses import asdict
from urllib.parse import urlsplit

from rich.markup import escape

from perishield.cli.output import console, print_json
from perishield.model.errors import PeriShieldError, mask_url
from perishield.model.media import AudioFormat, Packet, StreamCondition, StreamState, VideoFormat
from perishield.model.site import Camera, Transport
from perishield.sources.doctor.probe import Examination, Tell, probe
from perishield.sources.doctor.step import Step, Verdict, fail, ok
from perishield.sources.open import open_source

_RTSP = ("rtsp", "rtsps")
_VARIABLE = "PERISHIELD_DOCTOR_PASSWORD"
_MARKS = {Verdict.OK: "[green]ok  [/]", Verdict.WARN: "[yellow]warn[/]", Verdict.FAIL: "[red]fail[/]"}


def run(
    url: str,
    seconds: float,
    *,
    username: str = "",
    password_stdin: bool = False,
    transport: str = "auto",
    fingerprint: str = "",
    as_json: bool = False,
) -> None:
    """Print the steps as they end, or all as one JSON object; exit code 1 when one failed."""
    camera = Camera(
        id="doctor",
        name="doctor",
        url=url,
        username=username,
        password=_password(username, from_stdin=password_stdin),
        transport=Transport(transport),
        tls_fingerprint=fingerprint,
    )
    logging.getLogger("perishield").setLevel(logging.CRITICAL)
    if not as_json:
        console.print(mask_url(url), highlight=False, markup=False)
    examination = asyncio.run(examine(camera, seconds, None if as_json else _show))
    if as_json:
        steps = [asdict(step) for step in examination.steps]
        print_json({"url": examination.url, "healthy": examination.healthy, "steps": steps})
    sys.exit(0 if examination.healthy else 1)


def _password(username: str, *, from_stdin: bool) -> str:
    """Never an argument: those are readable to every user of this machine."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not username:
        return ""
    if _VARIABLE in os.environ:
        return os.environ[_VARIABLE]
    return getpass.getpass(f"Password of {username}: ") if sys.stdin.isatty() else ""


def _show(step: Step) -> None:
    took = "" if step.ms is None else f"{step.ms:.0f} ms"
    console.print(
        f"{_MARKS[step.verdict]} {step.name:15} {took:>8}  {escape(step.says)}", highlight=False, soft_wrap=True
    )
    if step.way_out:
        console.print(f"{'':31}[dim]{escape(step.way_out)}[/]", highlight=False, soft_wrap=True)


async def examine(camera: Camera, seconds: float, tell: Tell | None = None) -> Examination:
    """By the doctor's steps where it is RTSP; else whether a picture comes."""
    if urlsplit(camera.url.strip()).scheme.lower() in _RTSP:
        return await probe(camera, seconds, tell)
    examination = Examination(mask_url(camera.url), [await _glimpse(camera, seconds)])
    if tell is not None:
        tell(examination.steps[0])
    return examination


class _Eyes:
    """A sink that remembers when the first key frame came."""

    def __init__(self) -> None:
        self.picture = asyncio.Event()
        self.form = ""

    def format(self, video: VideoFormat) -> None:
        self.form = f"{video.mime} {video.width}x{video.height}"

    def packet(self, packet: Packet) -> None:
        if packet.key:
            self.picture.set()

    def discontinuity(self, reason: str) -> None:
        """The next key frame is what is looked for."""

    def rest(self) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None:
        """A picture is what is looked for."""

    def audio(self, packet: Packet) -> None:
        """A picture is what is looked for."""


async def _glimpse(camera: Camera, seconds: float) -> Step:
    """Try an address of another kind until its first key frame, its first error, or the end of `seconds`."""
    eyes, failed = _Eyes(), asyncio.Event()
    states: list[StreamState] = []

    def told(state: StreamState) -> None:
        states.append(state)
        if state.condition is StreamCondition.FAILED:
            failed.set()

    began = time.monotonic()
    try:
        source = open_source(camera, eyes, told)
    except PeriShieldError as error:
        return fail("address", error.code, error.message, "")
    running = asyncio.create_task(source.run())
    waits = {asyncio.create_task(eyes.picture.wait()), asyncio.create_task(failed.wait()), running}
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    ms = round((time.monotonic() - began) * 1000, 1)
    if eyes.picture.is_set():
        return ok("key_frame", "key_frame", f"{eyes.form}: the first picture is complete", ms)
    message = next((state.message for state in reversed(states) if state.message), "")
    says = message.removeprefix("camera 'doctor': ") or f"no key frame within {ms / 1000:.0f} s"
    return fail("key_frame", "key_none", says, "", ms, seconds=round(ms / 1000, 1), slices=0)

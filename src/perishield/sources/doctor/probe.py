"""The doctor's visit to an RTSP camera: every step of the way to its picture, then some seconds of watching.

The connection is the recorder's own (`RtspSource`), looked at through its observer: what the doctor finds is what the
recorder would meet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from perishield.model.device_reach import DeviceReach, literal
from perishield.model.errors import PeriShieldError, SourceError, mask_url
from perishield.model.media import StreamCondition, StreamState
from perishield.model.site import Camera
from perishield.sources.doctor.brightness import brightness
from perishield.sources.doctor.census import Census
from perishield.sources.doctor.reach import Door, reach
from perishield.sources.doctor.sight import Sight
from perishield.sources.doctor.step import Step, Verdict, fail, ok, warn
from perishield.sources.doctor.verdicts import Measured, judge, no_key_frame, picture
from perishield.sources.rtsp.auth import parse_challenges
from perishield.sources.rtsp.framing import Message
from perishield.sources.rtsp.observer import Observer, TakePacket
from perishield.sources.rtsp.rtcp import SenderReport
from perishield.sources.rtsp.sdp import parse_sdp
from perishield.sources.rtsp.session import Patience
from perishield.sources.rtsp.source import RtspSource
from perishield.sources.rtsp.url import parse_url

Tell = Callable[[Step], None]

_WATCH_S = 5.0
_LARGEST_PICTURE = 64_000_000
_MOST_SHOWN = 200
_STEPS = {"OPTIONS": "options", "DESCRIBE": "describe", "SETUP": "setup", "PLAY": "play"}
_WAYS_OUT = {
    "not_found": "take the path from the camera's manual, its web page or its ONVIF profile",
    "busy": "close other viewers, or wait a minute for sessions that were left behind",
    "timeout": "restart the camera; look whether it is overloaded",
    "unsupported_codec": "set this stream to H.264 or H.265 on the camera",
    "not_a_video": "check address and port: something else answers there",
    "gone": "restart the camera; look whether it has too many viewers",
    "refused": "check the port, and that RTSP is switched on",
}


@dataclass(slots=True)
class Examination:
    """What came of it: `url` without credentials, `steps` in the order in which they were taken."""

    url: str
    steps: list[Step] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        return all(step.verdict is not Verdict.FAIL for step in self.steps)


class Watch(Observer):
    """Turns what a session does into steps. `name` is the step that is under way."""

    def __init__(self, camera: Camera, tell: Tell, measured: Measured) -> None:
        self.name = "options"
        self.packet = asyncio.Event()
        self.began = time.monotonic()
        self._camera = camera
        self._tell = tell
        self._measured = measured
        self.refused = False
        self._set_up = False
        self._challenged = 0.0
        self._offered = ""
        self._admitted = False

    def asking(self, method: str, url: str) -> None:
        self.name = _STEPS.get(method, self.name)
        self.began = time.monotonic()
        self._challenged = 0.0

    def challenged(self, message: Message) -> None:
        if not self._challenged:
            self._challenged = time.monotonic()
            challenges = parse_challenges(message.headers.get("www-authenticate", []))
            names = ("Basic" if one.scheme == "basic" else f"Digest {one.algorithm}" for one in challenges)
            self._offered = ", ".join(dict.fromkeys(names))[:_MOST_SHOWN]

    def answered(self, method: str, message: Message, scheme: str) -> None:
        name, status = _STEPS.get(method), message.status
        if name is None:
            return
        if status in (401, 403):
            self._refused(scheme, status)
            return
        if self._challenged and not self._admitted and status < 400:
            self._admit(scheme)
        ms = _ms(self.began, self._challenged or time.monotonic())
        if 300 <= status < 400:
            where = mask_url(message.header("location") or "")[:_MOST_SHOWN]
            self._tell(ok("redirect", "redirect", f"the camera sends us to {where}", ms, location=where))
        elif status < 300:
            self._good(name, message, ms)
            if name == "describe" and not self._admitted:
                self._tell(_unguarded())
        elif name == "options":
            # Some cameras know no OPTIONS; all else works.
            says = f"OPTIONS is answered {status} {message.reason}".strip()
            self._tell(ok(name, "options_odd", f"{says}: no harm", ms, status=status))

    def _good(self, name: str, message: Message, ms: float) -> None:
        if name == "options":
            server = (message.header("server") or "")[:_MOST_SHOWN]
            says = f"it speaks RTSP ({server})" if server else "it speaks RTSP"
            self._tell(ok(name, "options", says, ms, server=server))
        elif name == "describe":
            self._describe(message, ms)
        elif name == "setup" and not self._set_up:
            self._set_up = True
            transport = (message.header("transport") or "")[:_MOST_SHOWN]
            over = "TCP" if "tcp" in transport.lower() or "interleaved" in transport.lower() else "UDP"
            self._tell(ok(name, "setup", f"packets will come over {over}", ms, transport=over, header=transport))
        elif name == "play":
            self._tell(ok(name, "play", "the stream was started", ms))

    def _describe(self, message: Message, ms: float) -> None:
        description = parse_sdp(message.body)
        tracks = [f"{track.kind} {track.encoding or track.payload_type}" for track in description.tracks]
        shown = ", ".join(tracks)[:_MOST_SHOWN] or "nothing"
        self._tell(ok("describe", "describe", f"the stream consists of {shown}", ms, tracks=shown))
        measured = self._measured
        measured.encrypted = b"RTP/SAVP" in message.body
        sounds = (track.encoding for track in description.tracks if track.kind == "audio" and not track.send_only)
        measured.sound_offered = tuple(dict.fromkeys(name for name in sounds if name))
        videos = description.videos
        if videos and videos[0].codec is not None:
            measured.census = Census(videos[0].codec, videos[0].rate)
            measured.sets_offered = bool(videos[0].parameter_sets)

    def _admit(self, scheme: str) -> None:
        self._admitted = True
        ms = _ms(self._challenged)
        facts = {"scheme": scheme, "offered": self._offered}
        if scheme == "Basic" and not self._camera.url.lower().startswith(("rtsps", "rtspx")):
            says = "user and password are accepted, but Basic sends them readable over the network"
            way_out = "switch the camera to Digest, or use RTSPS"
            self._tell(warn("authentication", "auth_basic", says, way_out, ms, **facts))
        else:
            says = f"user and password are accepted ({scheme})"
            self._tell(ok("authentication", "auth", says, ms, **facts))

    def _refused(self, scheme: str, status: int) -> None:
        self.name, self.refused = "authentication", True
        ms = _ms(self._challenged or self.began)
        facts = {"scheme": scheme, "offered": self._offered, "status": status}
        if not self._camera.username and "@" not in self._camera.url:
            says, way_out = "the camera wants a user and a password", "give those of a viewer's account on the camera"
            self._tell(fail(self.name, "auth_wanted", says, way_out, ms, **facts))
            return
        says = f"the camera refuses this user and password ({scheme or self._offered or status})"
        way_out = "check both; after several tries cameras lock the account for some minutes; RTSP may have its own"
        self._tell(fail(self.name, "auth_refused", says, way_out, ms, **facts))

    def playing(self) -> None:
        self.name = "first_packet"
        self.began = time.monotonic()

    def report(self, report: SenderReport) -> None:
        self._measured.offsets.append(report.wall - time.time())
        del self._measured.offsets[:-64]

    def tap(self, take: TakePacket) -> TakePacket:
        census = self._measured.census

        def counted(data: bytes, start: int, end: int) -> None:
            self.packet.set()
            if census is not None:
                census.packet(data, start, end, time.monotonic())
            take(data, start, end)

        return counted


async def probe(
    camera: Camera,
    seconds: float,
    tell: Tell | None = None,
    forbidden: Callable[[str], bool] = lambda _: False,
    allowed: DeviceReach | None = None,
) -> Examination:
    """Examine a camera behind an RTSP address within about `seconds`; `tell` hears each step as it ends.

    `forbidden` says of an IP address that nothing may be sent to it; `allowed`: where cameras may be, None: anywhere.

    Never raises for what is wrong with the camera: that is a step that failed.
    """
    examination = Examination(mask_url(camera.url))

    def told(step: Step) -> None:
        examination.steps.append(step)
        if tell is not None:
            tell(step)

    deadline = time.monotonic() + seconds
    try:
        endpoint = parse_url(camera.url, camera.username, camera.password)
    except SourceError as error:
        told(fail("address", "address", error.message, "write rtsp://host:port/path"))
        return examination
    door = Door(endpoint.host, endpoint.port, endpoint.tls, camera.tls_fingerprint)

    def barred(host: str) -> bool:
        address = literal(host)
        return forbidden(host) or bool(allowed and address and allowed.refusal(address, door.port))

    if not await reach(door, min(5.0, seconds), told, barred):
        return examination
    measured = Measured(Sight())
    watch = Watch(camera, told, measured)
    failed: asyncio.Future[StreamState] = asyncio.get_running_loop().create_future()

    def heard(state: StreamState) -> None:
        if state.condition is StreamCondition.FAILED and not failed.done():
            failed.set_result(state)

    patience = Patience(connect_s=min(5.0, seconds), response_s=seconds, idle_s=seconds, key_frame_s=2 * seconds)
    source = RtspSource(camera, measured.sight, heard, patience=patience, observer=watch, reach=allowed)
    running = asyncio.create_task(source.run())
    try:
        await _follow(watch, measured, failed, deadline, told)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return examination


async def _follow(
    watch: Watch, measured: Measured, failed: asyncio.Future[StreamState], deadline: float, tell: Tell
) -> None:
    """Wait for the first packet, the first key frame and some more, each until something fails or time is up."""
    sight = measured.sight
    if not await _before(watch.packet, failed, deadline):
        if not watch.refused:
            tell(_not_so_far(watch, failed))
        return
    tell(ok("first_packet", "first_packet", "packets come", _ms(watch.began)))
    watch.name, watch.began = "key_frame", time.monotonic()
    if not await _before(sight.key, failed, deadline):
        ms = _ms(watch.began)
        tell(no_key_frame(measured, ms / 1000, ms) if not failed.done() else _failure(watch, failed.result()))
        return
    tell(ok("key_frame", "key_frame", "the first picture is complete", _ms(watch.began)))
    until = min(deadline, time.monotonic() + _WATCH_S)
    if not await _before(asyncio.Event(), failed, until) and not failed.done() and not sight.second_key.is_set():
        await _before(sight.second_key, failed, deadline)
    for step in judge(measured):
        tell(step)
    tell(await _picture(sight))
    if failed.done():
        state = failed.result()
        tell(fail("stream", f"source_{state.code}", _said(state), _WAYS_OUT.get(state.code, "restart the camera")))


async def _before(event: asyncio.Event, failed: asyncio.Future[StreamState], deadline: float) -> bool:
    """Whether the event came before a failure and the deadline."""
    waiting = asyncio.create_task(event.wait())
    try:
        patience = max(0.0, deadline - time.monotonic())
        await asyncio.wait((waiting, failed), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        return event.is_set()
    finally:
        waiting.cancel()


def _not_so_far(watch: Watch, failed: asyncio.Future[StreamState]) -> Step:
    if failed.done():
        return _failure(watch, failed.result())
    ms = _ms(watch.began)
    seconds = round(ms / 1000, 1)
    if watch.name == "first_packet":
        says = f"the stream was started, but no packet came within {seconds:g} s"
        way_out = "restart the camera; with UDP look at firewalls, or set the transport to TCP"
        return fail(watch.name, "packet_none", says, way_out, ms, seconds=seconds)
    says = f"no answer within {seconds:g} s"
    return fail(watch.name, "answer_none", says, "restart the camera; look whether it is overloaded", ms)


def _failure(watch: Watch, state: StreamState) -> Step:
    name = "video" if state.code == "unsupported_codec" else watch.name
    way_out = _WAYS_OUT.get(state.code, "restart the camera, or update its firmware")
    return fail(name, f"source_{state.code}", _said(state), way_out, _ms(watch.began))


def _said(state: StreamState) -> str:
    """The message without the name of a camera that has none."""
    return state.message.removeprefix(f"camera {state.camera!r}: ")


def _unguarded() -> Step:
    says = "the camera asks for no password: whoever reaches it can watch"
    return warn("authentication", "auth_none", says, "set a user and a password on the camera", 0.0)


async def _picture(sight: Sight) -> Step:
    video = sight.video
    if video is None or video.width * video.height > _LARGEST_PICTURE:
        return warn("picture", "picture_large", "the picture is too large to be looked at here", "")
    try:
        return picture(await asyncio.to_thread(brightness, video, sight.key_frame))
    except PeriShieldError as error:
        way_out = "restart the camera, update its firmware, or choose another profile"
        return fail("picture", "picture_broken", error.message, way_out)


def _ms(began: float, ended: float | None = None) -> float:
    return round(((time.monotonic() if ended is None else ended) - began) * 1000, 1)

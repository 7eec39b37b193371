"""One client's connection to the simulator: answers its requests, sends it frames."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote

from perishield.model.errors import ConfigError
from perishield.sources.rtsp.framing import Message, parse_head
from perishield.sources.simulator.answer import answer
from perishield.sources.simulator.datagrams import Datagrams
from perishield.sources.simulator.faults import Faults, faults_of
from perishield.sources.simulator.gatekeeper import Gatekeeper
from perishield.sources.simulator.lies import false_description, false_report
from perishield.sources.simulator.mangler import PacketMangler
from perishield.sources.simulator.sound import CONTROL as SOUND_CONTROL
from perishield.sources.simulator.sound import SoundSender
from perishield.sources.simulator.timeline import Timeline

_NAME = re.compile(r"rtsps?://[^/]*/([^/?]+)", re.IGNORECASE)
_CLIENT_PORT = re.compile(r"client_port=(\d{1,5})-(\d{1,5})")
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})")
_REPORT_PAUSES = (0.4, 0.6)
_REPORT_EVERY_S = 5.0
_MOST_WAITING = 4 << 20
_LONGEST_REQUEST = 65_536


class SimulatorClient(asyncio.Protocol):
    """A frame goes out whole or, while the client does not read, not at all: then it sees a gap."""

    def __init__(
        self,
        timelines: dict[str, Timeline],
        faults: Callable[[], Faults],
        gatekeeper: Callable[[], Gatekeeper],
        register: Callable[[SimulatorClient, bool], None],
        datagrams: Datagrams,
        others: Callable[[], int],
    ) -> None:
        self.requests: list[str] = []
        self._timelines = timelines
        self._faults = faults()
        self._gatekeeper = gatekeeper()
        self._register = register
        self._datagrams = datagrams
        self._others = others
        self._target: tuple[str, int] | None = None
        self._frames = 0
        self._reports = 0
        self._nonsense = ""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._timeline: Timeline | None = None
        self._sound: SoundSender | None = None
        self._channels = (0, 1)
        self._session = secrets.token_hex(4)
        self._mangler: PacketMangler | None = None
        self._playing = False
        self._started = False
        self._congested = False
        self._timers: list[asyncio.TimerHandle] = []
        self._last_request = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MOST_WAITING)
        self._register(self, True)

    @property
    def playing(self) -> bool:
        return self._playing

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._register(self, False)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False

    def close(self) -> None:
        """Break off."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    def frame(self, data: bytes, frames: tuple[int, ...], *, key: bool) -> None:
        if self._transport is None or self._congested:
            return
        if not self._started:
            if not key:
                return
            self._started = True
        if self._faults.switch_to:
            self._count_frame()
        if self._target is not None:
            self._send_datagrams(data, frames, self._target)
            return
        if self._mangler is not None:
            data = self._mangler.interleaved(data, frames)
            if self._mangler.ended:
                self._transport.write(data)
                self._stop()
                self._transport.close()
                return
        self._transport.write(data)

    def sound(self, packet: bytes) -> None:
        sender = self._sound
        if self._transport is None or self._congested or sender is None:
            return
        packet = sender.change(packet)
        if packet and sender.target is not None:
            if not self._faults.udp_silent:
                self._datagrams.send(packet, sender.target)
        elif packet:
            self._transport.write(b"$" + bytes((sender.channels[0],)) + len(packet).to_bytes(2, "big") + packet)

    def _send_datagrams(self, data: bytes, frames: tuple[int, ...], target: tuple[str, int]) -> None:
        send = self._datagrams.send
        if self._faults.udp_silent:
            return
        if self._mangler is not None:
            other = self._faults.other_server_port
            for packet in self._mangler.datagrams(data, frames):
                send(packet, target, other=other)
            return
        view = memoryview(data)
        for begin, end in zip(frames, (*frames[1:], len(data)), strict=True):
            send(view[begin + 4 : end], target)

    def _count_frame(self) -> None:
        """After so many frames, another clip's come; they are joined at its next key frame."""
        self._frames += 1
        following = self._timelines.get(self._faults.switch_to)
        if self._frames != self._faults.switch_after_frames or following is None or self._timeline is None:
            return
        self._timeline.leave(self)
        self._timeline, self._started = following, False
        following.join(self)
        if self._mangler is not None:
            self._mangler.switched(following.clip.codec)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while buffer:
            if buffer[0] == 0x24:
                if len(buffer) < 4 or len(buffer) < (size := 4 + int.from_bytes(buffer[2:4], "big")):
                    return
                del buffer[:size]
                continue
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > _LONGEST_REQUEST:
                    self.close()
                return
            head = bytes(buffer[:end])
            del buffer[: end + 4]
            if not head.startswith(b"RTSP/"):
                self._answer(head)

    def _answer(self, head: bytes) -> None:
        request = parse_head(head)
        self._last_request = time.monotonic()
        words = head.split(b"\r\n", 1)[0].decode("utf-8", "replace").split()
        if len(words) != 3:
            self._respond(request, 400)
            return
        method, url = words[0], words[1]
        self.requests.append(method)
        try:
            if len(self.requests) == 1:
                self._faults = faults_of(url, self._faults)
        except ConfigError as error:
            self._nonsense = error.message
        if self._nonsense:
            self._respond(request, 400, f"X-Reason: {self._nonsense}")
            return
        if self._faults.enforce_timeout and len(self.requests) == 1:
            self._later(0.2, self._expire)
        if method not in ("OPTIONS", "TEARDOWN") and not self._admitted(request, method, url):
            self._respond(request, 401, *(f"WWW-Authenticate: {text}" for text in self._gatekeeper.challenges()))
            return
        handler = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "GET_PARAMETER": self._keep_alive,
            "TEARDOWN": self._teardown,
        }.get(method)
        if handler is None:
            self._respond(request, 405)
        else:
            handler(request, url)

    def _admitted(self, request: Message, method: str, url: str) -> bool:
        if self._faults.always_401:
            return False
        return self._gatekeeper.admits(request.header("authorization") or "", method, url)

    def _options(self, request: Message, url: str) -> None:
        if self._faults.no_options:
            self._respond(request, 501)
            return
        if self._lost_session(request):
            return
        self._respond(request, 200, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")

    def _lost_session(self, request: Message) -> bool:
        """Whether a request of a playing client bears a session that is none; it has then been answered."""
        wrong = self._playing and self._faults.session_ids != "one" and request.header("session") != self._session
        if wrong:
            self._respond(request, 454, f"Session: {self._session}")
        return wrong

    def _keep_alive(self, request: Message, url: str) -> None:
        how = self._faults.get_parameter
        if how == "close":
            self.close()
        if how != "answer" or self._lost_session(request):
            return
        self._respond(request, 405 if self._faults.no_get_parameter else 200)

    def _describe(self, request: Message, url: str) -> None:
        match = _NAME.match(url)
        timeline = self._timelines.get(unquote(match[1])) if match else None
        faults = self._faults
        if faults.redirect_to or faults.redirect_to_self:
            self._respond(request, 302, f"Location: {faults.redirect_to or url.partition('?')[0]}")
        elif request.header("require") and faults.back_channel:
            self._respond(request, 551, f"Unsupported: {request.header('require')}")
        elif timeline is None:
            self._respond(request, 404)
        else:
            self._timeline = timeline
            text = faults.sdp
            if text is None:
                text = timeline.clip.description(with_parameter_sets=not faults.no_parameter_sets)
                text = false_description(text, faults, url)
            headers = ["Content-Type: application/sdp"]
            base = f"{url.rstrip('/')}/" if faults.content_base is None else faults.content_base
            if base:
                headers.insert(0, f"Content-Base: {base}")
            self._respond(request, 200, *headers, body=text.encode())

    def _setup(self, request: Message, url: str) -> None:
        faults = self._faults
        asked = request.header("transport") or ""
        channels, ports = _INTERLEAVED.search(asked), _CLIENT_PORT.search(asked)
        if self._timeline is not None and url.endswith("trackID=9"):
            self._respond(request, 551)
        elif self._timeline is not None and self._timeline.sound is not None and url.endswith(SOUND_CONTROL):
            self._setup_sound(request, channels, ports, self._timeline)
        elif self._timeline is None or not url.endswith("trackID=0"):
            self._respond(request, 404)
        elif faults.busy or (faults.one_session and self._others()):
            self._respond(request, 453)
        elif "RTP/AVP/TCP" in asked and channels is not None and not faults.refuse_tcp:
            self._channels = faults.channels or (int(channels[1]), int(channels[2]))
            pair = str(self._channels[0]) if faults.single_channel else "{}-{}".format(*self._channels)
            granted = "RTP/AVP/TCP;unicast" + ("" if faults.channels_missing else f";interleaved={pair}")
            self._grant(request, granted, self._timeline)
        elif (
            ("RTP/AVP;" in asked or "RTP/AVP/UDP;" in asked)
            and ports is not None
            and not faults.refuse_udp
            and self._transport is not None
        ):
            self._target = (self._transport.get_extra_info("peername")[0], int(ports[1]))
            port = self._datagrams.port
            granted = f"RTP/AVP/UDP;unicast;client_port={ports[1]}-{ports[2]}"
            granted += "" if faults.no_server_port else f";server_port={port}-{port + 1}"
            self._grant(request, granted, self._timeline)
        else:
            self._respond(request, 461)

    def _setup_sound(
        self, request: Message, channels: re.Match[str] | None, ports: re.Match[str] | None, timeline: Timeline
    ) -> None:
        faults = self._faults
        if faults.sound == "closes":
            self.close()
        elif faults.sound == "refused" or timeline.sound is None or self._transport is None:
            self._respond(request, 461)
        else:
            sender = SoundSender(timeline.sound, drop_every_n=faults.sound_drop_every_n, rate=faults.sound_rate)
            granted = "RTP/AVP/TCP;unicast"
            if channels is not None:
                sender.channels = int(channels[1]), int(channels[2])
                granted += f";interleaved={channels[1]}-{channels[2]}"
            elif ports is not None:
                sender.target = (self._transport.get_extra_info("peername")[0], int(ports[1]))
                port = self._datagrams.port
                granted = f"RTP/AVP/UDP;unicast;client_port={ports[1]}-{ports[2]};server_port={port}-{port + 1}"
            self._sound = sender
            self._grant(request, granted, timeline)

    def _grant(self, request: Message, transport: str, timeline: Timeline) -> None:
        seconds = self._faults.session_timeout_s
        self._respond(
            request,
            200,
            f"Transport: {transport};ssrc={timeline.clip.source:08X}",
            f"Session: {self._session}" + (f";timeout={seconds}" if seconds else ""),
        )

    def _play(self, request: Message, url: str) -> None:
        if self._timeline is None or (request.header("session") or "") != self._session:
            self._respond(request, 455)
            return
        if self._faults.touches_packets or self._faults.other_server_port:
            self._mangler = PacketMangler(self._faults, self._timeline.clip.codec, self._channels[0])
        early = self._faults.data_before_play_answer
        if early:
            self._report(list(_REPORT_PAUSES))
        session = self._session
        if self._faults.session_ids != "one":
            session = secrets.token_hex(4)
        if self._faults.session_ids == "latest":
            self._session = session
        info = [f"RTP-Info: {self._faults.rtp_info}"] if self._faults.rtp_info else []
        self._respond(request, 200, f"Session: {session}", "Range: npt=0.000-", *info)
        if self._faults.server_options and self._transport is not None:
            self._transport.write(f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        if not self._playing:
            self._playing = True
            self._timeline.join(self)
            if self._sound is not None:
                self._sound.timeline.join(self)
            if not early:
                self._report(list(_REPORT_PAUSES))
            if self._faults.close_after_s:
                self._later(self._faults.close_after_s, self.close)

    def _teardown(self, request: Message, url: str) -> None:
        self._stop()
        self._respond(request, 200)
        if self._transport is not None:
            self._transport.close()

    def _respond(self, request: Message, status: int, *headers: str, body: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(answer(request, status, headers, body, self._faults))

    def _report(self, pauses: list[float]) -> None:
        if self._timeline is None or self._transport is None or self._faults.no_sender_reports:
            return
        self._reports += 1
        packet = false_report(self._timeline.report(), self._faults, self._reports)
        head = b"$" + bytes((self._channels[1],)) + len(packet).to_bytes(2, "big")
        silent = self._faults.silent_after_packets and self._started
        if self._target is not None:
            if not self._faults.udp_silent:
                self._datagrams.send_control(packet, (self._target[0], self._target[1] + 1))
        elif not silent and not self._congested:
            self._transport.write(head + packet)
        if self._sound is not None and not self._faults.no_sound_reports and not silent:
            self._report_sound(self._sound)
        self._later(pauses.pop(0) if pauses else _REPORT_EVERY_S, self._report, pauses)

    def _report_sound(self, sender: SoundSender) -> None:
        packet = sender.timeline.report()
        if sender.target is not None:
            self._datagrams.send_control(packet, (sender.target[0], sender.target[1] + 1))
        elif self._transport is not None and not self._congested:
            self._transport.write(b"$" + bytes((sender.channels[1],)) + len(packet).to_bytes(2, "big") + packet)

    def _expire(self) -> None:
        if time.monotonic() - self._last_request > self._faults.session_timeout_s:
            self.close()
        else:
            self._later(0.2, self._expire)

    def _later(self, delay: float, call: Callable[..., None], *arguments: object) -> None:
        now = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > now.time()]
        self._timers.append(now.call_later(delay, call, *arguments))

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._timeline is not None:
            self._timeline.leave(self)
        if self._sound is not None:
            self._sound.timeline.leave(self)

"""One WebRTC viewer, from its offer to its end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perishield.live.line import Lines, Seat
from perishield.live.piece import sound_rate
from perishield.live.webrtc.flow import Flow, Frame, Moment
from perishield.live.webrtc.offers import preferred_audio, preferred_video, sequence_set, sound_kind
from perishield.log import Log
from perishield.model.errors import SourceError

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection, RTCRtpSender

log = Log("webrtc")

CONNECT_WITHIN_S = 20.0
_CLOSE_WITHIN_S = 5.0
_FEWEST_BETWEEN_RESTARTS_S = 0.5


class Peer:
    """`id` is part of its address: nobody guesses it."""

    def __init__(self, camera: str, lines: Lines, on_end: Callable[[Peer], None]) -> None:
        self.id = secrets.token_urlsafe(18)
        self.camera = camera
        self.began = time.monotonic()
        self.connected = False
        self._lines = lines
        self._on_end = on_end
        self._flow: Flow | None = None
        self._connection: RTCPeerConnection | None = None
        self._video: RTCRtpSender | None = None
        self._task: asyncio.Task[None] | None = None
        self._connecting = asyncio.Event()
        self._ended = asyncio.Event()
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._restarted = 0.0

    async def answer(self, offer: str, servers: list[dict[str, str]]) -> str:
        """Start, and answer the offer. Raises SourceError: `gone`, `unsupported_codec`, `protocol`."""
        self._task = asyncio.create_task(self._run(offer, servers))
        return await asyncio.shield(self._answer)

    async def add_candidates(self, fragment: str) -> None:
        """Trickled candidates (RFC 8840). Raises SourceError (`protocol`)."""
        from aiortc.sdp import candidate_from_sdp

        middle = "0"
        connection = self._connection
        for line in fragment.splitlines()[:64]:
            name, _, value = line.strip().partition(":")
            if name == "a=mid":
                middle = value
            elif name == "a=candidate" and connection is not None:
                try:
                    candidate = candidate_from_sdp(value)
                    candidate.sdpMid = middle
                    await connection.addIceCandidate(candidate)
                except (AssertionError, ValueError, IndexError, KeyError) as error:
                    raise SourceError(f"the candidate is not one of RFC 8839: {error}", code="protocol") from error

    def moment(self) -> Moment | None:
        """Which picture has which RTP time on the wire; None before the first one was sent."""
        if self._flow is None or self._video is None:
            return None
        # aiortc adds a random origin to our times and tells it to nobody.
        origin = getattr(self._video, "_perishield_origin", None)
        latest = self._flow.latest
        if origin is None or latest is None:
            return None
        return replace(latest, rtp=(latest.rtp + origin) & 0xFFFFFFFF)

    def end(self) -> None:
        self._ended.set()
        self._connecting.set()

    async def ended(self) -> None:
        if self._task is not None:
            self.end()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, offer: str, servers: list[dict[str, str]]) -> None:
        try:
            async with self._lines.seat(self.camera, closely=True) as seat:
                self._flow = Flow(seat)
                connection = self._connection = _connection(servers)
                try:
                    connection.on("connectionstatechange", self._changed)
                    sdp = await self._negotiate(connection, seat, offer)
                    if not self._answer.done():
                        self._answer.set_result(sdp)
                    await self._play(seat)
                finally:
                    # Bounded: its place must become free, however broken the connection is.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(connection.close(), _CLOSE_WITHIN_S)
        except (SourceError, ValueError, AssertionError, KeyError, IndexError, OSError) as error:
            refusal = error if isinstance(error, SourceError) else _refusal(error)
            if self._answer.done():
                log.info("webrtc.ended", camera=self.camera, message=refusal.message)
            else:
                self._answer.set_exception(refusal)
        finally:
            if not self._answer.done():
                self._answer.set_exception(SourceError("the connection was given up", code="gone"))
            self._answer.exception()
            self._on_end(self)

    async def _negotiate(self, connection: RTCPeerConnection, seat: Seat, offer: str) -> str:
        from aiortc import RTCSessionDescription
        from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError

        line = seat.line
        description = line.description
        kind = sound_kind(description.audio) if "m=audio" in offer else ""
        video = connection.addTransceiver("video", direction="sendonly")
        video.setCodecPreferences(preferred_video(sequence_set(description)))
        self._video = video.sender
        self._feed(video.sender, sound=False)
        if kind:
            audio = connection.addTransceiver("audio", direction="sendonly")
            audio.setCodecPreferences(preferred_audio(kind))
            self._feed(audio.sender, sound=True)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            await connection.setLocalDescription(await connection.createAnswer())
        except (OperationError, InvalidAccessError, InvalidStateError) as error:
            raise SourceError(
                f"camera '{self.camera}': this browser takes no H.264 over WebRTC: {error}", code="unsupported_codec"
            ) from error
        rate = sound_rate(description.audio) if description.audio and kind else 0
        log.info("webrtc.viewer", camera=self.camera, sound=kind or "none", rate=rate)
        return connection.localDescription.sdp

    def _feed(self, sender: RTCRtpSender, *, sound: bool) -> None:
        """Have aiortc send our payloads: its own way would take every frame apart and packetize it anew for each peer.

        `_next_encoded_frame` and `_send_keyframe` are its seams for that; a test watches over them.
        """
        from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
        from aiortc.rtcrtpsender import RTCEncodedFrame

        flow = self._flow

        class Source(MediaStreamTrack):
            kind = "audio" if sound else "video"

            async def recv(self) -> Any:
                raise MediaStreamError

        async def next_frame(_codec: Any) -> Any:
            if flow is None:
                raise MediaStreamError
            _note_origin(sender)
            try:
                frame: Frame = await flow.next(sound=sound)
            except SourceError as error:
                raise MediaStreamError from error
            sender.__dict__["_perishield_sent"] = frame.time
            return RTCEncodedFrame(frame.payloads, frame.time & 0xFFFFFFFF, None)  # type: ignore[arg-type]

        sender.replaceTrack(Source())
        sender.__dict__["_next_encoded_frame"] = next_frame
        if not sound:
            sender.__dict__["_send_keyframe"] = self._picture_lost

    def _picture_lost(self) -> None:
        now = time.monotonic()
        if self._flow is not None and now - self._restarted > _FEWEST_BETWEEN_RESTARTS_S:
            self._restarted = now
            self._flow.lost()

    async def _play(self, seat: Seat) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._connecting.wait()
        if self._ended.is_set():
            return
        if not self.connected or self._flow is None:
            raise SourceError("no connection came about: is UDP open between browser and server?", code="timeout")
        # What came while the connection was made is no longer the newest.
        seat.restart()
        flowing = asyncio.create_task(self._flow.run())
        ending = asyncio.create_task(self._ended.wait())
        try:
            done, _ = await asyncio.wait({flowing, ending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            flowing.cancel()
            ending.cancel()
            await asyncio.gather(flowing, ending, return_exceptions=True)

    def _changed(self) -> None:
        state = self._connection.connectionState if self._connection is not None else "closed"
        if state == "connected":
            self.connected = True
            self._connecting.set()
        elif state in ("failed", "closed"):
            self._connecting.set()
            self._ended.set()


def _note_origin(sender: RTCRtpSender) -> None:
    sent = sender.__dict__.get("_perishield_sent")
    if sent is not None and "_perishield_origin" not in sender.__dict__:
        on_wire: int = getattr(sender, "_RTCRtpSender__rtp_timestamp")  # noqa: B009
        sender.__dict__["_perishield_origin"] = (on_wire - sent) & 0xFFFFFFFF


def _connection(servers: list[dict[str, str]]) -> RTCPeerConnection:
    from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

    # An empty list, since none given would mean a public STUN server.
    return RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(**server) for server in servers]))


def _refusal(error: Exception) -> SourceError:
    return SourceError(f"the offer cannot be answered: {str(error) or type(error).__name__}", code="protocol")

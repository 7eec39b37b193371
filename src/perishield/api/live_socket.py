"""`/ws/live/{camera}`: the camera's fragmented MP4 for Media Source Extensions, in step with the tracks of `/ws`.

With `?sound=1` its sound too, where browsers play that in MP4 (AAC, Opus). It is not sent unasked: a player waits for
the later of the two, which is the sound. With `?codec=h264` an H.265 camera comes encoded anew, where that is switched
on and a message `init` said so (`transcode`). Who may not see behind privacy masks gets the video encoded anew with
them, or is refused (4406) where that is switched off.
"""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter
from starlette.websockets import WebSocket

from perishield.api.push import Listener, encode
from perishield.api.services import Services, services_of
from perishield.api.sockets import admitted, close_masked, close_unknown, converse
from perishield.api.times import iso
from perishield.live.chunk_reader import ChunkReader
from perishield.live.hub import Viewer
from perishield.live.transcode import masked, transcoded
from perishield.model.access import Action
from perishield.model.media import TIMESCALE, ChunkRef, Codec, StreamCondition
from perishield.streams.fmp4 import without_sound, without_sound_chunk
from perishield.streams.fmp4_reader import Init, parse_init

router = APIRouter()

_CLOCK_EVERY_S = 2.0


@router.websocket("/ws/live/{camera}")
async def live_socket(socket: WebSocket, camera: str, sound: bool = False, codec: str = "") -> None:
    services = services_of(socket)
    async with admitted(socket, Action.LIVE_VIEW) as identity:
        if identity is None:
            return
        if not services.streams.known(camera):
            await close_unknown(socket, camera)
            return
        hidden = bool(services.privacy.hiding(camera))
        if hidden and not services.live_out.masked:
            await close_masked(socket, camera)
            return
        anew = codec == Codec.H264 and services.live_out.transcode
        stream = masked(camera) if hidden else transcoded(camera) if anew else camera
        with services.live.watching(stream) as viewer, services.push.listening(identity.reach) as listener:
            listener.topics = frozenset({"streams", "site"})
            listener.cameras = frozenset({camera})
            player = LivePlayer(socket, ChunkReader(services.media), sound=sound, transcode=services.live_out.transcode)
            await converse(socket, identity, _run(player, services, camera, viewer, listener), lambda _heard: None)
        if not services.streams.known(camera):
            await close_unknown(socket, camera)


async def _run(player: LivePlayer, services: Services, camera: str, viewer: Viewer, listener: Listener) -> None:
    """Ends when the camera is deleted."""
    playing = asyncio.create_task(player.play(viewer))
    watching = asyncio.create_task(_tell_states(services, camera, viewer, listener))
    try:
        done, _ = await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        playing.cancel()
        watching.cancel()
        await asyncio.gather(playing, watching, return_exceptions=True)
    for task in done:
        task.result()


async def _tell_states(services: Services, camera: str, viewer: Viewer, listener: Listener) -> None:
    while (state := services.streams.get(camera)) is not None:
        if state.condition is not StreamCondition.LIVE:
            viewer.tell(encode({"type": "state", "data": services.streams.out(camera)}))
        await listener.next()


class LivePlayer:
    """Sends one viewer's chunks, with an init segment before the first and wherever a decoder must start anew."""

    def __init__(self, socket: WebSocket, reader: ChunkReader, *, sound: bool = False, transcode: bool = False) -> None:
        self._socket = socket
        self._reader = reader
        self._path = ""
        self._sound = sound
        self._transcode = transcode
        self._silence = True
        self._sent: tuple[int, bytes, bytes] | None = None
        self._clock = 0.0

    async def play(self, viewer: Viewer) -> None:
        try:
            while True:
                item = await viewer.next()
                if isinstance(item, str):
                    await self._socket.send_text(item)
                elif not await self._send(item):
                    viewer.lose()
        finally:
            self._reader.close()

    async def _send(self, ref: ChunkRef) -> bool:
        """False where the chunk cannot be read any more."""
        try:
            head = await self._reader.init_segment(ref) if ref.path != self._path else b""
            data = await self._reader.chunk(ref)
        except OSError:
            return False
        if head:
            init = parse_init(head)
            if init is None:
                return False
            # The file's own origin differs from segment to segment; what a decoder needs is in the sample entry.
            self._silence = not (self._sound and init.audio is not None and init.audio.mime)
            mark = (ref.epoch, init.sample_entry, b"" if self._silence else init.sound_entry)
            if mark != self._sent:
                await self._begin(ref, init)
                self._sent = mark
            self._path = ref.path
        await self._socket.send_bytes(without_sound_chunk(data) if self._silence else data)
        now = time.monotonic()
        if now - self._clock >= _CLOCK_EVERY_S:
            self._clock = now
            await self._socket.send_text(
                encode({"type": "clock", "stream_time_s": ref.stream_time / TIMESCALE, "wall": iso(ref.wall)})
            )
        return True

    async def _begin(self, ref: ChunkRef, init: Init) -> None:
        codecs = ref.mime if self._silence or init.audio is None else f"{ref.mime},{init.audio.mime}"
        await self._socket.send_text(
            encode(
                {
                    "type": "init",
                    "mime": f'video/mp4; codecs="{codecs}"',
                    "audio": ref.audio,
                    "transcode": self._transcode and ref.codec is Codec.H265,
                    "epoch": ref.epoch,
                    "width": ref.width,
                    "height": ref.height,
                    "stream_time_s": ref.stream_time / TIMESCALE,
                }
            )
        )
        await self._socket.send_bytes(without_sound(init.data) if self._silence else init.data)

"""A camera that FFmpeg reads in a helper process; here are only bytes and times."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from perishield.log import Log
from perishield.model.device_reach import DeviceReach, judged
from perishield.model.errors import PeriShieldError, SourceError
from perishield.model.media import TIMESCALE, Packet, PacketSink
from perishield.model.outward import PORTS, system_resolve
from perishield.model.site import Camera
from perishield.sources.arrival_clock import ArrivalClock
from perishield.sources.backoff import BackOff
from perishield.sources.ffmpeg.order import Order, order_for
from perishield.sources.ffmpeg.wire import (
    ACCESS_UNIT,
    DISCONTINUITY,
    FAILURE,
    FORMAT,
    HEAD,
    LARGEST,
    PACKET,
    SOUND,
    SOUND_FORMAT,
    decode_format,
    decode_sound_format,
)
from perishield.sources.status import OnState, SourceStatus
from perishield.sources.supervision import keep_connected

log = Log("ffmpeg")

_BUFFER = 256 * 1024
"""Bytes read ahead from the helper; beyond twice that the pipe is left full, and the helper waits."""
_SEGMENTED_IDLE_FACTOR = 3
"""HLS comes in pieces of several seconds."""


class FfmpegSource:
    """Same face as `RtspSource`. Files must lie below `file_root`; `#loop` at the end of an address repeats it.

    `low_delay` changes nothing: packets come as FFmpeg reads them.
    """

    def __init__(
        self,
        camera: Camera,
        sink: PacketSink,
        on_state: OnState,
        *,
        epoch: int = 0,
        connect_timeout_s: float = 5.0,
        idle_timeout_s: float = 10.0,
        first_retry_s: float = 1.0,
        file_root: Path | None = None,
        reach: DeviceReach | None = None,
    ) -> None:
        self.low_delay = False
        self._camera = camera
        self._sink = sink
        self._status = SourceStatus(camera.id, epoch, on_state)
        self._connect_timeout_s = connect_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._file_root = file_root
        self._reach = reach
        self._back_off = BackOff(first_retry_s)
        self._epoch_start = -1.0
        self._last = -1
        self._last_sound = -1
        self._shift = 0
        self._clock = ArrivalClock()
        self._fresh = True

    async def run(self) -> None:
        """Never returns; a file that has ended stays ended, every other failure is followed by another try."""
        await keep_connected(self._connect, self._status, self._back_off, log)

    async def _connect(self) -> PeriShieldError:
        try:
            order = order_for(
                self._camera,
                self._file_root,
                timeout_s=self._connect_timeout_s,
                idle_s=self._idle_timeout_s * (_SEGMENTED_IDLE_FACTOR if self._camera.url.startswith("http") else 1),
            )
            await self._look_up(order)
            await self._play(order)
        except SourceError as error:
            return SourceError(
                f"camera {self._camera.id!r}: {error.message}",
                code=error.code,
                retry_after_s=error.retry_after_s,
                camera=self._camera.id,
                **error.params,
            )
        except PeriShieldError as error:
            return error

    async def _look_up(self, order: Order) -> None:
        """FFmpeg does not tell an unknown host name from a dead disk, and connects wherever it is sent."""
        parts = urlsplit(order.target)
        host = parts.hostname if "://" in order.target else None
        if host:
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    if self._reach is None:
                        await system_resolve(host)
                    else:
                        await judged(host, parts.port or PORTS.get(parts.scheme.lower(), 0), self._reach)
            except (socket.gaierror, UnicodeError, TimeoutError):
                raise SourceError(
                    f"the host name in {order.address} is unknown: check the address", code="dns"
                ) from None

    async def _play(self, order: Order) -> NoReturn:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perishield.sources.ffmpeg.helper",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
        )
        try:
            if process.stdin is None or process.stdout is None:
                raise SourceError("the helper has no pipe", code="protocol")
            process.stdin.write(json.dumps(asdict(order)).encode())
            process.stdin.close()
            self._fresh = True
            await self._read(process.stdout, order)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await process.wait()
            raise SourceError(f"the helper that reads {order.address} ended ({code})", code="gone") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _read(self, pipe: asyncio.StreamReader, order: Order) -> NoReturn:
        """Raises SourceError when the helper reports a failure or falls silent."""
        patience = order.timeout_s + order.idle_s + 5
        while True:
            try:
                async with asyncio.timeout(patience):
                    kind, size = HEAD.unpack(await pipe.readexactly(HEAD.size))
                    if size > LARGEST:
                        raise SourceError("the helper talks nonsense", code="protocol")
                    body = await pipe.readexactly(size)
            except TimeoutError:
                raise SourceError(
                    f"no packet from {order.address} for {patience:g} s: the device or the network stalled",
                    code="timeout",
                ) from None
            if kind == ACCESS_UNIT:
                self._packet(body)
            elif kind == FORMAT:
                if self._fresh:
                    self._begin()
                video = decode_format(body)
                self._sink.format(video)
                self._status.playing(video)
            elif kind == SOUND:
                self._sound(body)
            elif kind == SOUND_FORMAT:
                self._sink.audio_format(decode_sound_format(body))
            elif kind == DISCONTINUITY:
                if not self._fresh:
                    self._sink.discontinuity(body.decode())
            elif kind == FAILURE:
                told = json.loads(body)
                ended = told["code"] == "gone" and order.options["protocol_whitelist"] == "file"
                raise SourceError(told["message"], code=told["code"], retry_after_s=float("inf") if ended else 0.0)

    def _begin(self) -> None:
        """A new helper: its stream time 0 is now, and after all that was delivered before."""
        self._fresh = False
        self._clock = ArrivalClock()
        now = time.monotonic()
        if self._epoch_start < 0:
            self._epoch_start = now
            return
        self._shift = max(int((now - self._epoch_start) * TIMESCALE), self._last + TIMESCALE // 25)
        self._sink.discontinuity("reconnect")

    def _packet(self, body: bytes) -> None:
        key, dts, pts = PACKET.unpack_from(body)
        data = body[PACKET.size :]
        arrival = time.time()
        dts, pts = dts + self._shift, pts + self._shift
        self._last = dts
        self._status.frames += 1
        self._status.bytes += len(data)
        monotonic = time.monotonic()
        wall = self._clock.wall(pts, monotonic) + arrival - monotonic
        self._sink.packet(Packet([data], len(data), dts, pts, bool(key), wall, arrival))

    def _sound(self, body: bytes) -> None:
        _, dts, _ = PACKET.unpack_from(body)
        dts += self._shift
        if self._fresh or dts <= self._last_sound:
            return
        self._last_sound = dts
        data = body[PACKET.size :]
        arrival = time.time()
        self._sink.audio(Packet([data], len(data), dts, dts, True, arrival, arrival))

"""The transcoding process: H.265 cameras in H.264, and cameras with privacy masks in black, each while somebody watches
it so. Runs where either is switched on.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from perishield import log as logs
from perishield.bus import LocalBus, topics
from perishield.bus.process import EXIT_CONFIG, read_config, say_ready, stop_on_signal
from perishield.live.chunk_reader import ChunkReader
from perishield.live.description import describe
from perishield.live.hub import LiveHub
from perishield.live.masks_file import MASKS, MasksFile
from perishield.live.transcode import Transcoder, is_masked, original
from perishield.log import Log, LogFormat
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.media import ChunkRef, Codec
from perishield.sources.bits import BitstreamError

if TYPE_CHECKING:
    from av import VideoFrame

log = Log("transcode")

_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeConfig:
    """What the supervisor hands over. `most`: streams at once. `h265`, `masked`: what is switched on."""

    run_dir: Path
    media_dir: Path
    most: int = 4
    h265: bool = True
    masked: bool = False
    log_level: str = "info"
    log_format: LogFormat = "text"


class Transcoding:
    """Who is watched in H.264, and the work for them."""

    def __init__(self, config: TranscodeConfig, bus: LocalBus) -> None:
        self._config = config
        self._bus = bus
        self._hub = LiveHub()
        self._masks = MasksFile(config.run_dir / MASKS)
        self._until: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        tasks = [
            asyncio.create_task(work)
            for work in (self._hear_watches(), self._feed(), self._hub.ask_low_delay(self._bus))
        ]
        stopping = asyncio.create_task(stop.wait())
        say_ready()
        try:
            done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            stopping.cancel()
            for task in (*tasks, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*tasks, *self._tasks.values(), return_exceptions=True)

    async def _hear_watches(self) -> None:
        async with self._bus.subscribe(topics.WATCH, size=1024) as watches:
            async for stream, watch in watches:
                if not original(stream) or not (self._config.masked if is_masked(stream) else self._config.h265):
                    continue
                self._until[stream] = watch.until
                if stream in self._tasks:
                    continue
                if len(self._tasks) >= self._config.most:
                    log.warning("transcode.full", camera=stream, most=self._config.most)
                    continue
                task = self._tasks[stream] = asyncio.create_task(self._work(stream))
                task.add_done_callback(lambda _, name=stream: self._tasks.pop(name, None))  # type: ignore[misc]

    async def _feed(self) -> None:
        async with self._bus.subscribe(topics.CHUNKS, size=4096) as chunks:
            async for camera, ref in chunks:
                if (self._config.masked or ref.codec is Codec.H265) and "~" not in camera:
                    self._hub.feed(ref)

    async def _work(self, stream: str) -> None:
        """Until nobody watches any more; what cannot be decoded is tried again."""
        loop = asyncio.get_running_loop()

        def publish(ref: ChunkRef) -> None:
            loop.call_soon_threadsafe(self._bus.publish, topics.CHUNKS, ref.camera, ref)

        from av.error import FFmpegError

        log.info("transcode.begun", camera=stream)
        transcoder = Transcoder(stream, self._config.media_dir, publish, self._painter(stream))
        try:
            while time.time() < self._until[stream]:
                try:
                    await self._transcode(stream, transcoder)
                except (FFmpegError, BitstreamError, OSError) as error:
                    log.warning("transcode.failed", camera=stream, message=str(error))
                    await asyncio.sleep(_AGAIN_S)
        finally:
            await asyncio.to_thread(transcoder.close)
            log.info("transcode.ended", camera=stream)

    def _painter(self, stream: str) -> Callable[[VideoFrame, int, int], VideoFrame] | None:
        if not is_masked(stream):
            return None
        from perishield.vision.privacy import Painter

        camera, masks = original(stream), self._masks
        painter = Painter(())

        def paint(frame: VideoFrame, width: int, height: int) -> VideoFrame:
            painter.draw(masks.of(camera))
            return painter.paint(frame, width, height)

        return paint

    async def _transcode(self, stream: str, transcoder: Transcoder) -> None:
        camera = original(stream)
        reader, path, description = ChunkReader(self._config.media_dir), "", None
        try:
            with self._hub.watching(camera) as viewer, self._hub.closely(camera):
                while time.time() < self._until[stream]:
                    with suppress(TimeoutError):
                        ref = await asyncio.wait_for(viewer.next(), _AGAIN_S)
                        if not isinstance(ref, ChunkRef):
                            continue
                        if ref.path != path:
                            description = describe(await reader.init_segment(ref))
                            path = ref.path
                        data = await reader.chunk(ref)
                        if description is not None:
                            await asyncio.to_thread(transcoder.take, ref, data, description)
        finally:
            reader.close()


async def serve(config: TranscodeConfig) -> None:
    stop = stop_on_signal()
    bus = await LocalBus.open(config.run_dir, "transcode")
    try:
        await Transcoding(config, bus).run(stop)
    finally:
        await bus.close()


def main() -> int:
    logs.configure()
    try:
        config = read_config(TranscodeConfig)
        logs.configure(config.log_level, config.log_format)
        uvloop.run(serve(config))
    except PeriShieldError as error:
        log.error("transcode.failed", code=error.code, message=str(error))
        return EXIT_CONFIG if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

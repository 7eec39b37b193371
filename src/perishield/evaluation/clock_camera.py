"""A camera that films a clock: every picture bears the millisecond at which it was taken, for measuring delay.

`python -m perishield.evaluation.clock_camera FOLDER` prints its RTSP address and serves until SIGTERM. Pictures are
drawn, encoded (x264, zerolatency) and sent in real time, as a camera does. The clock is a row of black and white
fields: 32 bits of Unix milliseconds, then 8 bits that check them.
"""

from __future__ import annotations

import asyncio
import fractions
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perishield.bus.process import stop_on_signal
from perishield.live.credentials import CredentialBook, issue
from perishield.live.hub import LiveHub
from perishield.live.line import Lines
from perishield.live.rtsp.server import RestreamServer
from perishield.model.media import TIMESCALE, ChunkRef, Codec, Packet, VideoFormat
from perishield.sources.bitstream import split_annexb
from perishield.sources.parameter_sets import ParameterSets, nal_kind
from perishield.streams.chunker import Chunker
from perishield.streams.layout import POOL
from perishield.streams.segments import MediaRoot, SegmentWriter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT, FPS, GOP_S = 640, 360, 25, 2
FIELDS = 40
FIELD_HEIGHT = 48
CAMERA = "clock"


def fields(milliseconds: int) -> list[bool]:
    """The clock's fields for a time, most significant first."""
    value = milliseconds & 0xFFFFFFFF
    check = sum(value >> shift & 0xFF for shift in (0, 8, 16, 24)) * 29 + 85 & 0xFF
    word = value << 8 | check
    return [bool(word >> shift & 1) for shift in range(FIELDS - 1, -1, -1)]


class Film:
    """Draws and encodes."""

    def __init__(self) -> None:
        import av
        import numpy as np

        random = np.random.default_rng(5)
        ground = random.integers(40, 180, (HEIGHT // 8 * 2, WIDTH // 8 * 2), dtype=np.uint8)
        self._ground: NDArray[np.uint8] = np.kron(ground, np.ones((8, 8), dtype=np.uint8))
        self._picture: NDArray[np.uint8] = np.full((HEIGHT * 3 // 2, WIDTH), 128, dtype=np.uint8)
        encoder = av.CodecContext.create("libx264", "w")
        if not isinstance(encoder, av.VideoCodecContext):
            raise TypeError("libx264 is no video encoder")
        encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        encoder.time_base = fractions.Fraction(1, TIMESCALE)
        encoder.framerate = fractions.Fraction(FPS, 1)
        encoder.gop_size = FPS * GOP_S
        encoder.bit_rate = 1_000_000
        encoder.thread_count = 1
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}
        self._encoder = encoder
        self._index = 0

    def take(self, wall: float, ticks: int) -> bytes:
        """One access unit (byte stream) of a picture taken at `wall`."""
        import av
        import numpy as np

        picture, shift = self._picture, self._index * 2 % WIDTH
        picture[:HEIGHT] = self._ground[:HEIGHT, shift : shift + WIDTH]
        row = np.where(fields(int(wall * 1000)), 235, 16).astype(np.uint8)
        picture[:FIELD_HEIGHT] = np.repeat(row, WIDTH // FIELDS)
        self._index += 1
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = ticks
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


class ClockCamera:
    """Its pictures go through our own chunks and restream server, a chunk for each picture."""

    def __init__(self, folder: Path) -> None:
        self._hub = LiveHub()
        self._lines = Lines(self._hub, folder)
        self._book = CredentialBook(folder / "clock.json")
        writer = SegmentWriter(MediaRoot(folder), CAMERA, POOL, 10, lambda _: None, lambda _: None)
        self._chunker = Chunker(CAMERA, 1, writer, self._told, low_delay_chunk_s=0.02)
        self._chunker.low_delay = True
        self._kept: list[str] = []
        self._folder = folder
        self.server = RestreamServer(self._lines, self._book.find, lambda camera: camera == CAMERA)

    async def start(self) -> str:
        """Listen; the address with its credential."""
        credential, password = issue("bench", (CAMERA,), 86_400)
        self._book.add(credential)
        await self.server.start("127.0.0.1", 0)
        return f"rtsp://{credential.username}:{password}@127.0.0.1:{self.server.port}/{CAMERA}"

    async def run(self) -> None:
        """Film until cancelled."""
        film = await asyncio.to_thread(Film)
        sets = ParameterSets(Codec.H264)
        video: VideoFormat | None = None
        began, index = time.monotonic(), 0
        while True:
            due = began + index / FPS
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            elif wait < -0.5:
                # The machine was too busy: a camera would have dropped these pictures.
                index = int((time.monotonic() - began) * FPS) + 1
                continue
            wall, ticks = time.time(), index * TIMESCALE // FPS
            nals = split_annexb(await asyncio.to_thread(film.take, wall, ticks))
            for nal in nals:
                if nal_kind(Codec.H264, nal) in (7, 8):
                    sets.offer(nal)
            if video is None or sets.changed:
                video = sets.format()
                self._chunker.format(video)
            data = [part for nal in nals for part in (len(nal).to_bytes(4, "big"), nal)]
            key = any(nal_kind(Codec.H264, nal) == 5 for nal in nals)
            self._chunker.packet(Packet(data, sum(map(len, data)), ticks, ticks, key, wall, wall))
            index += 1

    async def close(self) -> None:
        await self.server.close()
        await self._lines.close()

    def _told(self, ref: ChunkRef) -> None:
        self._hub.feed(ref)
        if not self._kept or self._kept[-1] != ref.path:
            self._kept.append(ref.path)
            if len(self._kept) > 3:
                (self._folder / self._kept.pop(0)).unlink(missing_ok=True)


async def _serve(folder: Path) -> None:
    stop = stop_on_signal()
    camera = ClockCamera(folder)
    try:
        sys.stdout.write(f"{await camera.start()}\n")
        sys.stdout.flush()
        filming = asyncio.create_task(camera.run())
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({filming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        filming.cancel()
        for task in done:
            task.result()
    finally:
        await camera.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))

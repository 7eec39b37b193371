"""Live video encoded anew as H.264 while somebody watches, where it is switched on: H.265 for browsers that cannot play
it (`{camera}~h264`), and any video with privacy masks for those who may not see behind them (`{camera}~masked`).

The result is a stream of its own, in chunks of the pool like every other, with the camera's epoch and stream time:
every way out can serve it, and boxes stay in step.
"""

from __future__ import annotations

import fractions
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.live.coded import Coded, unpack
from perishield.live.description import Description
from perishield.model.media import TIMESCALE, ChunkRef, Codec, Packet, VideoFormat
from perishield.sources.bitstream import START_CODE, split_annexb
from perishield.sources.parameter_sets import ParameterSets, nal_kind
from perishield.streams.chunker import Chunker
from perishield.streams.layout import POOL, sidecar_path
from perishield.streams.segments import MediaRoot, SegmentWriter

if TYPE_CHECKING:
    import av

_SUFFIX = "~h264"
_MASKED = "~masked"
_SEGMENT_S = 4.0
_FILES_KEPT = 4
_LARGEST_WIDTH = 1280
_GOP_S = 2
_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "25", "maxrate": "4M", "bufsize": "4M"}


def transcoded(camera: str) -> str:
    """The name of the camera's stream in H.264."""
    return camera + _SUFFIX


def masked(camera: str) -> str:
    """The name of the camera's stream with privacy masks."""
    return camera + _MASKED


def is_masked(stream: str) -> bool:
    return stream.endswith(_MASKED)


def original(stream: str) -> str:
    """The camera whose stream this is; empty where it is not one of these."""
    return next((stream.removesuffix(end) for end in (_SUFFIX, _MASKED) if stream.endswith(end)), "")


class Transcoder:
    """One stream's: `name` is what it becomes. Blocking, and heavy: run it in a thread of a process that may be busy.

    `paint` makes of each picture what is to be seen, in that width and height.
    """

    def __init__(
        self,
        name: str,
        media: Path,
        on_chunk: Callable[[ChunkRef], None],
        paint: Callable[[av.VideoFrame, int, int], av.VideoFrame] | None = None,
    ) -> None:
        self.name = name
        self._paint = paint
        self._media = media
        self._on_chunk = on_chunk
        self._decoder: av.VideoCodecContext | None = None
        self._encoder: av.VideoCodecContext | None = None
        self._chunker: Chunker | None = None
        self._sets = ParameterSets(Codec.H264)
        self._video: VideoFormat | None = None
        self._epoch = -1
        self._paths: list[str] = []

    def take(self, ref: ChunkRef, chunk: bytes, description: Description) -> None:
        """The next chunk. Raises BitstreamError, and av's errors where it cannot be decoded."""
        if ref.epoch != self._epoch or ref.discontinuity:
            self._restart(ref)
        for coded in unpack(ref, chunk, description.video.parameter_sets):
            if not coded.sound:
                self._picture(ref, coded)

    def close(self) -> None:
        """End the stream and delete what is left of it."""
        if self._chunker is not None:
            self._chunker.close()
            self._chunker = None
        shutil.rmtree(self._media / POOL / self.name, ignore_errors=True)

    def _restart(self, ref: ChunkRef) -> None:
        import av

        if self._chunker is not None:
            self._chunker.close()
        self._epoch = ref.epoch
        self._encoder, self._video = None, None
        codec = "hevc" if ref.codec is Codec.H265 else "h264"
        decoder = av.CodecContext.create(codec, "r")
        if not isinstance(decoder, av.VideoCodecContext):
            raise TypeError(f"{codec} is no video decoder")
        decoder.thread_count = 1
        self._decoder = decoder
        writer = SegmentWriter(MediaRoot(self._media), self.name, POOL, _SEGMENT_S, lambda _: None, lambda _: None)
        self._chunker = Chunker(self.name, ref.epoch, writer, self._told)
        self._chunker.closely = True
        self._chunker.low_delay = True

    def _picture(self, ref: ChunkRef, coded: Coded) -> None:
        import av

        if self._decoder is None or self._chunker is None:
            return
        packet = av.Packet(b"".join(part for nal in coded.parts for part in (START_CODE, nal)))
        packet.pts = packet.dts = coded.shown
        packet.time_base = fractions.Fraction(1, TIMESCALE)
        for frame in self._decoder.decode(packet):
            self._encode(ref, frame)

    def _encode(self, ref: ChunkRef, frame: Any) -> None:
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != _size(frame):
            encoder = self._encoder = _open(*_size(frame))
        shown = frame.pts if frame.pts is not None else ref.stream_time
        if self._paint is not None:
            small = self._paint(frame, encoder.width, encoder.height)
        else:
            small = frame.reformat(encoder.width, encoder.height, "yuv420p")
        small.pts, small.time_base = shown, fractions.Fraction(1, TIMESCALE)
        small.pict_type = 0
        for packet in encoder.encode(small):
            self._packet(ref, bytes(packet), int(packet.pts or shown), bool(packet.is_keyframe))

    def _packet(self, ref: ChunkRef, data: bytes, shown: int, key: bool) -> None:
        chunker = self._chunker
        if chunker is None:
            return
        nals = split_annexb(data)
        for nal in nals:
            if nal_kind(Codec.H264, nal) in (7, 8):
                self._sets.offer(nal)
        if self._video is None or self._sets.changed:
            self._video = self._sets.format()
            chunker.format(self._video)
        kept = [nal for nal in nals if nal_kind(Codec.H264, nal) not in (7, 8, 9)]
        parts = [part for nal in kept for part in (len(nal).to_bytes(4, "big"), nal)]
        wall = ref.wall + (shown - ref.stream_time) / TIMESCALE
        chunker.packet(Packet(parts, sum(map(len, parts)), shown, shown, key, wall, ref.arrival))

    def _told(self, ref: ChunkRef) -> None:
        self._on_chunk(ref)
        if not self._paths or self._paths[-1] != ref.path:
            self._paths.append(ref.path)
            if len(self._paths) > _FILES_KEPT:
                old = self._media / self._paths.pop(0)
                old.unlink(missing_ok=True)
                Path(sidecar_path(str(old))).unlink(missing_ok=True)


def _size(frame: Any) -> tuple[int, int]:
    """What a frame is scaled to: even, and at most 1280 wide."""
    width, height = frame.width, frame.height
    if width > _LARGEST_WIDTH:
        width, height = _LARGEST_WIDTH, height * _LARGEST_WIDTH // width
    return width & ~1, height & ~1


def _open(width: int, height: int) -> av.VideoCodecContext:
    import av

    encoder = av.CodecContext.create("libx264", "w")
    if not isinstance(encoder, av.VideoCodecContext):
        raise TypeError("libx264 is no video encoder")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = fractions.Fraction(1, TIMESCALE)
    encoder.gop_size = 25 * _GOP_S
    encoder.thread_count = 2
    encoder.options = dict(_OPTIONS)
    return encoder

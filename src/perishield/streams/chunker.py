"""Cuts a camera's packets into chunks: at key frames, by size, by time.

A chunk waits in memory for at most `chunk_s`: that is the footage which a killed process may lose. What keeps memory
small is that chunks are small; the page cache of the file being written is the buffer of everybody else.

A frame's duration is known when the next frame arrives, so the newest frame normally waits for it. With low delay a
camera of steady rate does not wait: its last frame is given the usual interval. The next chunk's decode time is exact
all the same; where it then exceeds the sum of durations, the last frame simply lasts longer (ISO/IEC 14496-12 clause
8.8.12).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, AudioFormat, ChunkRef, Packet, VideoFormat
from perishield.streams.fmp4 import chunk_head, init_segment
from perishield.streams.segments import SegmentWriter

_USUAL_INTERVAL = TIMESCALE // 25
_STEADY = 4
"""Intervals in a row that must agree within an eighth before the next one is presumed."""


class Chunker:
    """A PacketSink that writes chunks through `writer` and tells `on_chunk` about each.

    `low_delay` may be changed at any time. `tick` must be called every `chunk_s / 5` or sooner.
    """

    def __init__(
        self,
        camera: str,
        epoch: int,
        writer: SegmentWriter,
        on_chunk: Callable[[ChunkRef], None],
        *,
        chunk_s: float = 1.0,
        chunk_bytes: int = 65_536,
        low_delay_chunk_s: float = 0.2,
    ) -> None:
        self.camera = camera
        self.epoch = epoch
        self.writer = writer
        self.frames_unkept = 0
        self._on_chunk = on_chunk
        self._chunk_bytes = chunk_bytes
        self._usual_s = chunk_s
        self._low_s = min(low_delay_chunk_s, chunk_s)
        self._video: VideoFormat | None = None
        self._pending: list[Packet] = []
        self._size = 0
        self._first_dts = 0
        self._last_dts = 0
        self._interval = _USUAL_INTERVAL
        self._agreeing = 0
        self._number = 0
        self._wants_key = True
        self._gap = True
        self._low_delay = False
        self._span = 0
        self._age_s = 0.0
        self.low_delay = False

    @property
    def low_delay(self) -> bool:
        return self._low_delay

    @low_delay.setter
    def low_delay(self, value: bool) -> None:
        self._low_delay = value
        # By packets the cut comes early enough that the timer, which does not know the last duration, is the exception.
        self._span = int((self._low_s if value else self._usual_s * 0.75) * TIMESCALE)
        self._age_s = self._low_s * 1.25 if value else self._usual_s * 0.8

    def format(self, video: VideoFormat) -> None:
        if video != self._video:
            self._flush(None)
            _check(video)
            self._video = video
            self._wants_key = True

    def discontinuity(self, reason: str) -> None:
        self._flush(None)
        self.writer.close()
        self._gap = True
        self._wants_key = True
        self._agreeing = 0

    def audio_format(self, audio: AudioFormat | None) -> None:
        """Sound is not kept yet."""

    def audio(self, packet: Packet) -> None:
        """Sound is not kept yet."""

    def packet(self, packet: Packet) -> None:
        dts = packet.dts
        if self._pending:
            if packet.key or self._size >= self._chunk_bytes or dts - self._first_dts >= self._span:
                self._flush(dts)
        elif self._wants_key and not packet.key:
            self.frames_unkept += 1
            return
        pending = self._pending
        if not pending:
            self._first_dts = dts
            self._wants_key = False
        pending.append(packet)
        self._size += packet.size
        if self._low_delay:
            self._hasten(dts)

    def _hasten(self, dts: int) -> None:
        """Low delay: write now where the next frame may be presumed to come too late for this chunk."""
        before, interval = self._interval, dts - self._last_dts
        self._agreeing = self._agreeing + 1 if abs(interval - before) <= before >> 3 else 0
        self._interval, self._last_dts = interval, dts
        if self._agreeing >= _STEADY and (
            dts + interval - self._first_dts >= self._span or self._size >= self._chunk_bytes
        ):
            self._flush(None)

    def tick(self, wall: float) -> None:
        """Write what has waited too long; `wall` is Unix seconds."""
        if self._pending and not 0 <= wall - self._pending[0].arrival < self._age_s:
            self._flush(None)

    def close(self) -> None:
        """Write what waits and end the segment."""
        self._flush(None)
        self.writer.close()
        self._wants_key = True
        self._gap = True

    def _flush(self, next_dts: int | None) -> None:
        packets, video = self._pending, self._video
        if not packets or video is None:
            return
        first = packets[0]
        last = packets[-1].dts
        if len(packets) > 1:
            self._interval = last - packets[-2].dts
        if next_dts is None or next_dts <= last:
            next_dts = last + (self._interval if 0 < self._interval <= 10 * TIMESCALE else _USUAL_INTERVAL)
        self._last_dts = last
        self._pending = []
        times = [packet.dts for packet in packets]
        times.append(next_dts)
        durations = [after - before for before, after in pairwise(times)]
        sizes = [packet.size for packet in packets]
        composition = [packet.pts - packet.dts for packet in packets]
        if not any(composition):
            composition = []
        size, self._size = self._size, 0
        writer = self.writer
        segment_time = writer.begin(first, video, self.epoch)
        if segment_time is None:
            self._unkept(packets)
            return
        head = chunk_head(self._number, first.dts - segment_time, first.key, durations, sizes, composition)
        place = writer.append(head, packets, size + len(head), next_dts)
        if place is None:
            self._unkept(packets)
            return
        arrival = first.arrival
        reference = ChunkRef(
            self.camera,
            self.epoch,
            self._number,
            place.path,
            place.init_length,
            place.offset,
            place.length,
            segment_time,
            first.dts,
            first.wall,
            arrival,
            first.key,
            self._gap,
            video.codec,
            video.mime,
            video.width,
            video.height,
            tuple(sizes),
            tuple(durations),
            tuple(composition),
            tuple([int((packet.arrival - arrival) * 1000) for packet in packets]),
        )
        self._number += 1
        self._gap = False
        self._on_chunk(reference)

    def _unkept(self, packets: list[Packet]) -> None:
        self.frames_unkept += len(packets)
        self._gap = True
        self._wants_key = True


def _check(video: VideoFormat) -> None:
    """Raise SourceError (`not_a_video`) where no decoder could be set up with these parameter sets."""
    try:
        init_segment(video)
    except ValueError as error:
        raise SourceError(f"{video.codec.value}: unusable parameter sets: {error}", code="not_a_video") from error

"""Cuts a camera's packets into chunks: at key frames, by size, by time.

A chunk waits in memory for at most `chunk_s`: that is the footage which a killed process may lose. What keeps memory
small is that chunks are small; the page cache of the file being written is the buffer of everybody else.

A frame's duration is known when the next frame arrives, so the newest frame normally waits for it. With low delay a
camera of steady rate does not wait: its last frame is given the usual interval. The next chunk's decode time is exact
all the same; where it then exceeds the sum of durations, the last frame simply lasts longer (ISO/IEC 14496-12 clause
8.8.12).

Sound goes with the pictures during which it begins. It comes later than these, because a frame of sound is sent when it
ends: inside a group of pictures what comes late goes with the next chunk, times told exactly; but a chunk after which a
key frame comes, or with low delay is due, waits a moment for its sound, so that no chunk which begins with a key
frame, where clips and segments begin, holds sound from before it. Sound alone makes no chunk, and a camera that falls
silent stops having a track of sound, since a player would wait for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, AudioFormat, ChunkRef, Packet, VideoFormat
from perishield.streams.fmp4 import chunk_head, init_segment
from perishield.streams.segments import Place, SegmentWriter
from perishield.streams.sound_queue import SoundQueue

_USUAL_INTERVAL: Final = TIMESCALE // 25
_STEADY: Final = 4
"""Intervals in a row that must agree within an eighth before the next one is presumed."""
_WORTH_WRITING: Final = 0.68
"""The share of a chunk's usual length that is written when nothing more lies ready."""
_SOUND_PATIENCE_S: Final = 0.8
_MOST_HELD: Final = 32


@dataclass(slots=True)
class _Cut:
    """A chunk to be written: its packets and their bytes, the tick at which it ends, Unix seconds of its cut, and
    whether it waits for sound.
    """

    packets: list[Packet]
    size: int
    until: int
    since: float
    waits: bool


class Chunker:
    """A PacketSink that writes chunks through `writer` and tells `on_chunk` about each.

    `low_delay` may be changed at any time; `closely`, set before, then makes every picture a chunk of its own. `tick`
    must be called every `chunk_s / 10` or sooner.
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
        self.sound = SoundQueue()
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
        self._told = -1
        self._low_delay = False
        self.closely = False
        self._span = 0
        self._age_s = 0.0
        self._key_dts = -1
        self._group = 0
        self._held: deque[_Cut] = deque()
        self.low_delay = False

    @property
    def low_delay(self) -> bool:
        return self._low_delay

    @low_delay.setter
    def low_delay(self, value: bool) -> None:
        self._low_delay = value
        low_s = 0.0 if self.closely else self._low_s
        # What remains of the time is for the timer's interval, for writing and for syncing, and for bytes that gather
        # in the kernel. By packets the cut comes early enough that the timer, which does not know the last duration,
        # is the exception.
        self._span = int((low_s if value else self._usual_s * 0.66) * TIMESCALE)
        self._age_s = low_s * 1.25 if value else self._usual_s * 0.55

    def format(self, video: VideoFormat) -> None:
        if video != self._video:
            self._flush_all()
            _check(video)
            self._video = video
            self._wants_key = True

    def discontinuity(self, reason: str) -> None:
        self._flush_all()
        self.writer.close()
        self._gap = True
        self._wants_key = True
        self._agreeing = 0
        self._key_dts = -1

    def audio_format(self, audio: AudioFormat | None) -> None:
        """Takes effect with the next segment, which begins at the next key frame; until then the new sound is not kept.

        Before the first chunk of a segment is written this is at once.
        """
        sound = self.sound
        if audio != sound.announced:
            if sound.announced is not None:
                self._flush_all()
            sound.announce(audio, self._pending[-1].dts if self._pending else self._first_dts or -1)

    def audio(self, packet: Packet) -> None:
        self.sound.add(packet)
        if self._held:
            self._release()

    def packet(self, packet: Packet) -> None:
        dts = packet.dts
        if self._pending:
            if packet.key or self._size >= self._chunk_bytes or dts - self._first_dts >= self._span:
                self._flush(dts, packet.arrival if packet.key else 0.0)
        elif self._wants_key and not packet.key:
            self.frames_unkept += 1
            return
        pending = self._pending
        if not pending:
            if packet.key:
                self._group = dts - self._key_dts if self._key_dts >= 0 else 0
                self._key_dts = dts
            self._first_dts = dts
            self._wants_key = False
        pending.append(packet)
        self._size += packet.size
        if self._low_delay:
            self._hasten(dts)

    def rest(self) -> None:
        """What came together is written together, and soon.

        Too little waits for more; a camera of no steady rate for the frame that tells how long the last one lasts.
        """
        pending = self._pending
        if self._low_delay or self._held or len(pending) <= _STEADY:
            return
        last = pending[-1].dts
        interval = last - pending[-2].dts
        if last + interval - self._first_dts < self._span * _WORTH_WRITING:
            return
        jitter = interval >> 3
        if all(abs(pending[n].dts - pending[n - 1].dts - interval) <= jitter for n in range(-_STEADY, -1)):
            before_key = last + interval + (interval >> 1) - self._key_dts >= self._group
            self._flush(None, pending[-1].arrival if before_key else 0.0)

    def _hasten(self, dts: int) -> None:
        """Low delay: write now where the next frame may be presumed to come too late for this chunk."""
        before, interval = self._interval, dts - self._last_dts
        self._agreeing = self._agreeing + 1 if abs(interval - before) <= before >> 3 else 0
        self._interval, self._last_dts = interval, dts
        if self._agreeing >= _STEADY and (
            dts + interval - self._first_dts >= self._span or self._size >= self._chunk_bytes
        ):
            # The next frame is taken for a key frame where the last group of pictures was as long as this one.
            before_key = dts + interval + (interval >> 1) - self._key_dts >= self._group
            self._flush(None, self._pending[-1].arrival if before_key else 0.0)

    def tick(self, wall: float) -> None:
        """Write what has waited too long; `wall` is Unix seconds."""
        if self._held:
            if 0 <= wall - self._held[0].since < self._patience_s:
                self._release()
            else:
                self._release_all()
        if self._pending and not 0 <= wall - self._pending[0].arrival < self._age_s:
            self._flush(None)

    @property
    def _patience_s(self) -> float:
        """What many cameras held back must not be refused because it comes at once: a crowded queue is given time."""
        return _SOUND_PATIENCE_S * (2 if self.writer.crowded else 1)

    def close(self) -> None:
        """Write what waits and end the segment."""
        self._flush_all()
        self.sound.forget()
        self.writer.close()
        self._wants_key = True
        self._gap = True

    def _release(self) -> None:
        """Write what has its sound, in order, as long as the disk keeps up."""
        held, sound = self._held, self.sound
        while held and not (held[0].waits and sound.lags(held[0].until)) and not self.writer.crowded:
            self._write(held.popleft())

    def _release_all(self) -> None:
        while self._held:
            self._write(self._held.popleft())

    def _flush(self, next_dts: int | None, before_key: float = 0.0) -> None:
        """`before_key`: Unix seconds now, where the next frame is or may be a key frame."""
        packets = self._pending
        if not packets:
            return
        last = packets[-1].dts
        if len(packets) > 1:
            self._interval = last - packets[-2].dts
        if next_dts is None or next_dts <= last:
            next_dts = last + (self._interval if 0 < self._interval <= 10 * TIMESCALE else _USUAL_INTERVAL)
        self._last_dts = last
        size = self._size
        self._pending, self._size = [], 0
        if before_key <= 0 or not self.sound.lags(next_dts):
            self._put(_Cut(packets, size, next_dts, before_key, False))
            return
        # Only what sound is still missing for waits for it.
        late = (
            next((index for index in range(1, len(packets)) if packets[index].dts > self.sound.until), len(packets)) - 1
        )
        if late > 0:
            early = sum(packet.size for packet in packets[:late])
            self._put(_Cut(packets[:late], early, packets[late].dts, before_key, False))
            packets, size = packets[late:], size - early
        self._put(_Cut(packets, size, next_dts, before_key, True))

    def _put(self, cut: _Cut) -> None:
        """Write, after what waits."""
        held = self._held
        if not cut.waits and not held:
            self._write(cut)
            return
        held.append(cut)
        if len(held) > _MOST_HELD:
            self._release_all()

    def _flush_all(self) -> None:
        self._flush(None)
        self._release_all()

    def _write(self, cut: _Cut) -> None:
        video = self._video
        if video is None:
            return
        packets, next_dts = cut.packets, cut.until
        first = packets[0]
        times = [packet.dts for packet in packets]
        times.append(next_dts)
        durations = [after - before for before, after in pairwise(times)]
        sizes = [packet.size for packet in packets]
        composition = [packet.pts - packet.dts for packet in packets]
        if not any(composition):
            composition = []
        writer = self.writer
        sound = self.sound
        segment_time = writer.begin(first, video, self.epoch, sound.format)
        if segment_time is None:
            self._unkept(packets)
            return
        number, start = self._number, first.dts - segment_time
        audio = writer.audio
        if audio is None:
            head = chunk_head(number, start, first.key, durations, sizes, composition)
        else:
            run, pieces = sound.take(audio, first.dts if first.key else segment_time, next_dts, segment_time)
            head = chunk_head(number, start, first.key, durations, sizes, composition, run)
            head = b"".join((head, *pieces))
        gap, self._gap = self._gap, False
        self._number = number + 1
        # What is told later must not hold on to the packets: their bytes go when they are written.
        stream_time, wall, arrival, key = first.dts, first.wall, first.arrival, first.key
        arrivals = tuple([int((packet.arrival - arrival) * 1000) for packet in packets])

        def written(place: Place | None) -> None:
            if place is None:
                self.frames_unkept += len(sizes)
                return
            # Chunks before this one may have been lost after they were cut.
            broken, self._told = gap or number != self._told + 1, number
            self._on_chunk(
                ChunkRef(
                    self.camera,
                    self.epoch,
                    number,
                    place.path,
                    place.init_length,
                    place.offset,
                    place.length,
                    segment_time,
                    stream_time,
                    wall,
                    arrival,
                    key,
                    broken,
                    video.codec,
                    video.mime,
                    video.width,
                    video.height,
                    tuple(sizes),
                    tuple(durations),
                    tuple(composition),
                    arrivals,
                    audio.codec.value if audio is not None else "",
                )
            )

        writer.append(head, packets, cut.size + len(head), next_dts, written)

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

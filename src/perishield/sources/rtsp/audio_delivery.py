"""From frames of sound to packets in a sink, in step with the pictures."""

from __future__ import annotations

import time

from perishield.model.media import TIMESCALE, AudioFormat, Packet, PacketSink
from perishield.sources.arrival_clock import ArrivalClock
from perishield.sources.rtsp.audio import AudioPayload
from perishield.sources.rtsp.audio_clock import AudioClock
from perishield.sources.rtsp.clock import signed_difference
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.sound import frame_ticks

_MOST_FAILURES = 2
_AGAIN_S = 600.0
_ALIGN_EVERY = 4
"""Packets between two looks at the pictures' clock."""
_FARTHEST_REPORTS = 2 * TIMESCALE
"""Sender reports that put sound farther from its pictures than arrival does are not of one clock."""


class AudioDelivery:
    """One camera's sound, across connections.

    Its stream time is the video's: by the sender reports of both tracks where both have sent some (RFC 3550 section
    6.4.1), else by arrival. Nothing is passed on before the first picture, nor with a time that was already given.
    `lost` counts packets missing, `unplaced` frames that had no time of their own left.
    """

    def __init__(self, sink: PacketSink, video: Delivery) -> None:
        self.lost = 0
        self.unplaced = 0
        self._sink = sink
        self._video = video
        self._told: AudioFormat | None = None
        self._payload: AudioPayload | None = None
        self._clock = AudioClock(1)
        self._arrivals = ArrivalClock()
        self._report: tuple[float, int] | None = None
        self._by_report = False
        self._unaligned = 0
        self._reports_count = False
        """Sender reports tell for the first time."""
        self._last = -1
        self._failures = 0
        self._again = 0.0

    @property
    def wanted(self) -> bool:
        """Whether to ask for sound; cameras that twice did not play afterwards are left in peace for a while."""
        return self._failures < _MOST_FAILURES or time.monotonic() >= self._again

    def asked(self) -> None:
        """Sound is being asked for."""
        self._failures += 1
        self._again = time.monotonic() + _AGAIN_S

    def granted(self) -> None:
        """The stream plays, sound in it."""
        self._failures = 0

    def connect(self, payload: AudioPayload, rate: int) -> None:
        """A new connection will bring sound read by `payload`, stamped at `rate` a second."""
        self._payload = payload
        self._clock = AudioClock(rate)
        self._arrivals = ArrivalClock()
        self._report = None
        self._by_report = False

    def silence(self) -> None:
        """The connection has no sound."""
        self._payload = None
        if self._told is not None:
            self._told = None
            self._sink.audio_format(None)

    def report(self, wall: float, timestamp: int) -> None:
        """A sender report of the track's came: `wall` is Unix seconds at RTP `timestamp`."""
        self._report = (wall, timestamp)
        self._unaligned = _ALIGN_EVERY

    def frames(self, frames: list[bytes], timestamp: int, lost: int) -> None:
        """Frames of one packet, the first stamped with its RTP time; `lost` packets are missing before it."""
        self.lost += lost
        audio = self._payload.format if self._payload is not None else None
        if audio is None:
            return
        lasts = [frame_ticks(audio, len(frame), frame[:2]) for frame in frames]
        duration = sum(lasts)
        clock = self._clock
        clock.advance(timestamp, duration, lost)
        self._unaligned += 1
        if self._unaligned >= _ALIGN_EVERY or clock.ticks is None:
            self._align(clock, timestamp, duration)
        dts = clock.ticks
        if dts is None:
            return
        if audio != self._told:
            self._told = audio
            self._sink.audio_format(audio)
        for frame, ticks in zip(frames, lasts, strict=True):
            if dts > self._last and dts >= 0:
                self._last = dts
                wall = self._video.arrival
                self._sink.audio(Packet([frame], len(frame), dts, dts, True, wall, wall))
            else:
                self.unplaced += 1
            dts += ticks

    def _align(self, clock: AudioClock, timestamp: int, duration: int) -> None:
        arrived = self._arrivals.wall(round(clock.raw), self._video.monotonic) - clock.raw / TIMESCALE
        target = self._target(timestamp, arrived, duration)
        if target is not None:
            clock.align(target, packets=self._unaligned, at_once=self._reports_count)
            self._unaligned = 0
            self._reports_count = False

    def _target(self, timestamp: int, arrived: float, duration: int) -> float | None:
        """Stream time of this packet by what the video tells; None while there is none.

        `arrived`: monotonic seconds at which tick 0 of the track's own time came in, by its least delayed packets.
        """
        wall_clock, clock = self._video.wall_clock, self._video.clock
        pictures = wall_clock.arrival_offset
        if clock is None or pictures is None:
            return None
        # A packet of sound is sent when its last sample is there.
        by_arrival = self._clock.raw + (arrived - pictures) * TIMESCALE - duration
        ours, theirs = self._report, wall_clock.reported
        if ours is None or theirs is None:
            return by_arrival
        stamp, ticks = clock.position
        picture = theirs[0] + signed_difference(stamp, theirs[1]) / wall_clock.rate
        sound = ours[0] + signed_difference(timestamp, ours[1]) / self._clock.rate
        by_report = ticks + (sound - picture) * TIMESCALE
        if abs(by_report - by_arrival) >= _FARTHEST_REPORTS:
            return by_arrival
        if not self._by_report:
            self._by_report = self._reports_count = True
        return by_report

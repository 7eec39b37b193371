"""From access units to packets in a sink: start at key frames, formats, stream time that outlives connections."""

from __future__ import annotations

import time
from typing import Final

from perishield.model.media import TIMESCALE, Packet, PacketSink
from perishield.sources.decode_times import DecodeTimes
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.clock import RtpClock, WallClock, signed_difference
from perishield.sources.rtsp.drift import Drift
from perishield.sources.status import SourceStatus

_OPEN_GOP_AFTER_S: Final = 10.0
"""Without an IDR for so long, recovery points are taken as key frames: the encoder sends no others."""


class Delivery:
    """One camera's way into its sink, across connections.

    Stream time 0 is the first packet of the epoch; a new connection begins where the monotonic clock says, and after
    the last packet in any case. Pictures shown before the key frame that all begins with (leading pictures, H.265
    clause 3.70) refer to what was never received and are left out.
    """

    __slots__ = (
        "_clock",
        "_drift",
        "_dropped",
        "_epoch_start",
        "_first",
        "_formatted",
        "_jumps",
        "_open_gop",
        "_reason",
        "_sets",
        "_sink",
        "_status",
        "_times",
        "_waiting",
        "_waiting_since",
        "arrival",
        "monotonic",
        "wall_clock",
    )

    def __init__(self, sink: PacketSink, status: SourceStatus) -> None:
        self.arrival = 0.0
        """Unix seconds of the bytes being read; the connection keeps it and `monotonic` up to date."""
        self.monotonic = 0.0
        self.wall_clock = WallClock()
        self._sink = sink
        self._status = status
        self._times = DecodeTimes()
        self._epoch_start = -1.0
        self._clock: RtpClock | None = None
        self._jumps = 0
        self._drift = Drift(TIMESCALE)
        self._sets: ParameterSets | None = None
        self._formatted: ParameterSets | None = None
        self._waiting = True
        self._waiting_since = 0.0
        self._open_gop = False
        self._reason = ""
        self._dropped = 0
        self._first: int | None = None

    @property
    def jumps(self) -> int:
        """Timestamp jumps of all connections."""
        return self._jumps + (self._clock.jumps if self._clock else 0)

    @property
    def clock(self) -> RtpClock | None:
        """The present connection's; None before its first frame."""
        return self._clock

    @property
    def waiting(self) -> bool:
        """No packet has come since the last interruption: a key frame is awaited."""
        return self._waiting

    def connect(self, sets: ParameterSets, rate: int = TIMESCALE) -> None:
        """A new connection will deliver units described by `sets`, stamped at `rate` a second."""
        self._sets = sets
        self._jumps = self.jumps
        self._clock = None
        self._drift = Drift(rate)
        self.wall_clock = WallClock(rate)
        self._dropped = 0
        self._await_key("reconnect" if self._epoch_start >= 0 else "")

    def lost(self, missing: int) -> None:
        """`missing` RTP packets did not come: nothing is worth passing on before the next key frame."""
        if not self._waiting:
            self._dropped = 1
            self._await_key("loss" if missing else "damage")

    def steer(self) -> None:
        """Call now and then: keeps stream time beside the host's clock."""
        clock = self._clock
        if clock is None or self._waiting:
            return
        rate = self._drift.look(clock.lead_s, self.monotonic)
        if rate:
            clock.retune(rate)
            self._status.reception.clock_corrections += 1

    def report(self, wall: float, timestamp: int) -> None:
        """A sender report of the track's came: `wall` is Unix seconds at RTP `timestamp`."""
        self.wall_clock.report(wall, timestamp, self.arrival)

    def _await_key(self, reason: str) -> None:
        self._waiting = True
        self._waiting_since = time.monotonic()
        self._reason = reason

    def unit(self, data: list[bytes], size: int, key: bool, recovery: bool, timestamp: int) -> None:
        """An access unit from the track, stamped with its RTP time."""
        if recovery and not key and self._takes_recovery_points():
            key = True
        if self._waiting and not self._resume(key, timestamp):
            return
        sets = self._sets
        clock = self._clock
        if sets is None or clock is None:
            return
        if self._first is not None:
            if signed_difference(timestamp, self._first) < 0:
                return
            if timestamp != self._first:
                self._first = None
        if key and (sets.changed or sets is not self._formatted):
            self._format(sets)
        dts, pts = self._times.times(clock.ticks(timestamp, self.monotonic))
        status = self._status
        status.frames += 1
        status.bytes += size
        wall = self.wall_clock.wall(timestamp, pts, self.arrival, self.monotonic)
        self._sink.packet(Packet(data, size, dts, pts, key, wall, self.arrival))

    def rest(self) -> None:
        """All that was read is delivered; the next read may be a fifth of a second away."""
        if not self._waiting:
            self._sink.rest()

    def _takes_recovery_points(self) -> bool:
        if not self._open_gop and self._waiting and self.monotonic - self._waiting_since > _OPEN_GOP_AFTER_S:
            self._open_gop = True
        return self._open_gop

    def _resume(self, key: bool, timestamp: int) -> bool:
        """Whether this unit ends the waiting; the sink has then been told what happened."""
        sets = self._sets
        if sets is None or not key or not sets.complete:
            self._dropped += 1
            return False
        self._waiting = False
        self._first = timestamp
        if self._clock is None:
            if sets.sequence is not None:
                self._times.configure(sets.sequence.reorder, sets.sequence.frame_ticks)
            self._clock = RtpClock(self._start(), rate=self.wall_clock.rate)
        else:
            self._status.frames_lost += self._dropped
            self._times.restart()
        self._dropped = 0
        if self._reason:
            self._sink.discontinuity(self._reason)
        return True

    def _start(self) -> int:
        """Stream time of a connection's first frame."""
        if self._epoch_start < 0:
            self._epoch_start = self.monotonic
            return self._times.delay
        elapsed = int((self.monotonic - self._epoch_start) * TIMESCALE)
        return max(elapsed, self._times.last + TIMESCALE // 25) + self._times.delay

    def _format(self, sets: ParameterSets) -> None:
        video = sets.format()
        if self._formatted is sets and sets.sequence is not None:
            self._times.configure(sets.sequence.reorder, sets.sequence.frame_ticks)
        self._formatted = sets
        self._sink.format(video)
        self._status.playing(video)

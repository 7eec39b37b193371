"""How a source is, told to whoever asked for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from perishield.model.errors import PeriShieldError
from perishield.model.media import StreamCondition, StreamState, VideoFormat
from perishield.sources.reception import Reception

OnState = Callable[[StreamState], None]

_REPORT_EVERY_S = 5.0


class SourceStatus:
    """Counters of one camera; publishes a StreamState on every change and every 5 s."""

    __slots__ = (
        "_bytes_before",
        "_code",
        "_condition",
        "_format",
        "_frames_before",
        "_message",
        "_on_state",
        "_published",
        "_since",
        "bitrate",
        "bytes",
        "camera",
        "clock",
        "epoch",
        "fps",
        "frames",
        "frames_lost",
        "reception",
        "reconnects",
    )

    def __init__(self, camera: str, epoch: int, on_state: OnState) -> None:
        self.camera = camera
        self.epoch = epoch
        self.frames = 0
        self.frames_lost = 0
        self.bytes = 0
        self.reconnects = 0
        self.fps = 0.0
        self.bitrate = 0
        self.clock = "arrival"
        self.reception = Reception()
        self._on_state = on_state
        self._condition = StreamCondition.CONNECTING
        self._since = time.time()
        self._code = ""
        self._message = ""
        self._format: VideoFormat | None = None
        self._published = 0.0
        self._frames_before = 0
        self._bytes_before = 0

    @property
    def live(self) -> bool:
        return self._condition is StreamCondition.LIVE

    def connecting(self) -> None:
        """Published once at the start; while a source that failed tries again, its failure stays on show."""
        if self._published == 0.0:
            self._publish()

    def playing(self, video: VideoFormat) -> None:
        """Packets flow in this format."""
        if self._condition is not StreamCondition.LIVE:
            self._change(StreamCondition.LIVE, "", "")
            self._frames_before, self._bytes_before = self.frames, self.bytes
        self._format = video
        self._publish()

    def failed(self, error: PeriShieldError) -> None:
        self.fps, self.bitrate = 0.0, 0
        if self._condition is not StreamCondition.FAILED:
            self._change(StreamCondition.FAILED, error.code, error.message)
        self._code, self._message = error.code, error.message
        self._publish()

    def tick(self) -> None:
        """Call about once a second: measures and publishes when it is time."""
        elapsed = time.monotonic() - self._published
        if elapsed < _REPORT_EVERY_S:
            return
        if self.live:
            self.fps = round((self.frames - self._frames_before) / elapsed, 2)
            self.bitrate = int((self.bytes - self._bytes_before) * 8 / elapsed)
        self._publish()

    def _change(self, condition: StreamCondition, code: str, message: str) -> None:
        self._condition, self._code, self._message = condition, code, message
        self._since = time.time()

    def _publish(self) -> None:
        self._published = time.monotonic()
        self._frames_before, self._bytes_before = self.frames, self.bytes
        video, reception = self._format, self.reception
        self._on_state(
            StreamState(
                camera=self.camera,
                condition=self._condition,
                since=self._since,
                epoch=self.epoch,
                code=self._code,
                message=self._message,
                codec=str(video.codec) if video else "",
                width=video.width if video else 0,
                height=video.height if video else 0,
                fps=self.fps,
                bitrate=self.bitrate,
                frames=self.frames,
                frames_lost=self.frames_lost,
                reconnects=self.reconnects,
                clock=self.clock,
                transport=reception.transport,
                packets_lost=reception.lost,
                packets_late=reception.late,
                packets_reordered=reception.reordered,
                packets_duplicate=reception.duplicates,
                source_changes=reception.sources,
                time_jumps=reception.time_jumps,
                clock_corrections=reception.clock_corrections,
            )
        )

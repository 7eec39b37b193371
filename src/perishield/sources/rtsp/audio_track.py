"""RTP packets of one track of sound (RFC 3550 section 5.1). A loss is a gap, not a reason to wait."""

from __future__ import annotations

from collections.abc import Callable

from perishield.sources.rtsp.audio import AudioPayload
from perishield.sources.rtsp.rtp import payload_bounds

_STRANGERS = 10
"""Packets in a row of another payload type or source after which that is taken for the stream itself."""

OnFrames = Callable[[list[bytes], int, int], None]
"""(frames, RTP timestamp of the first, packets lost before)"""


class AudioTrack:
    """Hands out whole frames. `lost` counts packets that never came, `malformed` those that were none."""

    def __init__(self, payload_type: int, payload: AudioPayload, on_frames: OnFrames) -> None:
        self.packets = 0
        self.lost = 0
        self.malformed = 0
        self.source = b""
        self._payload_type = payload_type
        self._payload = payload
        self._on_frames = on_frames
        self._expected = -1
        self._missing = 0
        self._strangers = 0

    @property
    def highest(self) -> int:
        """The last sequence number, or 0."""
        return (self._expected - 1) & 0xFFFF if self._expected >= 0 else 0

    def packet(self, data: bytes, start: int, end: int) -> None:
        """Take in the RTP packet data[start:end]. Never raises."""
        if end - start < 12 or data[start] & 0xC0 != 0x80:
            self.malformed += 1
            return
        kind, source = data[start + 1] & 0x7F, data[start + 8 : start + 12]
        if (kind != self._payload_type or source != self.source) and not self._admits(kind, source):
            return
        self._strangers = 0
        number = data[start + 2] << 8 | data[start + 3]
        if self._expected >= 0 and number != self._expected:
            missing = (number - self._expected) & 0xFFFF
            if missing >= 0x8000:
                # Late or repeated; a sequence that began anew comes as a new source or goes on from here.
                if missing > 0xFF00:
                    return
                missing = 1
            self.lost += missing
            self._missing += missing
            self._payload.lose()
        self._expected = (number + 1) & 0xFFFF
        self.packets += 1
        marker = bool(data[start + 1] & 0x80)
        stamp = int.from_bytes(data[start + 4 : start + 8], "big")
        payload = start + 12
        if data[start] & 0x3F:
            payload, end = payload_bounds(data, start, end)
        frames = self._payload.frames(data, payload, end, marker)
        if frames:
            missing, self._missing = self._missing, 0
            self._on_frames(frames, stamp, missing)

    def lose(self) -> None:
        """Bytes went missing below RTP."""
        self._payload.lose()

    def _admits(self, kind: int, source: bytes) -> bool:
        if kind == self._payload_type and not self.source:
            self.source = source
            return True
        self._strangers += 1
        if self._strangers < _STRANGERS:
            return False
        self._payload_type, self.source = kind, source
        self._expected = -1
        self._missing += 1
        self._payload.lose()
        return True

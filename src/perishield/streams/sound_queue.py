"""Sound that waits for its pictures."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final

from perishield.model.media import TIMESCALE, AudioFormat, Packet
from perishield.sources.sound import frame_ticks
from perishield.streams.fmp4 import SoundRun

_SILENT_AFTER: Final = 4 * TIMESCALE
_LARGEST_LAG: Final = TIMESCALE // 2
_MOST_FRAMES: Final = 1024
_MOST_BYTES: Final = 1 << 20


class SoundQueue:
    """One camera's sound in order of time, bounded.

    `announced` is the format of what comes; `format` the same, but None while the camera is silent. `until` is the tick
    at which the newest frame ends. `unkept` counts frames for which there was no place.
    """

    __slots__ = ("_bytes", "_frames", "announced", "format", "unkept", "until")

    def __init__(self) -> None:
        self.announced: AudioFormat | None = None
        self.format: AudioFormat | None = None
        self.until = 0
        self.unkept = 0
        self._frames: deque[Packet] = deque()
        self._bytes = 0

    def announce(self, audio: AudioFormat | None, now: int) -> None:
        """Sound of this format comes from tick `now` on, or from the first picture on if that is -1; None for none."""
        self.forget()
        self.announced = self.format = audio
        self.until = now

    def forget(self) -> None:
        """No pictures come for what waits."""
        self.unkept += len(self._frames)
        self._frames.clear()
        self._bytes = 0

    def add(self, packet: Packet) -> None:
        """Sound without a format, or from before the sound already here, is not kept."""
        audio, frames = self.announced, self._frames
        if audio is None or not packet.size or (frames and packet.dts <= frames[-1].dts):
            self.unkept += 1
            return
        self.format = audio
        frames.append(packet)
        self._bytes += packet.size
        self.until = packet.dts + _lasts(audio, packet)
        while len(frames) > _MOST_FRAMES or self._bytes > _MOST_BYTES:
            self._bytes -= frames.popleft().size
            self.unkept += 1

    def lags(self, until: int) -> bool:
        """Whether more sound is to be expected soon that begins before tick `until`."""
        if self.until < 0:
            self.until = until - 1
        return self.format is not None and 0 < until - self.until <= _LARGEST_LAG

    def take(self, audio: AudioFormat, earliest: int, until: int, origin: int) -> tuple[SoundRun | None, list[bytes]]:
        """The sound that begins in [earliest, until), in ticks from `origin`, and its bytes; `audio` is the file's.

        What is earlier or of another format is left out. Long silence takes the format away, until there is sound.
        """
        frames, fits = self._frames, audio is self.announced
        taken: list[Packet] = []
        while frames and frames[0].dts < until:
            packet = frames.popleft()
            self._bytes -= packet.size
            if fits and packet.dts >= earliest:
                taken.append(packet)
            else:
                self.unkept += 1
        if self.until < 0:
            self.until = until
        elif until - self.until > _SILENT_AFTER:
            self.format = None
        if not taken:
            return None, []
        last = _lasts(audio, taken[-1])
        if frames:
            last = min(last, frames[0].dts - taken[-1].dts)
        durations = [after.dts - before.dts for before, after in pairwise(taken)]
        durations.append(last)
        run = SoundRun(taken[0].dts - origin, durations, [packet.size for packet in taken])
        return run, [piece for packet in taken for piece in packet.data]


def _lasts(audio: AudioFormat, packet: Packet) -> int:
    return frame_ticks(audio, packet.size, packet.data[0] if packet.data else b"")

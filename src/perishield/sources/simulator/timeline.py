"""One clip on the air: all who watch it see the same frame at the same time, and its loops have no seam."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

from perishield.model.media import TIMESCALE
from perishield.sources.rtsp.rtcp import sender_report
from perishield.sources.simulator.clip import SimulatorClip
from perishield.sources.simulator.packetizer import stamp
from perishield.sources.simulator.sound import SoundTimeline

_SLOTS = 10
_SLOT_S = 0.003


class Viewer(Protocol):
    """Who gets a clip's frames."""

    def frame(self, data: bytes, frames: tuple[int, ...], *, key: bool) -> None: ...


class Timeline:
    """Frames are stamped once and sent to the viewers of ten slots, 3 ms apart, so that their reads do not coincide."""

    def __init__(self, clip: SimulatorClip) -> None:
        self.clip = clip
        self.started_wall = time.time()
        self._started = time.monotonic()
        self._base = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._slots: list[set[Viewer]] = [set() for _ in range(_SLOTS)]
        self._joined = 0
        self._packets = 0
        self._octets = 0
        self.sound: SoundTimeline | None = None
        if clip.sound is not None:
            self.sound = SoundTimeline(clip.sound, clip.duration, self._started, self.started_wall)

    def loop_started(self, number: int) -> float:
        """Unix seconds at which the first frame of loop `number` (from 0) is or was due."""
        return self.started_wall + number * self.clip.duration / TIMESCALE

    def join(self, viewer: Viewer) -> None:
        """From the next frame on; viewers are spread over the slots."""
        self._slots[self._joined * 7 % _SLOTS].add(viewer)
        self._joined += 1

    def leave(self, viewer: Viewer) -> None:
        for slot in self._slots:
            slot.discard(viewer)

    def report(self) -> bytes:
        """An RTCP sender report that ties this moment to RTP time."""
        elapsed = time.monotonic() - self._started
        timestamp = self._base + round(elapsed * TIMESCALE)
        return sender_report(self.clip.source, self.started_wall + elapsed, timestamp, self._packets, self._octets)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        shift = loop.time() - time.monotonic()
        origin = 0
        while True:
            for frame in self.clip.clip_frames:
                due = self._started + shift + (origin + frame.due) / TIMESCALE
                wait = due - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                timestamp = (self._base + origin + frame.shown) & 0xFFFFFFFF
                self._sequence = stamp(frame.packets, frame.frames, self._sequence, timestamp)
                self._packets += len(frame.frames)
                self._octets += frame.octets
                data = bytes(frame.packets)
                for index, slot in enumerate(self._slots):
                    if slot:
                        loop.call_at(due + index * _SLOT_S, _send, slot, data, frame.frames, frame.key)
                if wait < -1:
                    await asyncio.sleep(0)
            origin += self.clip.duration


def _send(slot: set[Viewer], data: bytes, frames: tuple[int, ...], key: bool) -> None:
    for viewer in tuple(slot):
        viewer.frame(data, frames, key=key)

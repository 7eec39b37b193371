"""Chunk references in, pictures out: nothing is decoded that nobody asked for.

Access units go straight from the segment file (page cache) to libavcodec; the MP4 around them is never parsed, since
a chunk reference says where they lie and when they are due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
import av.error

from perishield.log import Log
from perishield.model.errors import StorageError
from perishield.model.media import TIMESCALE, ChunkRef, Codec
from perishield.vision.hardware import SOFTWARE, decoder_for
from perishield.vision.init_segment import decoder_configuration
from perishield.vision.picture import Picture

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

log = Log("decoder")

_NAMES = {Codec.H264: "h264", Codec.H265: "hevc"}
_MAX_PIXELS = 64_000_000
"""A damaged parameter set must not make the decoder ask for gigabytes."""
_LONGEST_GOP = 900
"""Chunks remembered since the last key frame; a camera that sends fewer key frames is followed from its next one."""


@dataclass(slots=True)
class DecoderCounts:
    """What a decoder did. `corrupt`: access units refused or damaged; `missing`: chunks whose file was gone;
    `resyncs`: times it had to wait for a key frame."""

    pictures: int = 0
    units: int = 0
    corrupt: int = 0
    missing: int = 0
    resyncs: int = 0


class ChunkDecoder:
    """Decodes one camera's chunks, which must be offered in order through `skim` or `follow`.

    `skim` decodes a chunk's key frame at most and remembers the rest; `follow` decodes what was skipped since a key
    frame and goes on from there. So a gate that opens late misses nothing.
    """

    def __init__(self, media_root: Path, *, loop_filter: bool = True, hardware: str = "") -> None:
        self.counts = DecoderCounts()
        self.name = SOFTWARE
        """What the last picture was decoded by: software, or the hardware that was asked for."""
        self.wanted_from = 0
        """Pictures before this stream tick need not come out: those that no other is predicted from are passed over."""
        self._root = media_root
        self._hardware = hardware
        self._options = {"max_pixels": str(_MAX_PIXELS), "threads": "1"}
        if not loop_filter:
            self._options["skip_loop_filter"] = "all"
        self._codec: VideoCodecContext | None = None
        self._configuration: tuple[Codec, bytes] | None = None
        self._history: list[ChunkRef] = []
        self._last: ChunkRef | None = None
        self._decoded = -1
        self._times: dict[int, tuple[ChunkRef, float, float, bool]] = {}
        self._file: tuple[str, BinaryIO] | None = None

    def skim(self, ref: ChunkRef) -> Picture | None:
        """The picture of the chunk's key frame, if it has one; everything else stays encoded for now."""
        if not self._continues(ref):
            return None
        self._history.append(ref)
        if not ref.key:
            return None
        self._restart()
        pictures = list(self._feed(ref, first_only=True))
        self._restart()
        return pictures[0] if pictures else None

    def follow(self, ref: ChunkRef) -> Iterator[Picture]:
        """Every picture up to the end of this chunk that was not decoded yet, in presentation order."""
        if self._continues(ref):
            self._history.append(ref)
            yield from self.catch_up()

    def catch_up(self, since: int | None = None) -> Iterator[Picture]:
        """Decode what `skim` left encoded, up to the newest chunk.

        It begins at the last key frame not later than stream tick `since`, as far back as the group of pictures
        before the present one; without `since`, at the present one's key frame. Pictures seen already may come again.
        """
        if self._decoded >= 0:
            pending = [chunk for chunk in self._history if chunk.number > self._decoded]
        else:
            pending = self._history[self._begin(since) :]
        for chunk in pending:
            yield from self._feed(chunk)
            if self._decoded < 0:
                return

    def close(self) -> None:
        """Let go of the file and the decoder."""
        self._forget_file()
        self._codec = None
        self._history.clear()
        self._restart()

    def _begin(self, since: int | None) -> int:
        keys = [index for index, chunk in enumerate(self._history) if chunk.key]
        if not keys:
            return len(self._history)
        if since is not None:
            early = [index for index in keys if self._history[index].stream_time <= since]
            return early[-1] if early else keys[0]
        return keys[-1]

    def _continues(self, ref: ChunkRef) -> bool:
        """Take note of what this chunk begins or breaks; False while there is no key frame to begin with."""
        last, self._last = self._last, ref
        broken = (
            last is None
            or ref.discontinuity
            or ref.epoch != last.epoch
            or ref.number != last.number + 1
            or ref.codec != last.codec
        )
        if broken:
            self._lose()
        if broken or last is None or ref.path != last.path:
            try:
                configuration = ref.codec, decoder_configuration(self._read(ref.path, 0, ref.init_length))
            except StorageError:
                self.counts.missing += 1
                self._lose()
                self._last = None
                return False
            if configuration != self._configuration:
                self._lose()
                self._configuration = configuration
                self._codec = None
        if ref.key:
            keys = [index for index, chunk in enumerate(self._history) if chunk.key]
            del self._history[: keys[-1] if keys else len(self._history)]
        elif len(self._history) >= _LONGEST_GOP:
            if self._decoded < 0:
                self._lose()
            del self._history[:-1]
        return ref.key or self._decoded >= 0 or bool(self._history)

    def _lose(self) -> None:
        if self._history:
            self.counts.resyncs += 1
        self._history.clear()
        self._restart()

    def _restart(self) -> None:
        if self._codec is not None:
            self._codec.flush_buffers()
        self._decoded = -1
        self._times.clear()

    def _feed(self, ref: ChunkRef, *, first_only: bool = False) -> Iterator[Picture]:
        """Decode one chunk's access units, or its first alone, which is then pushed out of the decoder.

        After an error `_decoded` is -1 and the next key frame is waited for.
        """
        codec = self._open()
        units = self._units(ref) if codec else None
        if codec is None or units is None:
            self._lose()
            return
        time = ref.stream_time
        first = ref.stream_time + (ref.composition[0] if ref.composition else 0)
        for index, unit in enumerate(units):
            shown = time + (ref.composition[index] if ref.composition else 0)
            arrival = ref.arrival + (ref.arrivals[index] / 1000 if ref.arrivals else 0.0)
            self._times[shown] = (ref, ref.wall + (shown - first) / TIMESCALE, arrival, ref.key and index == 0)
            packet = av.Packet(unit)
            packet.pts, packet.dts = shown, time
            time += ref.durations[index]
            self.counts.units += 1
            # Nothing is predicted from such a picture, so neither it nor its edges' smoothing is missed.
            codec.skip_frame = "NONREF" if shown < self.wanted_from and not first_only else "DEFAULT"
            try:
                frames = codec.decode(packet)
                if first_only:
                    frames += codec.decode(None)
            except av.error.FFmpegError as error:
                self._refused(error)
                return
            yield from self._pictures(frames)
            if first_only:
                return
        self._decoded = ref.number

    def _refused(self, error: Exception) -> None:
        """An access unit was refused: wait for the next key frame, in software where hardware refused it."""
        self.counts.corrupt += 1
        self._lose()
        if self.name != SOFTWARE:
            log.warning("decoder.hardware_failed", name=self.name, message=str(error))
            self._hardware, self._codec = "", None

    def _pictures(self, frames: list[av.VideoFrame]) -> Iterator[Picture]:
        for frame in frames:
            known = self._times.pop(frame.pts, None) if frame.pts is not None else None
            if frame.is_corrupt or known is None:
                self.counts.corrupt += 1
                continue
            ref, wall, arrival, key = known
            self.counts.pictures += 1
            yield Picture(ref.camera, ref.epoch, frame.pts or 0, wall, arrival, key, frame)
        if len(self._times) > 64:
            # Units that never gave a picture: only the newest can still be on their way through the reorder buffer.
            for stale in sorted(self._times)[:-32]:
                del self._times[stale]

    def _open(self) -> VideoCodecContext | None:
        while self._codec is None and self._configuration is not None:
            kind, extradata = self._configuration
            codec, self.name = decoder_for(_NAMES[kind], self._hardware)
            codec.extradata = extradata
            codec.options = self._options
            codec.thread_count = 1
            try:
                codec.open()
            except (av.error.FFmpegError, ValueError) as error:
                if self.name == SOFTWARE:
                    self.counts.corrupt += 1
                    return None
                log.warning("decoder.hardware_failed", name=self.name, message=str(error))
                self._hardware = ""
                continue
            self._codec = codec
        return self._codec

    def _units(self, ref: ChunkRef) -> list[bytes] | None:
        total = sum(ref.sizes)
        try:
            data = self._read(ref.path, ref.offset + ref.length - total, total)
        except StorageError:
            self.counts.missing += 1
            return None
        units, start = [], 0
        for size in ref.sizes:
            units.append(data[start : start + size])
            start += size
        return units

    def _read(self, path: str, offset: int, length: int) -> bytes:
        """Raises StorageError (`missing`) when the file is gone or shorter than the chunk reference says."""
        try:
            if self._file is None or self._file[0] != path:
                self._forget_file()
                self._file = (path, (self._root / path).open("rb", buffering=0))
            self._file[1].seek(offset)
            data = self._file[1].read(length)
        except OSError as error:
            raise StorageError(f"{path}: {error}", code="missing") from error
        if len(data) < length:
            raise StorageError(f"{path}: {len(data)} of {length} bytes at {offset}", code="missing")
        return data

    def _forget_file(self) -> None:
        if self._file is not None:
            self._file[1].close()
            self._file = None

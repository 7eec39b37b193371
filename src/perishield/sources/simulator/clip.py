"""A clip, demuxed once and kept as RTP packets ready to send."""

from __future__ import annotations

import base64
import itertools
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.model.errors import SourceError
from perishield.model.media import TIMESCALE, Codec
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_annexb, split_lengths, split_record
from perishield.sources.parameter_sets import ParameterSets, nal_kind
from perishield.sources.simulator.packetizer import PAYLOAD_TYPE, packetize
from perishield.sources.simulator.sound import ClipSound, sound_of

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265}
_PARAMETER_SETS = {Codec.H264: (7, 8), Codec.H265: (32, 33, 34)}
_LEFT_OUT = {Codec.H264: (7, 8, 9, 12), Codec.H265: (32, 33, 34, 35, 38)}


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One access unit. `due` is when it is sent and `shown` its presentation time, in ticks from the loop's start."""

    packets: bytearray
    frames: tuple[int, ...]
    due: int
    shown: int
    key: bool
    octets: int


@dataclass(frozen=True, slots=True)
class SimulatorClip:
    """`duration` is the loop's length in ticks of 1/90000 s; `source` the SSRC of its packets; `sound` a second track,
    where the file has one that cameras send.
    """

    codec: Codec
    width: int
    height: int
    parameter_sets: tuple[bytes, ...]
    clip_frames: tuple[ClipFrame, ...]
    duration: int
    source: int
    sound: ClipSound | None = None

    @classmethod
    def load(cls, path: str | Path) -> SimulatorClip:
        """Demux an H.264 or H.265 file (blocks).

        Raises SourceError: `not_found`, `not_a_video`, `unsupported_codec`.
        """
        import av

        name = Path(path).name
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise SourceError(f"{name} has no video", code="not_a_video")
                return _from_stream(container, container.streams.video[0], name)
        except FileNotFoundError:
            raise SourceError(f"{name} does not exist: check the path", code="not_found") from None
        except (av.error.FFmpegError, BitstreamError) as error:
            raise SourceError(f"{name} is not a video that can be read ({error})", code="not_a_video") from None

    @property
    def frame_rate(self) -> float:
        return len(self.clip_frames) * TIMESCALE / self.duration

    def description(self, *, with_parameter_sets: bool = True) -> str:
        """The SDP of its tracks, whose controls are `trackID=0` for the video and `trackID=1` for the sound."""
        sets = [base64.b64encode(nal).decode() for nal in self.parameter_sets]
        if self.codec is Codec.H264:
            mapping, parameters = "H264", f"packetization-mode=1;profile-level-id={self.parameter_sets[0][1:4].hex()}"
            if with_parameter_sets:
                parameters += ";sprop-parameter-sets=" + ",".join(sets)
        else:
            mapping = "H265"
            video, sequence, picture = sets[0], sets[1], ",".join(sets[2:])
            parameters = f"sprop-vps={video};sprop-sps={sequence};sprop-pps={picture}" if with_parameter_sets else ""
        lines = [
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=simulator",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=control:*",
            "a=range:npt=now-",
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} {mapping}/{TIMESCALE}",
            f"a=fmtp:{PAYLOAD_TYPE} {parameters}",
            "a=control:trackID=0",
            f"a=framerate:{self.frame_rate:g}",
            *(self.sound.description() if self.sound else ()),
        ]
        return "\r\n".join(lines) + "\r\n"


def _from_stream(container: Any, stream: VideoStream, name: str) -> SimulatorClip:
    codec = _CODECS.get(stream.codec_context.name)
    if codec is None:
        raise SourceError(
            f"{name} holds {stream.codec_context.name}: the simulator sends H.264 and H.265 only",
            code="unsupported_codec",
            codec=stream.codec_context.name,
        )
    length_size, set_nals = split_record(codec, stream.codec_context.extradata or b"")
    base = stream.time_base
    if base is None:
        raise SourceError(f"{name} has no time base", code="not_a_video")
    units, sounds = [], []
    sound_stream = next(iter(container.streams.audio), None)
    for packet in container.demux([stream, sound_stream] if sound_stream else [stream]):
        if packet.stream is not stream:
            sounds.append(packet)
            continue
        if not packet.size or packet.dts is None or packet.pts is None:
            continue
        nals = split_lengths(bytes(packet), length_size) if length_size else split_annexb(bytes(packet))
        units.append((nals, round(packet.dts * base * TIMESCALE), round(packet.pts * base * TIMESCALE), packet))
    while units and not units[0][3].is_keyframe:
        units.pop(0)
    if not units:
        raise SourceError(f"{name} has no key frame", code="not_a_video")
    sets = ParameterSets(codec)
    for nal in [
        *set_nals,
        *(nal for nals, *_ in units for nal in nals if nal_kind(codec, nal) in _PARAMETER_SETS[codec]),
    ]:
        sets.offer(nal)
    if not sets.complete:
        raise SourceError(f"{name} has no parameter sets", code="not_a_video")
    video = sets.format()
    clip = _lay_out(codec, units, video.parameter_sets, video.width, video.height)
    if sound_stream is None:
        return clip
    return replace(clip, sound=sound_of(sound_stream, sounds, units[0][2], clip.duration))


def _lay_out(
    codec: Codec, units: list[tuple[list[bytes], int, int, Any]], sets: tuple[bytes, ...], width: int, height: int
) -> SimulatorClip:
    """Frames on the loop's own time: the first is shown at 0, and none is sent before it is shown."""
    first_dts, first_pts = units[0][1], units[0][2]
    delay = max(pts - first_pts - (dts - first_dts) for _, dts, pts, _ in units)
    steps = sorted(later[1] - earlier[1] for earlier, later in itertools.pairwise(units))
    step = steps[len(steps) // 2] if steps else TIMESCALE // 25
    source = random.getrandbits(32)
    frames = []
    for nals, dts, pts, packet in units:
        kept = [nal for nal in nals if nal_kind(codec, nal) not in _LEFT_OUT[codec]]
        if packet.is_keyframe:
            kept[:0] = sets
        buffer, offsets = packetize(codec, kept, source)
        octets = len(buffer) - 16 * len(offsets)
        frames.append(ClipFrame(buffer, offsets, dts - first_dts + delay, pts - first_pts, packet.is_keyframe, octets))
    duration = units[-1][1] - first_dts + max(step, 1)
    return SimulatorClip(codec, width, height, sets, tuple(frames), duration, source)

"""What DESCRIBE answers (RFC 4566): RFC 6184 section 8.2 and RFC 7798 section 7.2 for pictures, RFC 3640 section 4.1,
RFC 7587 section 7 and RFC 3551 for sound."""

from __future__ import annotations

import base64

from perishield.live.description import Description
from perishield.live.piece import VIDEO_TYPE, sound_rate, sound_type
from perishield.model.media import TIMESCALE, AudioCodec, AudioFormat, Codec, VideoFormat
from perishield.sources.parameter_sets import nal_kind

VIDEO_CONTROL, SOUND_CONTROL = "trackID=0", "trackID=1"


def describe_session(description: Description, name: str, address: str) -> str:
    """`address`: of this server, as the client reached it."""
    kind = "IP6" if ":" in address else "IP4"
    lines = [
        "v=0",
        f"o=- 0 0 IN {kind} {address}",
        f"s={name}",
        f"c=IN {kind} {'::' if kind == 'IP6' else '0.0.0.0'}",  # noqa: S104
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        *_video(description.video),
    ]
    if description.audio is not None:
        lines += _audio(description.audio)
    return "\r\n".join(lines) + "\r\n"


def _video(video: VideoFormat) -> list[str]:
    sets = [base64.b64encode(nal).decode() for nal in video.parameter_sets]
    if video.codec is Codec.H264:
        sps = next((nal for nal in video.parameter_sets if nal_kind(Codec.H264, nal) == 7), b"\x67\x42\xe0\x1f")
        mapping = "H264"
        parameters = f"packetization-mode=1;profile-level-id={sps[1:4].hex()};sprop-parameter-sets={','.join(sets)}"
    else:
        mapping = "H265"
        kinds = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}
        named = {
            name: ",".join(
                text for text, nal in zip(sets, video.parameter_sets, strict=True) if nal_kind(Codec.H265, nal) == kind
            )
            for kind, name in kinds.items()
        }
        parameters = ";".join(f"{name}={text}" for name, text in named.items() if text)
    return [
        f"m=video 0 RTP/AVP {VIDEO_TYPE}",
        f"a=rtpmap:{VIDEO_TYPE} {mapping}/{TIMESCALE}",
        f"a=fmtp:{VIDEO_TYPE} {parameters}",
        f"a=control:{VIDEO_CONTROL}",
    ]


def _audio(audio: AudioFormat) -> list[str]:
    kind, rate = sound_type(audio), sound_rate(audio)
    channels = f"/{audio.channels}" if audio.channels > 1 else ""
    lines = [f"m=audio 0 RTP/AVP {kind}"]
    if audio.codec is AudioCodec.AAC:
        lines += [
            f"a=rtpmap:{kind} MPEG4-GENERIC/{rate}/{audio.channels}",
            f"a=fmtp:{kind} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
            f"indexdeltalength=3;config={audio.config.hex()}",
        ]
    elif audio.codec is AudioCodec.OPUS:
        # Always 2 here, whatever is coded (RFC 7587 section 7).
        lines += [f"a=rtpmap:{kind} opus/48000/2", f"a=fmtp:{kind} sprop-stereo={int(audio.channels > 1)}"]
    else:
        lines.append(f"a=rtpmap:{kind} {'PCMA' if audio.codec is AudioCodec.PCMA else 'PCMU'}/{rate}{channels}")
    return [*lines, f"a=control:{SOUND_CONTROL}"]

"""Which of the codecs that a browser offers suits a camera, told to aiortc, which knows two profiles of H.264 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perishield.live.description import Description
from perishield.model.errors import SourceError
from perishield.model.media import AudioCodec, AudioFormat, Codec
from perishield.sources.parameter_sets import nal_kind

if TYPE_CHECKING:
    from aiortc.rtcrtpparameters import RTCRtpCodecCapability

_PROFILES = ("42001f", "42e01f", "4d001f", "64001f")
"""Baseline, constrained baseline, main, high: as browsers name them (RFC 6184 section 8.1)."""
_FALLBACK = ("42e01f", "42001f", "4d001f", "64001f")
_SOUND = {AudioCodec.OPUS: "audio/opus", AudioCodec.PCMA: "audio/PCMA", AudioCodec.PCMU: "audio/PCMU"}
_LARGEST_OFFER = 65_536


def check_camera(camera: str, description: Description, *, reordered: bool) -> None:
    """Raises SourceError (`unsupported_codec`, `b_frames`) where no browser takes the camera's pictures as they are."""
    if description.video.codec is not Codec.H264:
        raise SourceError(
            f"camera '{camera}': it sends H.265, which browsers do not take over WebRTC; set it to H.264",
            code="unsupported_codec",
            codec="H.265",
        )
    if reordered:
        # Without decoding order numbers (RFC 6184, packetization mode 1) browsers drop most of such pictures.
        raise SourceError(
            f"camera '{camera}': it sends B-frames, which browsers do not take over WebRTC; switch them off there",
            code="b_frames",
        )


def check_offer(sdp: str) -> None:
    """Raises SourceError (`protocol`) for what is no offer to watch."""
    wants = "m=video" in sdp and ("a=recvonly" in sdp or "a=sendrecv" in sdp)
    if len(sdp) > _LARGEST_OFFER or not sdp.startswith("v=0") or not wants:
        raise SourceError("the offer is not SDP that asks for video (RFC 8866)", code="protocol")


def sound_kind(audio: AudioFormat | None) -> str:
    """MIME type of the sound where browsers take it over WebRTC as it is; empty otherwise (AAC is not among it)."""
    if audio is None:
        return ""
    narrow = audio.codec in (AudioCodec.PCMA, AudioCodec.PCMU) and (audio.rate, audio.channels) != (8000, 1)
    return "" if narrow else _SOUND.get(audio.codec, "")


def teach_profiles() -> None:
    """Make aiortc accept offers of every profile that cameras send; idempotent."""
    from aiortc.codecs import CODECS
    from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters

    known = {str(codec.parameters.get("profile-level-id", "")) for codec in CODECS["video"]}
    kinds = [codec.payloadType for codec in CODECS["video"] if codec.payloadType is not None]
    number = max(kinds) + 1
    for profile in _PROFILES:
        if profile not in known:
            CODECS["video"] += [
                RTCRtpCodecParameters(
                    mimeType="video/H264",
                    clockRate=90_000,
                    payloadType=number,
                    rtcpFeedback=[RTCRtcpFeedback(type="nack"), RTCRtcpFeedback(type="nack", parameter="pli")],
                    parameters={
                        "level-asymmetry-allowed": "1",
                        "packetization-mode": "1",
                        "profile-level-id": profile,
                    },
                ),
                RTCRtpCodecParameters(
                    mimeType="video/rtx", clockRate=90_000, payloadType=number + 1, parameters={"apt": number}
                ),
            ]
            number += 2


def preferred_video(sps: bytes) -> list[RTCRtpCodecCapability]:
    """H.264 of the camera's profile first; then any other, which browsers decode by what the stream itself says."""
    from aiortc import RTCRtpSender

    profile = f"{sps[1]:02x}"
    constrained = profile == "42" and sps[2] & 0x40
    wanted = "42e01f" if constrained else {"42": "42001f", "4d": "4d001f", "64": "64001f"}.get(profile, "64001f")
    order = [wanted, *(other for other in _FALLBACK if other != wanted)]
    codecs = RTCRtpSender.getCapabilities("video").codecs
    h264 = {codec.parameters.get("profile-level-id"): codec for codec in codecs if codec.mimeType == "video/H264"}
    repair = [codec for codec in codecs if codec.mimeType == "video/rtx"]
    return [h264[name] for name in order if name in h264] + repair


def preferred_audio(kind: str) -> list[RTCRtpCodecCapability]:
    from aiortc import RTCRtpSender

    return [codec for codec in RTCRtpSender.getCapabilities("audio").codecs if codec.mimeType == kind]


def sequence_set(description: Description) -> bytes:
    """The camera's SPS; one of constrained baseline where it lacks one."""
    sets = description.video.parameter_sets
    return next((nal for nal in sets if nal_kind(Codec.H264, nal) == 7 and len(nal) > 3), b"\x67\x42\xe0\x1f")

"""What helper and parent say to each other over the pipe: a kind, a length, that many bytes."""

from __future__ import annotations

import json
import struct
from typing import Any

from perishield.model.media import AudioCodec, AudioFormat, Codec, VideoFormat

HEAD = struct.Struct(">cI")
PACKET = struct.Struct(">Bqq")
"""Key flag, dts, pts; the access unit follows in MP4 form."""

FORMAT, ACCESS_UNIT, DISCONTINUITY, FAILURE = b"F", b"P", b"D", b"E"
SOUND_FORMAT, SOUND = b"A", b"S"
"""A frame of sound has the head of an access unit."""
LARGEST = 64 << 20


def encode_format(video: VideoFormat) -> bytes:
    values = {
        "codec": str(video.codec),
        "width": video.width,
        "height": video.height,
        "sets": [nal.hex() for nal in video.parameter_sets],
        "mime": video.mime,
    }
    return json.dumps(values).encode()


def decode_format(body: bytes) -> VideoFormat:
    values: dict[str, Any] = json.loads(body)
    sets = tuple(bytes.fromhex(text) for text in values["sets"])
    return VideoFormat(Codec(values["codec"]), values["width"], values["height"], sets, values["mime"])


def encode_sound_format(audio: AudioFormat) -> bytes:
    values = {
        "codec": str(audio.codec),
        "rate": audio.rate,
        "channels": audio.channels,
        "config": audio.config.hex(),
        "mime": audio.mime,
    }
    return json.dumps(values).encode()


def decode_sound_format(body: bytes) -> AudioFormat:
    values: dict[str, Any] = json.loads(body)
    config = bytes.fromhex(values["config"])
    return AudioFormat(AudioCodec(values["codec"]), values["rate"], values["channels"], config, values["mime"])

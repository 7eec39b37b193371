"""What helper and parent say to each other over the pipe: a kind, a length, that many bytes."""

from __future__ import annotations

import json
import struct
from typing import Any

from perishield.model.media import Codec, VideoFormat

HEAD = struct.Struct(">cI")
PACKET = struct.Struct(">Bqq")
"""Key flag, dts, pts; the access unit follows in MP4 form."""

FORMAT, ACCESS_UNIT, DISCONTINUITY, FAILURE = b"F", b"P", b"D", b"E"
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

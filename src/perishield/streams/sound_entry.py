"""Sample entries of sound (ISO/IEC 14496-12 clause 12.2.3), written and read back.

mp4a/esds    ES_Descriptor with AudioSpecificConfig   ISO/IEC 14496-1 clause 7.2.6.5, 14496-14 clause 5.6
Opus/dOps    OpusSpecificBox                          "Encapsulation of Opus in ISO Base Media File Format" clause 4.3.2
alaw, ulaw   G.711, from QuickTime; nothing more is needed
"""

from __future__ import annotations

import struct

from perishield.model.media import AudioCodec, AudioFormat

_ENTRIES = {AudioCodec.AAC: b"mp4a", AudioCodec.OPUS: b"Opus", AudioCodec.PCMA: b"alaw", AudioCodec.PCMU: b"ulaw"}
_CODECS = {kind: codec for codec, kind in _ENTRIES.items()}
_CONFIG_AT = 36
"""Bytes of an entry before the boxes in it."""


def sound_entry(audio: AudioFormat) -> bytes:
    """The entry's whole box."""
    if audio.codec is AudioCodec.AAC:
        config = _esds(audio.config)
    elif audio.codec is AudioCodec.OPUS:
        # Sound off the air has no beginning to skip: pre-skip 0.
        config = _box(b"dOps", struct.pack(">BBHIhB", 0, audio.channels, 0, audio.rate, 0, 0))
    else:
        config = b""
    rate = audio.rate if audio.rate <= 0xFFFF else 0
    return _box(_ENTRIES[audio.codec], struct.pack(">6xH8xHHIHH", 1, audio.channels, 16, 0, rate, 0) + config)


def _esds(config: bytes) -> bytes:
    specific = _descriptor(5, config)
    decoder = _descriptor(4, struct.pack(">BB3xII", 0x40, 0x15, 0, 0) + specific)
    return _box(b"esds", b"\0\0\0\0" + _descriptor(3, b"\0\2\0" + decoder + _descriptor(6, b"\2")))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _descriptor(tag: int, body: bytes) -> bytes:
    """14496-1 clause 8.3.3: the size in groups of seven bits, four of them as is usual."""
    size = len(body)
    return bytes((tag, size >> 21 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size & 0x7F)) + body


def read_sound_entry(entry: bytes) -> AudioFormat | None:
    """The same backwards; None for what we could not have written."""
    codec = _CODECS.get(entry[4:8])
    if codec is None or len(entry) < _CONFIG_AT:
        return None
    (channels,) = struct.unpack_from(">H", entry, 24)
    (rate,) = struct.unpack_from(">H", entry, 32)
    if codec is not AudioCodec.AAC:
        return AudioFormat(codec, rate, channels, b"", "opus" if codec is AudioCodec.OPUS else "")
    config = _specific_config(entry[_CONFIG_AT + 12 :]) if entry[_CONFIG_AT + 4 : _CONFIG_AT + 8] == b"esds" else b""
    if not config:
        return None
    kind = config[0] >> 3
    if kind == 31 and len(config) > 1:
        kind = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    return AudioFormat(codec, rate, channels, config, f"mp4a.40.{kind}")


def _specific_config(descriptors: bytes) -> bytes:
    """DecoderSpecificInfo within ES_Descriptor and DecoderConfigDescriptor; empty where it is not there."""
    position = 0
    for tag, skip in ((3, 3), (4, 13), (5, 0)):
        if position >= len(descriptors) or descriptors[position] != tag:
            return b""
        size, position = 0, position + 1
        for _ in range(4):
            if position >= len(descriptors):
                return b""
            byte = descriptors[position]
            size, position = size << 7 | byte & 0x7F, position + 1
            if not byte & 0x80:
                break
        if tag == 5:
            return descriptors[position : position + size]
        position += skip
    return b""

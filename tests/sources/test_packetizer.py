"""What the packetizer takes apart, the depacketizer puts together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.media import AudioCodec, Codec
from perishield.sources.rtsp.packetizer import audio_payload, video_payloads


def together(codec: Codec, payloads: list[bytes]) -> list[bytes]:
    """By the letter of RFC 6184 section 5.8 and RFC 7798 section 4.4.3, independent of our depacketizer."""
    nals: list[bytes] = []
    for payload in payloads:
        if codec is Codec.H264 and payload[0] & 31 == 28:
            head, flags, body = bytes((payload[0] & 0xE0 | payload[1] & 31,)), payload[1], payload[2:]
        elif codec is Codec.H265 and (payload[0] >> 1) & 63 == 49:
            head, flags, body = bytes((payload[0] & 0x81 | (payload[2] & 63) << 1, payload[1])), payload[2], payload[3:]
        else:
            nals.append(payload)
            continue
        if flags & 0x80:
            nals.append(head)
        nals[-1] += body
    return nals


@pytest.mark.parametrize(("codec", "head"), [(Codec.H264, b"\x65"), (Codec.H265, b"\x26\x01")])
@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=5), mtu=st.integers(64, 1400))
def test_nal_units_survive_fragmentation(codec: Codec, head: bytes, sizes: list[int], mtu: int) -> None:
    nals = [head + bytes((index + offset) & 255 for offset in range(size)) for index, size in enumerate(sizes)]
    payloads = video_payloads(codec, nals, mtu)
    assert max(map(len, payloads)) <= mtu
    assert together(codec, payloads) == nals


def test_sound_is_wrapped_as_its_codec_asks() -> None:
    assert audio_payload(AudioCodec.PCMA, b"abc") == b"abc"
    assert audio_payload(AudioCodec.AAC, b"abc") == b"\x00\x10\x00\x18abc"
    assert audio_payload(AudioCodec.AAC, bytes(9000)) == b""

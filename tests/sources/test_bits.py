from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.bits import BitReader, BitstreamError


def golomb(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def escaped(payload: bytes) -> bytes:
    """Emulation prevention: H.264 clause 7.4.1."""
    out = bytearray()
    for byte in payload:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return bytes(out)


@given(st.lists(st.one_of(st.integers(0, 20), st.integers(2**23, 2**26)), min_size=1, max_size=20))
def test_exp_golomb_codes_read_back(values):
    text = "".join(golomb(value) for value in values) + "1"
    text += "0" * (-len(text) % 8)
    bits = BitReader(escaped(int(text, 2).to_bytes(len(text) // 8, "big")))
    assert [bits.unsigned() for _ in values] == values


def test_signed_codes_alternate():
    bits = BitReader(int("1" + "010" + "011" + "00100" + "0000", 2).to_bytes(2, "big"))
    assert [bits.signed() for _ in range(4)] == [0, 1, -1, 2]


def test_reading_past_the_end_is_an_error():
    bits = BitReader(b"\xff")
    bits.bits(8)
    with pytest.raises(BitstreamError):
        bits.flag()
    with pytest.raises(BitstreamError):
        BitReader(b"\0" * 8).unsigned()

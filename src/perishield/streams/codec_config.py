"""Decoder configuration records: what ISO/IEC 14496-15 puts into a sample entry, made from parameter sets.

avcC  AVCDecoderConfigurationRecord   clause 5.3.3.1   from SPS, PPS  (ITU-T H.264 clause 7.3.2)
hvcC  HEVCDecoderConfigurationRecord  clause 8.3.3.1   from VPS, SPS, PPS  (ITU-T H.265 clause 7.3.2)
"""

from __future__ import annotations

import struct

_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
_CHROMA_420 = 1


class _Bits:
    """RBSP bits (H.264 clause 7.2); past the end it reads zeros, so that a cut-off SPS still yields a record."""

    def __init__(self, nal: bytes) -> None:
        rbsp = nal.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(rbsp, "big")
        self._left = len(rbsp) * 8

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            return 0
        return (self._value >> self._left) & ((1 << count) - 1)

    def golomb(self) -> int:
        """Exp-Golomb ue(v), H.264 clause 9.1."""
        zeros = 0
        while self._left > 0 and self.read(1) == 0:
            zeros += 1
            if zeros > 32:
                return 0
        return (1 << zeros) - 1 + self.read(zeros)


def avcc(sets: tuple[bytes, ...]) -> bytes:
    """The avcC record of (SPS, PPS); every NAL unit of type 7 or 8 is taken in."""
    sps = [nal for nal in sets if nal and nal[0] & 31 == 7]
    pps = [nal for nal in sets if nal and nal[0] & 31 == 8]
    if not sps or len(sps[0]) < 4:
        raise ValueError("H.264 needs a sequence parameter set")
    parts = [b"\x01", sps[0][1:4], b"\xff", bytes((0xE0 | len(sps),))]
    parts += [struct.pack(">H", len(nal)) + nal for nal in sps]
    parts.append(bytes((len(pps),)))
    parts += [struct.pack(">H", len(nal)) + nal for nal in pps]
    if sps[0][1] in (100, 110, 122, 144):
        chroma, luma_depth, chroma_depth = _avc_sampling(sps[0])
        parts.append(bytes((0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0)))
    return b"".join(parts)


def _avc_sampling(sps: bytes) -> tuple[int, int, int]:
    """chroma_format_idc, bit_depth_luma_minus8, bit_depth_chroma_minus8."""
    bits = _Bits(sps[4:])
    bits.golomb()
    if sps[1] not in _HIGH_PROFILES:
        return _CHROMA_420, 0, 0
    chroma = bits.golomb()
    if chroma == 3:
        bits.read(1)
    return chroma & 3, bits.golomb() & 7, bits.golomb() & 7


def hvcc(sets: tuple[bytes, ...]) -> bytes:
    """The hvcC record of (VPS, SPS, PPS); all sets are in it, none may come in band (`hvc1`)."""
    kinds: dict[int, list[bytes]] = {32: [], 33: [], 34: []}
    for nal in sets:
        if len(nal) > 2:
            kinds.get((nal[0] >> 1) & 63, []).append(nal)
    if not kinds[33] or len(kinds[33][0]) < 15:
        raise ValueError("H.265 needs a sequence parameter set")
    bits = _Bits(kinds[33][0][2:])
    bits.read(4)
    sub_layers = bits.read(3)
    nested = bits.read(1)
    profile = bits.read(96).to_bytes(12, "big")
    _skip_sub_layers(bits, sub_layers)
    bits.golomb()
    chroma = bits.golomb()
    if chroma == 3:
        bits.read(1)
    bits.golomb()
    bits.golomb()
    if bits.read(1):
        for _ in range(4):
            bits.golomb()
    luma_depth, chroma_depth = bits.golomb(), bits.golomb()
    parts = [
        b"\x01",
        profile,
        b"\xf0\x00\xfc",
        bytes((0xFC | chroma & 3, 0xF8 | luma_depth & 7, 0xF8 | chroma_depth & 7)),
        b"\0\0",
        bytes(((sub_layers + 1) << 3 | nested << 2 | 3,)),
        bytes((sum(1 for nals in kinds.values() if nals),)),
    ]
    for kind, nals in kinds.items():
        if nals:
            parts.append(struct.pack(">BH", 0x80 | kind, len(nals)))
            parts += [struct.pack(">H", len(nal)) + nal for nal in nals]
    return b"".join(parts)


def _skip_sub_layers(bits: _Bits, sub_layers: int) -> None:
    """profile_tier_level() of the sub-layers (H.265 clause 7.3.3)."""
    present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    if sub_layers > 0:
        bits.read(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile)
        bits.read(8 * has_level)

"""Sequence parameter sets of H.265.

    seq_parameter_set_rbsp   ITU-T H.265 clause 7.3.2.2.1
    profile_tier_level       clause 7.3.3
    codecs string            ISO/IEC 14496-15 annex E.3: hvc1.<profile>.<compatibility>.<tier and level>.<constraints>

Reading stops before the reference picture sets: what follows them (VUI) is not needed, and firmware gets it wrong.
"""

from __future__ import annotations

from perishield.sources.bits import BitReader, BitstreamError
from perishield.sources.sequence import Sequence


def read_sps(nal: bytes) -> Sequence:
    """Raises BitstreamError."""
    if len(nal) < 15:
        raise BitstreamError("sequence parameter set of less than fifteen bytes")
    bits = BitReader(nal[2:])
    bits.bits(4)
    sub_layers = bits.bits(3)
    bits.flag()
    mime = _profile(bits)
    _skip_sub_layers(bits, sub_layers)
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma > 3:
        raise BitstreamError("sequence parameter set with an impossible chroma format")
    planes = chroma == 3 and bits.flag()
    width, height = bits.unsigned(), bits.unsigned()
    if bits.flag():
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = 2 if chroma == 1 else 1
        if planes:
            unit_x = unit_y = 1
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    bits.unsigned()
    bits.unsigned()
    bits.unsigned()
    every_layer = bits.flag()
    reorder = 0
    for _ in range(0 if every_layer else sub_layers, sub_layers + 1):
        bits.unsigned()
        reorder = bits.unsigned()
        bits.unsigned()
    if reorder > 16:
        raise BitstreamError("sequence parameter set with an impossible reorder depth")
    return Sequence(width, height, mime, reorder, 0)


def _profile(bits: BitReader) -> str:
    space = ("", "A", "B", "C")[bits.bits(2)]
    tier = "H" if bits.flag() else "L"
    profile = bits.bits(5)
    compatibility = int(f"{bits.bits(32):032b}"[::-1], 2)
    constraints = bits.bits(48).to_bytes(6, "big").rstrip(b"\0")
    level = bits.bits(8)
    words = [f"hvc1.{space}{profile}", f"{compatibility:X}", f"{tier}{level}", *(f"{byte:X}" for byte in constraints)]
    return ".".join(words)


def _skip_sub_layers(bits: BitReader, sub_layers: int) -> None:
    present = [(bits.bits(1), bits.bits(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.bits(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.bits(88 * has_profile)
        bits.bits(8 * has_level)

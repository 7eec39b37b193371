"""Sequence parameter sets of H.264.

seq_parameter_set_data   ITU-T H.264 clause 7.3.2.1.1
vui_parameters           annex E.1.1
codecs string            RFC 6381 section 3.3: avc1. + the three bytes after the NAL unit header in hex
"""

from __future__ import annotations

from perishield.sources.bits import BitReader, BitstreamError
from perishield.sources.sequence import Sequence, frame_ticks

_WITH_CHROMA = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
_EXTENDED_SAR = 255


def read_sps(nal: bytes) -> Sequence:
    """Raises BitstreamError."""
    if len(nal) < 4:
        raise BitstreamError("sequence parameter set of less than four bytes")
    bits = BitReader(nal[1:])
    profile = bits.bits(8)
    bits.bits(16)
    bits.unsigned()
    chroma, planes = _chroma(bits) if profile in _WITH_CHROMA else (1, False)
    bits.unsigned()
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(_bounded(bits.unsigned(), 255)):
            bits.signed()
    bits.unsigned()
    bits.flag()
    macroblocks_wide = bits.unsigned() + 1
    map_units_high = bits.unsigned() + 1
    frames_only = bits.flag()
    if not frames_only:
        bits.flag()
    bits.flag()
    width, height = macroblocks_wide * 16, (2 - frames_only) * map_units_high * 16
    if bits.flag():
        unit_x = 1 if chroma in (0, 3) or planes else 2
        unit_y = (2 if chroma == 1 and not planes else 1) * (2 - frames_only)
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    reorder, ticks = _vui(bits) if bits.flag() else (None, 0)
    if order == 2 or profile == 66:
        reorder = 0
    return Sequence(width, height, "avc1." + nal[1:4].hex(), reorder, ticks)


def _bounded(value: int, limit: int) -> int:
    if value > limit:
        raise BitstreamError("sequence parameter set with an impossible count")
    return value


def _chroma(bits: BitReader) -> tuple[int, bool]:
    """chroma_format_idc and separate_colour_plane_flag; scaling lists are passed over."""
    chroma = _bounded(bits.unsigned(), 3)
    planes = chroma == 3 and bits.flag()
    bits.unsigned()
    bits.unsigned()
    bits.flag()
    if bits.flag():
        for index in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, planes


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _vui(bits: BitReader) -> tuple[int | None, int]:
    """max_num_reorder_frames and the frame's duration; a VUI that breaks off tells neither."""
    ticks = 0
    try:
        if bits.flag() and bits.bits(8) == _EXTENDED_SAR:
            bits.bits(32)
        if bits.flag():
            bits.flag()
        if bits.flag():
            bits.bits(4)
            if bits.flag():
                bits.bits(24)
        if bits.flag():
            bits.unsigned()
            bits.unsigned()
        if bits.flag():
            units, scale = bits.bits(32), bits.bits(32)
            bits.flag()
            ticks = frame_ticks(units * 2, scale)
        rates = False
        for _ in range(2):
            if bits.flag():
                rates = True
                _skip_hrd(bits)
        if rates:
            bits.flag()
        bits.flag()
        if not bits.flag():
            return None, ticks
        bits.flag()
        for _ in range(4):
            bits.unsigned()
        return _bounded(bits.unsigned(), 16), ticks
    except BitstreamError:
        return None, ticks


def _skip_hrd(bits: BitReader) -> None:
    count = _bounded(bits.unsigned(), 31) + 1
    bits.bits(8)
    for _ in range(count):
        bits.unsigned()
        bits.unsigned()
        bits.flag()
    bits.bits(20)

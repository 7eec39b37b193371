"""H.264 in RTP (RFC 6184).

1-23    single NAL unit packet   section 5.6
24      STAP-A                   section 5.7.1
28      FU-A                     section 5.8
25-27, 29 belong to the interleaved mode, which no camera offers: passed over and counted
"""

from __future__ import annotations

from typing import Final

from perishield.sources.bitstream import START_CODE
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.depacketizer import BYTES, Depacketizer, Opening

_STAP_A, _FU_A = 24, 28
_IDR, _SEI, _SPS, _PPS, _DELIMITER, _FILLER = 5, 6, 7, 8, 9, 12
_RECOVERY_POINT: Final = 6
_SLICES: Final = frozenset(1 | importance << 5 for importance in range(4))


class H264Depacketizer(Depacketizer):
    __slots__ = ()

    fragment_head = 2

    def __init__(self, sets: ParameterSets) -> None:
        super().__init__(sets, _SLICES)

    def payload(self, data: bytes, start: int, end: int) -> None:
        if end <= start:
            return
        first = data[start]
        kind = first & 31
        if kind == _FU_A:
            if end - start < 2:
                return
            header = data[start + 1]
            if header & 0x80:
                self._begin_fragment(data[start : start + 2])
            elif self.open is None:
                return
            if end - start > 2:
                self.unit.append(data[start + 2 : end])
                self.fragment_size += end - start - 2
            if header & 0x40:
                self.end_fragment()
            return
        if self.open is not None:
            self._drop_fragment()
        if kind == _STAP_A:
            self._aggregate(data, start + 1, end)
        elif kind == 1 and not self._hidden_start_codes:
            self.video = True
            length = end - start
            self.unit.append(length.to_bytes(4, "big"))
            self.unit.append(data[start:end])
            self.size += length + 4
        else:
            self.nal(data[start:end])

    def _opening(self, head: bytes) -> Opening:
        kind = head[1] & 31
        middle = bytes((head[0], kind))
        return Opening(kind, BYTES[head[0] & 0xE0 | kind], middle, ordinary=kind == 1, key=kind == _IDR)

    def begins_unit(self, data: bytes, start: int, end: int) -> bool:
        if end - start < 3:
            return False
        kind = data[start] & 31
        if kind == _FU_A:
            return data[start + 1] & 0x80 != 0 and self._opens(data[start + 1] & 31, data[start + 2])
        if kind == _STAP_A:
            return end - start > 4 and self._opens(data[start + 3] & 31, data[start + 4])
        return self._opens(kind, data[start + 1])

    @staticmethod
    def _opens(kind: int, following: int) -> bool:
        """What precedes slices comes first; of slices, that with first_mb_in_slice 0 (ue(v): one bit)."""
        return kind in (_SEI, _SPS, _DELIMITER) or (kind in (1, _IDR) and following & 0x80 != 0)

    def nal(self, nal: bytes) -> None:
        kind = nal[0] & 31 if nal else 0
        if kind in (_SPS, _PPS):
            self._offer_set(nal)
        elif kind in (_DELIMITER, _FILLER):
            return
        elif kind == 0:
            if nal[:3] in (b"\0\0\1", b"\0\0\0") and START_CODE in nal:
                self._split(nal)
            else:
                self.skipped += 1
        elif kind > 23:
            self.skipped += 1
        elif (kind == _IDR or kind > 5 or self._hidden_start_codes) and self._hides(nal, kind == _IDR):
            self._split(nal)
        else:
            if kind <= _IDR:
                self.video = True
                self.key = self.key or kind == _IDR
            elif kind == _SEI:
                self.recovery = self.recovery or _has_recovery_point(nal)
            self._append(nal)

    def _aggregate(self, data: bytes, position: int, end: int) -> None:
        """Stops at padding (size 0) and at a unit that would run past the end, as some firmware sends."""
        while position + 2 < end:
            begin = position + 2
            position = begin + (data[position] << 8 | data[position + 1])
            if position == begin or position > end:
                self.skipped += position > end
                return
            self.nal(data[begin:position])


def _has_recovery_point(nal: bytes) -> bool:
    """Walks the SEI messages (H.264 clause 7.3.2.3.1)."""
    position, end = 1, len(nal)
    while position + 1 < end:
        kind = size = 0
        while position < end and nal[position] == 255:
            kind += 255
            position += 1
        if position >= end:
            return False
        kind += nal[position]
        position += 1
        while position < end and nal[position] == 255:
            size += 255
            position += 1
        if position >= end:
            return False
        size += nal[position]
        position += 1 + size
        if kind == _RECOVERY_POINT:
            return True
    return False

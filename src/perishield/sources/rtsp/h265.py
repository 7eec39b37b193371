"""H.265 in RTP (RFC 7798).

    0-47   single NAL unit packet   section 4.4.1
    48     aggregation packet       section 4.4.2
    49     fragmentation unit       section 4.4.3
    50     PACI: passed over and counted

DONL and DOND fields stand in the payloads only where the SDP says `sprop-max-don-diff` above 0.
"""

from __future__ import annotations

from typing import Final

from perishield.sources.bitstream import START_CODE
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.rtsp.depacketizer import BYTES, Depacketizer, Opening

_AGGREGATION, _FRAGMENT = 48, 49
_VPS, _SPS, _PPS, _DELIMITER, _FILLER, _PREFIX_SEI = 32, 33, 34, 35, 38, 39
_FIRST_KEY, _LAST_KEY = 16, 21
_LAST_SLICE: Final = 31
_SLICES: Final = frozenset(kind << 1 for kind in range(_FIRST_KEY))


class H265Depacketizer(Depacketizer):
    """`ordered`: payloads carry decoding order numbers."""

    __slots__ = ("_ordered",)

    fragment_head = 3

    def __init__(self, sets: ParameterSets, *, ordered: bool = False) -> None:
        super().__init__(sets, frozenset() if ordered else _SLICES)
        self._ordered = 2 if ordered else 0

    def payload(self, data: bytes, start: int, end: int) -> None:
        if end - start < 3:
            return
        kind = (data[start] >> 1) & 63
        if kind == _FRAGMENT:
            header = data[start + 2]
            body = start + 3
            if header & 0x80:
                self._begin_fragment(data[start : start + 3])
                body += self._ordered
            elif self.open is None:
                return
            if body < end:
                self.unit.append(data[body:end])
                self.fragment_size += end - body
            if header & 0x40:
                self.end_fragment()
            return
        if self.open is not None:
            self._drop_fragment()
        if kind == _AGGREGATION:
            self._aggregate(data, start + 2, end)
        elif self._ordered:
            self.nal(data[start : start + 2] + data[min(start + 4, end) : end])
        else:
            self.nal(data[start:end])

    def opening(self, head: bytes) -> Opening:
        # A decoding order number follows here, which who takes fragments in by their heads alone would not leave out.
        return self._opening(head) if self._ordered else super().opening(head)

    def _opening(self, head: bytes) -> Opening:
        kind = head[2] & 63
        header = bytes((head[0] & 0x81 | kind << 1, head[1]))
        return Opening(
            kind, header, head[:2] + BYTES[kind], ordinary=kind < _FIRST_KEY, key=_FIRST_KEY <= kind <= _LAST_KEY
        )

    def begins_unit(self, data: bytes, start: int, end: int) -> bool:
        if end - start < 4:
            return False
        kind = (data[start] >> 1) & 63
        skip = self._ordered
        if kind == _FRAGMENT:
            body = start + 3 + skip
            return data[start + 2] & 0x80 != 0 and body < end and self._opens(data[start + 2] & 63, data[body])
        if kind == _AGGREGATION:
            body = start + 4 + skip
            return body + 2 < end and self._opens((data[body] >> 1) & 63, data[body + 2])
        return start + 2 + skip < end and self._opens(kind, data[start + 2 + skip])

    @staticmethod
    def _opens(kind: int, following: int) -> bool:
        """Of slices, the one with first_slice_segment_in_pic_flag (clause 7.3.6.1)."""
        return kind in (_VPS, _SPS, _DELIMITER, _PREFIX_SEI) or (kind <= _LAST_SLICE and following & 0x80 != 0)

    def nal(self, nal: bytes) -> None:
        if len(nal) < 3:
            return
        kind = (nal[0] >> 1) & 63
        if _VPS <= kind <= _PPS:
            self._offer_set(nal)
        elif kind in (_DELIMITER, _FILLER):
            return
        elif nal[:3] in (b"\0\0\1", b"\0\0\0") and START_CODE in nal:
            self._split(nal)
        elif kind > 47:
            self.skipped += 1
        elif (kind >= _FIRST_KEY or self._hidden_start_codes) and self._hides(nal, kind <= _LAST_KEY):
            self._split(nal)
        else:
            if kind <= _LAST_SLICE:
                self.video = True
                self.key = self.key or _FIRST_KEY <= kind <= _LAST_KEY
            self._append(nal)

    def _aggregate(self, data: bytes, position: int, end: int) -> None:
        position += self._ordered
        while position + 2 < end:
            begin = position + 2
            position = begin + (data[position] << 8 | data[position + 1])
            if position == begin or position > end:
                self.skipped += position > end
                return
            self.nal(data[begin:position])
            position += 1 if self._ordered else 0

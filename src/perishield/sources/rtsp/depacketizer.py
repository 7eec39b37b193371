"""Access units from RTP payloads: what H.264 and H.265 have in common.

Payload bytes stay the slices that were cut from the receive buffer; a NAL unit's slices follow its 4-byte length in
`unit`, ready for `Packet.data`. A stream's first key frames are looked through, because some firmware hides start codes
in them (several NAL units passed off as one): once that was seen, every NAL unit is; where it never was, none is.
"""

from __future__ import annotations

from perishield.sources.bitstream import START_CODE, split_annexb
from perishield.sources.parameter_sets import ParameterSets

BYTES = tuple(bytes((value,)) for value in range(256))
_LARGEST_UNIT = 16 << 20
_KEYS_TO_TRUST = 16
_MOST_SLICES = 65_536


class Depacketizer:
    """Collects one access unit. Sub-classes read payloads and sort NAL units into it.

    `video` says that the unit holds a slice of a picture; `key` that this is a random access point; `recovery` that a
    recovery point SEI stood in it. `skipped` counts payloads that could not be used.
    `middle` is what a payload begins with that carries on the open fragmented NAL unit without ending it; empty while
    none is open. Nearly all packets of a video stream are such, so that the track appends them by itself; `ending` is
    what the one begins with that ends it.
    """

    __slots__ = (
        "_changed_sets",
        "_clean_keys",
        "_fragment",
        "_fragment_kind",
        "_hidden_start_codes",
        "ending",
        "fragment_size",
        "key",
        "middle",
        "recovery",
        "sets",
        "size",
        "skipped",
        "unit",
        "video",
    )

    def __init__(self, sets: ParameterSets) -> None:
        self.sets = sets
        self.unit: list[bytes] = []
        self.size = 0
        self.video = False
        self.key = False
        self.recovery = False
        self.skipped = 0
        self._changed_sets: list[bytes] = []
        self._fragment = -1
        self.middle = b""
        self.ending = b""
        self._fragment_kind = 0
        self.fragment_size = 0
        self._hidden_start_codes = False
        self._clean_keys = 0

    def payload(self, data: bytes, start: int, end: int) -> None:
        """Take in the RTP payload data[start:end]."""
        raise NotImplementedError

    def begins_unit(self, data: bytes, start: int, end: int) -> bool:
        """Whether an access unit surely begins with this payload: nothing of it was lost before."""
        raise NotImplementedError

    def nal(self, nal: bytes) -> None:
        """Take in a whole NAL unit, whatever its kind."""
        raise NotImplementedError

    def end_fragment(self) -> None:
        """The open fragmented NAL unit is complete."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the unfinished access unit."""
        self.unit = []
        self.size = 0
        self.video = self.key = self.recovery = False
        self._fragment = -1
        self.middle = b""
        self.fragment_size = 0
        self._changed_sets = []

    def take(self) -> tuple[list[bytes], int]:
        """Hand out the access unit's slices and their size in bytes, and begin a new one.

        Parameter sets that changed in front of a frame that is no key frame stay in it, since the new format is only
        told at the next key frame.
        """
        if self._fragment >= 0:
            self._drop_fragment()
        unit, size = self.unit, self.size
        if self._changed_sets:
            if not self.key:
                for nal in reversed(self._changed_sets):
                    unit[:0] = (len(nal).to_bytes(4, "big"), nal)
                    size += len(nal) + 4
            self._changed_sets = []
        self.unit = []
        self.size = 0
        self.video = self.key = self.recovery = False
        return unit, size

    @property
    def trusted(self) -> bool:
        """Enough key frames came without hidden start codes."""
        return self._clean_keys >= _KEYS_TO_TRUST

    @property
    def oversized(self) -> bool:
        """The unit has grown beyond what any camera sends: timestamps or markers are broken, memory is at stake."""
        return self.size + self.fragment_size > _LARGEST_UNIT or len(self.unit) > _MOST_SLICES

    def _append(self, nal: bytes) -> None:
        length = len(nal)
        self.unit.append(length.to_bytes(4, "big"))
        self.unit.append(nal)
        self.size += length + 4

    def _offer_set(self, nal: bytes) -> None:
        if START_CODE in nal:
            self._split(nal)
        elif self.sets.offer(nal):
            self._changed_sets.append(nal)

    def _hides(self, nal: bytes, key: bool) -> bool:
        """Whether start codes hide in this NAL unit; a firmware's habit shows in its first key frames or never."""
        if not self._hidden_start_codes and key:
            if self.trusted:
                return False
            self._clean_keys += 1
        return START_CODE in nal

    def _split(self, nal: bytes) -> None:
        self._hidden_start_codes = True
        for part in split_annexb(nal):
            self.nal(part)

    def _begin_fragment(self, kind: int, header: bytes, middle: bytes) -> None:
        if self._fragment >= 0:
            self._drop_fragment()
        self._fragment = len(self.unit)
        self._fragment_kind = kind
        self.middle = middle
        self.ending = middle[:-1] + BYTES[kind | 0x40]
        self.fragment_size = len(header)
        self.unit.append(b"")
        self.unit.append(header)

    def _keep_fragment(self) -> None:
        self.unit[self._fragment] = self.fragment_size.to_bytes(4, "big")
        self.size += self.fragment_size + 4
        self._fragment = -1
        self.middle = b""
        self.fragment_size = 0

    def _drop_fragment(self) -> None:
        del self.unit[self._fragment :]
        self._fragment = -1
        self.middle = b""
        self.fragment_size = 0

    def _take_fragment(self) -> bytes:
        nal = b"".join(self.unit[self._fragment + 1 :])
        self._drop_fragment()
        return nal

"""Access units from RTP payloads: what H.264 and H.265 have in common.

Payload bytes stay the slices that were cut from the receive buffer; a NAL unit's slices follow its 4-byte length in
`unit`, ready for `Packet.data`. A stream's first key frames are looked through, because some firmware hides start codes
in them (several NAL units passed off as one): once that was seen, every NAL unit is; where it never was, none is.
"""

from __future__ import annotations

from typing import Final

from perishield.sources.bitstream import START_CODE, split_annexb
from perishield.sources.parameter_sets import ParameterSets

BYTES: Final = tuple(bytes((value,)) for value in range(256))
_LARGEST_UNIT: Final = 16 << 20
_KEYS_TO_TRUST: Final = 16
_MOST_SLICES: Final = 65_536


_MOST_OPENINGS: Final = 64


class Opening:
    """How a fragmented NAL unit begins: its kind and header; what fragments that carry it on, and the last one, begin
    with; whether it is a slice of an ordinary picture, or of a key frame.
    """

    __slots__ = ("ending", "header", "key", "kind", "middle", "ordinary")

    def __init__(self, kind: int, header: bytes, middle: bytes, *, ordinary: bool, key: bool) -> None:
        self.kind = kind
        self.header = header
        self.middle = middle
        self.ending = middle[:-1] + BYTES[kind | 0x40]
        self.ordinary = ordinary
        self.key = key


class Depacketizer:
    """Collects one access unit. Sub-classes read payloads and sort NAL units into it.

    `video` says that the unit holds a slice of a picture; `key` that this is a random access point; `recovery` that a
    recovery point SEI stood in it. `skipped` counts payloads that could not be used.
    What follows lets the track take in the usual payloads by itself. `open` is the fragmented NAL unit that is not yet
    complete: its length goes to `unit[fragment_at]`, and `fragment_size` bytes of it have come. `slices` are the first
    bytes of payloads that are a whole slice of no key frame; `openings` what is known of first fragments by their
    `fragment_head` first bytes.
    """

    __slots__ = (
        "_changed_sets",
        "_clean_keys",
        "_hidden_start_codes",
        "fragment_at",
        "fragment_size",
        "key",
        "open",
        "openings",
        "recovery",
        "sets",
        "size",
        "skipped",
        "slices",
        "unit",
        "video",
    )

    fragment_head = 0

    def __init__(self, sets: ParameterSets, slices: frozenset[int]) -> None:
        self.sets = sets
        self.unit: list[bytes] = []
        self.size = 0
        self.video = False
        self.key = False
        self.recovery = False
        self.skipped = 0
        self._changed_sets: list[bytes] = []
        self.open: Opening | None = None
        self.fragment_at = 0
        self.fragment_size = 0
        self.slices = slices
        self.openings: dict[bytes, Opening] = {}
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

    def reset(self) -> None:
        """Forget the unfinished access unit."""
        self.unit = []
        self.size = 0
        self.video = self.key = self.recovery = False
        self.open = None
        self.fragment_size = 0
        self._changed_sets = []

    def take(self) -> tuple[list[bytes], int]:
        """Hand out the access unit's slices and their size in bytes, and begin a new one.

        Parameter sets that changed in front of a frame that is no key frame stay in it, since the new format is only
        told at the next key frame.
        """
        if self.open is not None:
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
    def plain(self) -> bool:
        """Nothing has come that asks for more than slices to be put together."""
        return not (self._changed_sets or self._hidden_start_codes or self.recovery)

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

    def opening(self, head: bytes) -> Opening:
        """What begins with a first fragment of that head."""
        opening = self.openings.get(head)
        if opening is None:
            if len(self.openings) >= _MOST_OPENINGS:
                self.openings.clear()
            opening = self.openings[head] = self._opening(head)
        return opening

    def _opening(self, head: bytes) -> Opening:
        raise NotImplementedError

    def _begin_fragment(self, head: bytes) -> None:
        if self.open is not None:
            self._drop_fragment()
        self.open = opening = self.opening(head)
        self.fragment_at = len(self.unit)
        self.fragment_size = len(opening.header)
        self.unit.append(b"")
        self.unit.append(opening.header)

    def end_fragment(self) -> None:
        """The open fragmented NAL unit is complete."""
        opening = self.open
        if opening is None:
            return
        if self.keeps(opening):
            self.video = True
            self.key = self.key or opening.key
            self._keep_fragment()
        else:
            self.nal(self._take_fragment())

    def keeps(self, opening: Opening) -> bool:
        """Whether this NAL unit is kept as it comes, without a look into it."""
        return (opening.ordinary or (opening.key and self.trusted)) and not self._hidden_start_codes

    def _keep_fragment(self) -> None:
        self.unit[self.fragment_at] = self.fragment_size.to_bytes(4, "big")
        self.size += self.fragment_size + 4
        self.open = None
        self.fragment_size = 0

    def _drop_fragment(self) -> None:
        del self.unit[self.fragment_at :]
        self.open = None
        self.fragment_size = 0

    def _take_fragment(self) -> bytes:
        nal = b"".join(self.unit[self.fragment_at + 1 :])
        self._drop_fragment()
        return nal

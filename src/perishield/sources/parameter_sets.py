"""The parameter sets of a running stream, and the format that they make."""

from __future__ import annotations

from perishield.model.media import Codec, VideoFormat
from perishield.sources import sps_h264, sps_h265
from perishield.sources.bits import BitReader, BitstreamError
from perishield.sources.sequence import Sequence

_KINDS = {Codec.H264: (7, 8), Codec.H265: (32, 33, 34)}
_LARGEST = 16_384
_MOST_PICTURE_SETS = 16


def nal_kind(codec: Codec, nal: bytes) -> int:
    """nal_unit_type: H.264 clause 7.4.1, H.265 clause 7.4.2.2."""
    return nal[0] & 31 if codec is Codec.H264 else (nal[0] >> 1) & 63


class ParameterSets:
    """Keeps the newest set of each kind. One SPS is in force at a time; picture parameter sets are kept by their id.

    `changed` says that `format()` would differ from what it gave last time.
    """

    __slots__ = ("_known", "_picture", "_sequence", "_video", "changed", "codec", "sequence")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.changed = False
        self.sequence: Sequence | None = None
        self._video = b""
        self._sequence = b""
        self._picture: dict[int, bytes] = {}
        self._known: set[bytes] = set()

    def offer(self, nal: bytes) -> bool:
        """Take in a parameter set; True when it is new. Broken ones, and other NAL units, are passed over."""
        nal = nal.rstrip(b"\0")
        if nal in self._known or not 2 < len(nal) <= _LARGEST:
            return False
        kind = nal_kind(self.codec, nal)
        try:
            if kind == _KINDS[self.codec][-1]:
                self._offer_picture(nal)
            elif kind == _KINDS[self.codec][-2]:
                self.sequence = sps_h264.read_sps(nal) if self.codec is Codec.H264 else sps_h265.read_sps(nal)
                self._sequence = nal
            elif kind == 32 and self.codec is Codec.H265:
                self._video = nal
            else:
                return False
        except BitstreamError:
            return False
        self._known = {self._video, self._sequence, *self._picture.values()}
        self.changed = True
        return True

    def _offer_picture(self, nal: bytes) -> None:
        header = 1 if self.codec is Codec.H264 else 2
        number = BitReader(nal[header : header + 16]).unsigned()
        if number > 255 or (number not in self._picture and len(self._picture) >= _MOST_PICTURE_SETS):
            raise BitstreamError("picture parameter set with an impossible id")
        self._picture[number] = nal

    @property
    def complete(self) -> bool:
        """A decoder could start."""
        return bool(self._sequence and self._picture and (self._video or self.codec is Codec.H264))

    def format(self) -> VideoFormat:
        """Raises BitstreamError unless `complete`."""
        if self.sequence is None or not self.complete:
            raise BitstreamError("parameter sets are missing")
        self.changed = False
        video = (self._video,) if self.codec is Codec.H265 else ()
        sets = (*video, self._sequence, *(self._picture[number] for number in sorted(self._picture)))
        return VideoFormat(self.codec, self.sequence.width, self.sequence.height, sets, self.sequence.mime)

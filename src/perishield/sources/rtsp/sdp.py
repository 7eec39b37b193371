"""Session descriptions (RFC 4566), read forgivingly: cameras leave out lines, double them and misspell them.

A track that cannot be understood is no reason to refuse the others; whatever bytes come, reading never fails.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from perishield.model.media import TIMESCALE, Codec
from perishield.sources.bitstream import split_annexb

_STATIC = {26: "JPEG", 31: "H261", 32: "MPV", 33: "MP2T", 34: "H263"}
"""RFC 3551 table 5."""

_CODECS = {"H264": Codec.H264, "H265": Codec.H265, "HEVC": Codec.H265}
_MEDIA = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s*(.*)")
_MOST_LINES = 2_000


@dataclass(slots=True)
class Track:
    """One `m=` section. `encoding` is upper case and empty where nothing names it."""

    kind: str
    payload_type: int
    control: str = ""
    encoding: str = ""
    rate: int = TIMESCALE
    parameters: dict[str, str] = field(default_factory=dict)
    send_only: bool = False

    @property
    def codec(self) -> Codec | None:
        """None where we cannot read it. A dynamic video payload type without any name is H.264 in practice."""
        if not self.encoding and self.kind == "video" and self.payload_type >= 96:
            return Codec.H264
        return _CODECS.get(self.encoding)

    @property
    def parameter_sets(self) -> list[bytes]:
        """NAL units of `sprop-*` (RFC 6184 section 8.1, RFC 7798 section 7.1); what is not base64 is left out."""
        names = ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps")
        sets = []
        for name in names:
            for text in self.parameters.get(name, "").split(","):
                sets += split_annexb(_decode(text.strip()))
        return sets

    @property
    def ordered(self) -> bool:
        """H.265 payloads carry decoding order numbers (RFC 7798 section 7.1, sprop-max-don-diff)."""
        value = self.parameters.get("sprop-max-don-diff", "0")
        return value.isdecimal() and int(value[:9]) > 0


@dataclass(slots=True)
class Description:
    control: str = ""
    tracks: list[Track] = field(default_factory=list)

    @property
    def videos(self) -> list[Track]:
        """Video tracks, those we can read first; back-channels left out unless every track claims to be one."""
        videos = [track for track in self.tracks if track.kind == "video"]
        forward = [track for track in videos if not track.send_only] or videos
        return sorted(forward, key=lambda track: track.codec is None)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=False)
    except (binascii.Error, ValueError):
        return b""


def parse_sdp(body: bytes) -> Description:
    """Never raises."""
    description = Description()
    track: Track | None = None
    for line in body.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
        kind, _, value = line.strip().partition("=")
        value = value.strip()
        if kind == "m":
            track = _media(value)
            description.tracks.append(track)
        elif kind == "a":
            name, _, content = value.partition(":")
            if track is not None:
                _attribute(track, name.strip().lower(), content.strip())
            elif name.strip().lower() == "control":
                description.control = content.strip()
    return description


def _media(value: str) -> Track:
    """A section whose line is unreadable gets a payload type that no packet has."""
    match = _MEDIA.fullmatch(value)
    if match is None:
        return Track(value.split(" ", 1)[0].lower(), -1)
    first = match[4].split(" ", 1)[0]
    payload_type = int(first) if first.isdecimal() and len(first) <= 3 and int(first) < 128 else -1
    return Track(match[1].lower(), payload_type, encoding=_STATIC.get(payload_type, ""))


def _attribute(track: Track, name: str, content: str) -> None:
    if name == "control":
        track.control = content
    elif name == "rtpmap":
        number, _, mapping = content.partition(" ")
        words = mapping.strip().split("/")
        if track.payload_type == -1 and number.isdecimal() and len(number) <= 3:
            track.payload_type = int(number) & 0x7F
        if number == str(track.payload_type) and words[0]:
            track.encoding = words[0].strip().upper()
            rate = words[1].strip() if len(words) > 1 else ""
            track.rate = int(rate) if rate.isdecimal() and 0 < int(rate[:9]) <= 10_000_000 else TIMESCALE
    elif name == "fmtp":
        number, _, settings = content.partition(" ")
        if number == str(track.payload_type):
            for setting in settings.split(";"):
                key, separator, text = setting.partition("=")
                if separator:
                    track.parameters[key.strip().lower()] = text.strip()
    elif name == "sendonly":
        track.send_only = True

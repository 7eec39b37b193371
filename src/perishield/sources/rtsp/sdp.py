"""Session descriptions (RFC 4566), read forgivingly: cameras leave out lines, double them and misspell them.

A track that cannot be understood is no reason to refuse the others; whatever bytes come, reading never fails.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace

from perishield.model.media import TIMESCALE, Codec
from perishield.sources.bitstream import split_annexb

Mapping = tuple[str, int, int]
"""(encoding, rate, channels) of a payload type; 0 where nothing tells."""

_STATIC: dict[int, Mapping] = {
    0: ("PCMU", 8_000, 1),
    3: ("GSM", 8_000, 1),
    8: ("PCMA", 8_000, 1),
    9: ("G722", 8_000, 1),
    10: ("L16", 44_100, 2),
    11: ("L16", 44_100, 1),
    14: ("MPA", 90_000, 0),
    26: ("JPEG", TIMESCALE, 0),
    31: ("H261", TIMESCALE, 0),
    32: ("MPV", TIMESCALE, 0),
    33: ("MP2T", TIMESCALE, 0),
    34: ("H263", TIMESCALE, 0),
}
"""RFC 3551 tables 4 and 5."""

_CODECS = {"H264": Codec.H264, "H265": Codec.H265, "HEVC": Codec.H265}
_SOUNDS = frozenset(("MPEG4-GENERIC", "MP4A-LATM", "OPUS", "PCMA", "PCMU"))
_MEDIA = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s*(.*)")
_MOST_LINES = 2_000
_MOST_TYPES = 32


@dataclass(slots=True)
class Track:
    """One `m=` section. `encoding` is upper case and empty where nothing names it; `channels` 0 where nothing tells.

    `offered` are the payload types that the section lists, `payload_type` the one of them that is read.
    """

    kind: str
    payload_type: int
    control: str = ""
    encoding: str = ""
    rate: int = TIMESCALE
    channels: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    send_only: bool = False
    two_way: bool = False
    """Named `sendrecv`: whoever sets that up may be taken for one who wants to speak."""
    offered: tuple[int, ...] = ()

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
    def sounds(self) -> list[Track]:
        """Tracks of sound that comes to us; back-channels (ONVIF streaming specification section 5.3) never."""
        return [track for track in self.tracks if track.kind == "audio" and not track.send_only and not track.two_way]

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


@dataclass(slots=True)
class _Section:
    """What the lines of one `m=` section say, before it is settled what they mean."""

    track: Track
    mappings: dict[int, Mapping] = field(default_factory=dict)
    settings: dict[int, dict[str, str]] = field(default_factory=dict)


def parse_sdp(body: bytes) -> Description:
    """Never raises."""
    description = Description()
    sections: list[_Section] = []
    for line in body.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
        kind, _, value = line.strip().partition("=")
        value = value.strip()
        if kind == "m":
            sections.append(_Section(_media(value)))
        elif kind == "a":
            name, _, content = value.partition(":")
            if sections:
                _attribute(sections[-1], name.strip().lower(), content.strip())
            elif name.strip().lower() == "control":
                description.control = content.strip()
    strays: dict[int, dict[str, str]] = {}
    for section in sections:
        for number, settings in section.settings.items():
            if number not in section.track.offered:
                strays.setdefault(number, settings)
    description.tracks = [_settle(section, strays) for section in sections]
    return description


def _media(value: str) -> Track:
    """A section whose line is unreadable gets a payload type that no packet has."""
    match = _MEDIA.fullmatch(value)
    if match is None:
        return Track(value.split(" ", 1)[0].lower(), -1)
    numbers = [int(word) for word in match[4].split()[:_MOST_TYPES] if _number(word) is not None]
    offered = tuple(dict.fromkeys(number for number in numbers if number < 128))
    return Track(match[1].lower(), offered[0] if offered else -1, offered=offered)


def _number(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 9 else None


def _attribute(section: _Section, name: str, content: str) -> None:
    track = section.track
    if name == "control":
        # What concerns the whole session stands behind a track's own line in some descriptions.
        if content != "*" or not track.control:
            track.control = content
    elif name == "rtpmap":
        words = content.split(None, 1)
        number = _number(words[0]) if len(words) == 2 else None
        if number is not None and number < 128:
            encoding, _, rest = words[1].partition("/")
            rate, _, channels = rest.partition("/")
            section.mappings[number] = (
                encoding.strip().upper(),
                _within(rate, 1, 10_000_000, 0),
                _within(channels, 1, 255, 0),
            )
    elif name == "fmtp":
        words = content.split(None, 1)
        number = _number(words[0]) if words else None
        if number is not None and len(words) == 2:
            settings = section.settings.setdefault(number, {})
            for setting in words[1].split(";"):
                key, separator, text = setting.partition("=")
                if separator:
                    settings[key.strip().lower()] = text.strip()
    elif name == "sendonly":
        track.send_only = True
    elif name == "sendrecv":
        track.two_way = True


def _within(word: str, least: int, most: int, otherwise: int) -> int:
    number = _number(word.strip())
    return number if number is not None and least <= number <= most else otherwise


def _settle(section: _Section, strays: dict[int, dict[str, str]]) -> Track:
    """Of the payload types on offer, the first that we can read, else the first. Settings that stand in another
    section, which has no such payload type, are this one's.
    """
    track = section.track
    if not track.offered and section.mappings:
        track.offered = (next(iter(section.mappings)),)
    candidates = [_read(section, number, strays) for number in track.offered]
    named = [candidate for candidate in candidates if candidate.encoding in _CODECS or candidate.encoding in _SOUNDS]
    return next(iter(named or candidates), track)


def _read(section: _Section, number: int, strays: dict[int, dict[str, str]]) -> Track:
    encoding, rate, channels = section.mappings.get(number) or _STATIC.get(number, ("", 0, 0))
    return replace(
        section.track,
        payload_type=number,
        encoding=encoding,
        rate=rate or TIMESCALE,
        channels=channels,
        parameters=section.settings.get(number) or strays.get(number, {}),
    )

"""What real cameras and networks do to an RTSP stream, on request."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from perishield.model.errors import ConfigError
from perishield.model.media import TIMESCALE
from perishield.sources.simulator.oddities import Packaging


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Every field is one deviation; the default is a good server.

    `content_base`: sent as it stands instead of the right one (empty: the header is left out). `control`: of the track
    in the description, `{origin}` standing for this server.
    `session_timeout_s`: 0 leaves the parameter out. `enforce_timeout`: close when no request came for so long.
    `session_ids`: every answer has another one, and requests must bear the `first` or the `latest`.
    `channels`: the pair that SETUP answers, whatever was asked. `single_channel`: only its first number is told;
    `channels_missing`: none is.
    `rotate_nonce_after`: a digest nonce goes stale after so many requests.
    `drop_every_n_packets`, `silent_after_packets`, `truncate_after_packets` (cut inside a packet, then close),
    `garbage_every_n_packets` (three bytes before a packet), `newline_before_packets`, `stray_packets` (channel 9),
    `close_after_s` and `data_before_play_answer` concern the packets; `timestamp_jump` in ticks is added once after
    `jump_after_frames`.
    """

    drop_every_n_packets: int = 0
    silent_after_packets: int = 0
    truncate_after_packets: int = 0
    garbage_every_n_packets: int = 0
    newline_before_packets: bool = False
    stray_packets: bool = False
    undeclared_packets: bool = False
    """Of a payload type that the description does not name."""
    close_after_s: float = 0.0
    packaging: Packaging = ""
    timestamp_jump: int = 0
    jump_after_frames: int = 25
    timestamp_rate: float = 1.0
    """How fast the camera's RTP clock runs."""
    freeze_after_frames: int = 0
    """From here on all timestamps are the same."""
    wrap_after_s: float = 0.0
    first_number: int = -1
    """Of the first packet; -1: any."""
    restart_numbers_after: int = 0
    new_source_after: int = 0
    """Packets after which the sequence numbers, or the SSRC and they, are others."""
    switch_to: str = ""
    """After `switch_after_frames` the frames are another clip's: new parameter sets in the same stream."""
    switch_after_frames: int = 20
    marker: str = "right"
    """`right`, `never` or `always`."""
    data_before_play_answer: bool = False
    no_sender_reports: bool = False
    zero_reports: bool = False
    """Sender reports of a camera that has no clock."""
    report_step_s: float = 0.0
    """Wall-clock time in sender reports leaps by so much after the third."""
    content_base: str | None = None
    control: str = "trackID=0"
    session_timeout_s: int = 60
    session_ids: Literal["one", "first", "latest"] = "one"
    enforce_timeout: bool = False
    lower_case_headers: bool = False
    length: Literal["right", "missing", "short"] = "right"
    """Content-Length of the description."""
    no_parameter_sets: bool = False
    wrong_parameter_sets: bool = False
    no_get_parameter: bool = False
    get_parameter: Literal["answer", "ignore", "close"] = "answer"
    no_options: bool = False
    always_401: bool = False
    rotate_nonce_after: int = 0
    busy: bool = False
    one_session: bool = False
    """A second client is told 453."""
    redirect_to: str = ""
    redirect_to_self: bool = False
    """To the same address without its query."""
    channels: tuple[int, int] | None = None
    single_channel: bool = False
    channels_missing: bool = False
    rtp_info: str = ""
    back_channel: bool = False
    """A talk track stands in the description; whoever asks for it is told 551."""
    sound: Literal["granted", "refused", "closes"] = "granted"
    """What becomes of a SETUP of sound."""
    sound_drop_every_n: int = 0
    sound_rate: float = 1.0
    """How fast the timestamps of sound run."""
    no_sound_reports: bool = False
    server_options: bool = False
    """The server itself sends an OPTIONS request after PLAY."""
    refuse_tcp: bool = False
    refuse_udp: bool = False
    udp_silent: bool = False
    udp_loss: float = 0.0
    """Per cent of datagrams."""
    udp_reorder: int = 0
    """Places by which a datagram may come late."""
    udp_duplicate_every_n: int = 0
    no_server_port: bool = False
    other_server_port: bool = False
    """Datagrams come from another port than SETUP told."""
    seed: int = 0
    sdp: str | None = None
    """Sent instead of the clip's own description."""

    @property
    def touches_packets(self) -> bool:
        return any(getattr(self, name) != _DEFAULTS[name] for name in _PACKET_FAULTS)


_PACKET_FAULTS = (
    "drop_every_n_packets",
    "silent_after_packets",
    "truncate_after_packets",
    "garbage_every_n_packets",
    "newline_before_packets",
    "stray_packets",
    "undeclared_packets",
    "packaging",
    "timestamp_jump",
    "timestamp_rate",
    "freeze_after_frames",
    "wrap_after_s",
    "first_number",
    "restart_numbers_after",
    "new_source_after",
    "switch_to",
    "marker",
    "channels",
    "udp_loss",
    "udp_reorder",
    "udp_duplicate_every_n",
)
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Faults)}

NAMED: dict[str, dict[str, Any]] = {
    "no-timeout": {"session_timeout_s": 0},
    "short-session": {"session_timeout_s": 15, "enforce_timeout": True},
    "get-parameter-refused": {"no_get_parameter": True},
    "get-parameter-ignored": {"get_parameter": "ignore"},
    "get-parameter-closes": {"get_parameter": "close"},
    "options-refused": {"no_options": True},
    "server-options": {"server_options": True},
    "session-id-first": {"session_ids": "first"},
    "session-id-latest": {"session_ids": "latest"},
    "lower-case": {"lower_case_headers": True},
    "length-missing": {"length": "missing"},
    "length-short": {"length": "short"},
    "base-foreign": {"content_base": "rtsp://192.0.2.1:8554/elsewhere/"},
    "base-doubled": {"content_base": "rtsp://rtsp://192.0.2.1/elsewhere/"},
    "base-schemeless": {"content_base": "192.0.2.1:554/elsewhere/"},
    "base-bare-ipv6": {"content_base": "rtsp://::ffff:192.0.2.9/elsewhere/"},
    "base-nonsense": {"content_base": "::"},
    "base-missing": {"content_base": ""},
    "control-slash": {"control": "/trackID=0"},
    "control-query": {"control": "?trackID=0"},
    "control-private": {"control": "rtsp://192.168.1.64:554/elsewhere/trackID=0"},
    "control-absolute": {"control": "{origin}/elsewhere/trackID=0"},
    "channels-renumbered": {"channels": (4, 5)},
    "channels-odd": {"channels": (7, 2)},
    "channel-single": {"single_channel": True},
    "channels-missing": {"channels_missing": True},
    "early-data": {"data_before_play_answer": True},
    "stray-channel": {"stray_packets": True},
    "undeclared-type": {"undeclared_packets": True},
    "newlines": {"newline_before_packets": True},
    "garbage": {"garbage_every_n_packets": 60},
    "hopeless-garbage": {"garbage_every_n_packets": 1},
    "rtp-info-wrong": {"rtp_info": "url=rtsp://192.0.2.1/x;seq=0;rtptime=99999999999"},
    "rtp-info-semicolon": {"rtp_info": "url=rtsp://192.0.2.1/a,b;seq=1;rtptime=0;"},
    "nonce-rotation": {"rotate_nonce_after": 1},
    "always-401": {"always_401": True},
    "no-sprop": {"no_parameter_sets": True},
    "wrong-sprop": {"wrong_parameter_sets": True},
    "marker-never": {"marker": "never"},
    "marker-always": {"marker": "always"},
    "fragment-start-end": {"packaging": "startend"},
    "fragment-kinds": {"packaging": "kinds"},
    "fragment-reserved": {"packaging": "reserved"},
    "aggregate": {"packaging": "aggregate"},
    "aggregate-padded": {"packaging": "padded"},
    "annexb": {"packaging": "annexb"},
    "donl": {"packaging": "donl"},
    "wrap": {"wrap_after_s": 5.0},
    "jump-hour": {"timestamp_jump": 3600 * TIMESCALE},
    "jump-back": {"timestamp_jump": -30 * TIMESCALE},
    "freeze": {"freeze_after_frames": 25},
    "fast-clock": {"timestamp_rate": 1.2},
    "slow-clock": {"timestamp_rate": 0.8},
    "number-wrap": {"first_number": 65_500},
    "number-restart": {"restart_numbers_after": 60},
    "new-source": {"new_source_after": 60},
    "no-reports": {"no_sender_reports": True},
    "zero-reports": {"zero_reports": True},
    "report-step": {"report_step_s": 3600.0},
    "losses": {"drop_every_n_packets": 61},
    "silence": {"silent_after_packets": 30, "no_sender_reports": True},
    "cut": {"truncate_after_packets": 60},
    "busy": {"busy": True},
    "one-session": {"one_session": True},
    "back-channel": {"back_channel": True},
    "sound-refused": {"sound": "refused"},
    "sound-closes": {"sound": "closes"},
    "sound-losses": {"sound_drop_every_n": 17},
    "sound-clock": {"sound_rate": 3.0, "no_sound_reports": True},
    "redirect": {"redirect_to_self": True},
    "redirect-out": {"redirect_to": "http://192.0.2.1/video"},
    "tcp-refused": {"refuse_tcp": True},
    "udp-refused": {"refuse_udp": True},
    "udp-silent": {"udp_silent": True},
    "udp-rough": {"udp_loss": 5.0, "udp_reorder": 3},
    "udp-shuffled": {"udp_reorder": 4},
    "udp-doubled": {"udp_duplicate_every_n": 5},
    "server-port-missing": {"no_server_port": True},
    "server-port-other": {"other_server_port": True},
}
"""The list that the RTSP client is tested with. In an address: `?fault=wrap,no-reports`."""


def faults_of(url: str, otherwise: Faults) -> Faults:
    """The faults that an address asks for: `?fault=` and names, or `field:value`, with commas between. Raises
    ConfigError for what is none.
    """
    try:
        wanted = parse_qs(urlsplit(url).query).get("fault", [])
    except ValueError:
        return otherwise
    words = [word.strip() for text in wanted for word in text.split(",") if word.strip()]
    return named_faults(words, otherwise) if words else otherwise


def named_faults(words: list[str], otherwise: Faults | None = None) -> Faults:
    """Raises ConfigError for a name, a field or a value that is none."""
    changes: dict[str, Any] = {}
    for word in words:
        name, colon, value = word.partition(":")
        if not colon and name in NAMED:
            changes |= NAMED[name]
            continue
        default = _DEFAULTS.get(name.replace("-", "_"))
        if not colon or not isinstance(default, int | float | str):
            raise ConfigError(f"no fault is called {word!r}; there are {', '.join(sorted(NAMED))}")
        try:
            changes[name.replace("-", "_")] = value == "true" if isinstance(default, bool) else type(default)(value)
        except ValueError:
            raise ConfigError(f"fault {name!r} takes no {value!r}") from None
    return dataclasses.replace(otherwise or Faults(), **changes)

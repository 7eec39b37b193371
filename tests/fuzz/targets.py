"""What reads bytes from outside, each as a function of bytes.

A target returns how many bytes the reader made of them; it may raise nothing. Errors that a reader declares are its
answer, anything else is a find. `GROWTH` bounds what may come of a byte.
"""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle_check import check_open_bundle
from perishield.model.errors import ModelError, SourceError
from perishield.model.media import TIMESCALE, AudioFormat, Codec, Packet, VideoFormat
from perishield.sources.aac import Bits, read_config, read_stream_mux, split_adts
from perishield.sources.bits import BitstreamError
from perishield.sources.bitstream import split_annexb, split_lengths, split_record
from perishield.sources.parameter_sets import ParameterSets
from perishield.sources.reception import Reception
from perishield.sources.rtsp.audio import payload_for
from perishield.sources.rtsp.audio_clock import AudioClock
from perishield.sources.rtsp.audio_track import AudioTrack
from perishield.sources.rtsp.auth import Credentials
from perishield.sources.rtsp.delivery import Delivery
from perishield.sources.rtsp.framing import Framer, Message, parse_head
from perishield.sources.rtsp.h264 import H264Depacketizer
from perishield.sources.rtsp.h265 import H265Depacketizer
from perishield.sources.rtsp.reorder import Reorder
from perishield.sources.rtsp.rtcp import read_sender_report
from perishield.sources.rtsp.rtp import RtpTrack
from perishield.sources.rtsp.sdp import Track, parse_sdp
from perishield.sources.rtsp.transport import read_transport
from perishield.sources.rtsp.url import base_url, control_candidates, parse_url
from perishield.sources.sound import frame_ticks
from perishield.sources.sps_h264 import read_sps as read_h264
from perishield.sources.sps_h265 import read_sps as read_h265
from perishield.sources.status import SourceStatus
from perishield.streams.codec_config import avcc, hvcc
from perishield.streams.fmp4 import rewrite_decode_time, without_sound, without_sound_chunk
from perishield.streams.fmp4_reader import parse_init, read_init_by, walk_by
from perishield.vision.model_card import parse_card
from perishield.vision.onnx_model import read_names

GROWTH = 16
CONSTANT = 65_536
_SETS = {
    Codec.H264: ("6742c01fda014016e840000003004000000c8360ca80", "68ce3c80"),
    Codec.H265: (
        "40010c01ffff01600000030090000003000003005dac0900",
        "42010101600000030090000003000003005da00280802d1659ab4932bc05a02000000300200000030321",
        "4401c172b46240",
    ),
}


class CountingSink:
    """Keeps the rules of PacketSink, and counts."""

    def __init__(self) -> None:
        self.bytes = 0
        self._last = -1
        self._wants_key = True

    def format(self, video: VideoFormat) -> None:
        self._wants_key = True

    def packet(self, packet: Packet) -> None:
        assert packet.key or not self._wants_key, "a key frame was due"
        assert packet.size == sum(len(part) for part in packet.data)
        assert packet.pts >= packet.dts > self._last
        self._wants_key, self._last = False, packet.dts
        self.bytes += packet.size

    def discontinuity(self, reason: str) -> None:
        self._wants_key = True

    def rest(self) -> None: ...

    def audio_format(self, audio: AudioFormat | None) -> None:
        """Sound has a target of its own."""

    def audio(self, packet: Packet) -> None:
        """Sound has a target of its own."""


def _records(data: bytes) -> list[tuple[int, bytes]]:
    """A flag byte, a length byte and that many bytes, again and again."""
    records, position = [], 0
    while position + 2 <= len(data):
        size = data[position + 1]
        records.append((data[position], data[position + 2 : position + 2 + size]))
        position += 2 + size
    return records


def _packets(data: bytes, kind: int) -> list[bytes]:
    """RTP packets from records: mostly in order, as the flags will have it."""
    number, stamp, packets = 65_530, 2**32 - 9000, []
    for flags, payload in _records(data):
        number += 1 + (flags >> 2 & 3) * (flags >> 5 & 1)
        stamp += 3600 * (flags >> 1 & 1) + (10**9 if flags & 0x40 else 0)
        first = 0x90 if flags & 0x80 and flags & 0x10 else 0xA0 if flags & 0x80 else 0x80
        head = bytes((first, (flags & 1) << 7 | kind)) + (number & 0xFFFF).to_bytes(2, "big")
        packets.append(head + (stamp & 0xFFFFFFFF).to_bytes(4, "big") + b"fuzz" + payload)
    return packets


def framing(data: bytes) -> int:
    """Messages and interleaved packets, in pieces of a size that the first byte tells."""
    if not data:
        return 0
    made = 0

    def message(one: Message) -> None:
        nonlocal made
        made += len(one.body) + sum(len(name) + sum(map(len, values)) for name, values in one.headers.items())
        for value in one.headers.get("transport", []):
            read_transport(value)

    def packet(whole: bytes, start: int, end: int) -> None:
        nonlocal made
        made += end - start

    framer = Framer(message)
    if data[0] & 1:
        framer.attach((0, 1), packet, packet, lambda: None)
        framer.also(2, packet)
    step = 1 + data[0]
    try:
        for at in range(1, len(data), step):
            framer.feed(data[at : at + step])
    except SourceError:
        pass
    return made


def headers(data: bytes) -> int:
    """Heads of messages, addresses, challenges, transports."""
    try:
        message = parse_head(data)
    except SourceError:
        return 0
    credentials = Credentials("guard", "secret")
    made = len(credentials.authorization("PLAY", "rtsp://cam/1") or "")
    if credentials.challenge(message.headers.get("www-authenticate", [])):
        made += len(credentials.authorization("PLAY", "rtsp://cam/1") or "")
    for values in message.headers.values():
        for value in values[:8]:
            read_transport(value)
            try:
                endpoint = parse_url(value)
            except SourceError:
                continue
            base = base_url(endpoint, message.header("content-base"))
            made += sum(len(url) for url in control_candidates(endpoint, base, message.header("session") or ""))
    return made


def sdp(data: bytes) -> int:
    made = 0
    for track in parse_sdp(data).tracks:
        made += len(track.control) + len(track.encoding) + sum(len(nal) for nal in track.parameter_sets)
        made += sum(len(key) + len(value) for key, value in track.parameters.items())
        assert track.ordered in (True, False)
        payload_for(track)
    return made


def _video(data: bytes, codec: Codec) -> int:
    sets = ParameterSets(codec)
    for text in _SETS[codec]:
        sets.offer(bytes.fromhex(text))
    depacketizer = H264Depacketizer(sets) if codec is Codec.H264 else H265Depacketizer(sets, ordered=len(data) % 7 == 0)
    sink = CountingSink()
    delivery = Delivery(sink, SourceStatus("gate-3", 1, lambda state: None))
    delivery.connect(sets)
    track = RtpTrack(96, depacketizer, delivery.unit, delivery.lost)
    framer = Framer(lambda message: None)
    framer.attach((0, 1), track.packet, lambda whole, start, end: None, track.lose, track.carry_on)
    batch = b""
    for count, packet in enumerate(_packets(data, 96)):
        delivery.arrival += 0.01
        delivery.monotonic += 0.01
        batch += b"$\0" + len(packet).to_bytes(2, "big") + packet
        if count % 8 == 7:
            framer.feed(batch)
            track.bound()
            batch = b""
    framer.feed(batch)
    return sink.bytes + depacketizer.size


def rtp_h264(data: bytes) -> int:
    return _video(data, Codec.H264)


def rtp_h265(data: bytes) -> int:
    return _video(data, Codec.H265)


_SOUND_TRACKS = (
    Track("audio", 97, encoding="MPEG4-GENERIC", rate=16_000, channels=1, parameters={"config": "1408"}),
    Track("audio", 97, encoding="MPEG4-GENERIC", rate=8_000, channels=1, parameters={"mode": "AAC-lbr"}),
    Track("audio", 97, encoding="MP4A-LATM", rate=16_000, channels=1),
    Track("audio", 97, encoding="MP4A-LATM", rate=16_000, parameters={"cpresent": "0", "config": "40002810"}),
    Track("audio", 97, encoding="OPUS", rate=48_000, channels=2),
    Track("audio", 97, encoding="PCMA", rate=8_000, channels=1),
)


def rtp_audio(data: bytes) -> int:
    track = _SOUND_TRACKS[data[0] % len(_SOUND_TRACKS)] if data else _SOUND_TRACKS[0]
    payload = payload_for(track)
    assert payload is not None
    clock = AudioClock(track.rate)
    made = 0

    def frames(found: list[bytes], stamp: int, lost: int) -> None:
        nonlocal made
        audio = payload.format
        assert audio is not None
        assert all(found), "frames are not empty"
        made += sum(len(frame) for frame in found)
        lasts = sum(frame_ticks(audio, len(frame), frame[:2]) for frame in found)
        assert lasts > 0
        clock.advance(stamp, lasts, lost)
        clock.align(clock.raw + 1000)
        assert abs(clock.ticks or 0) < 2**62

    sound = AudioTrack(97, payload, frames)
    for packet in _packets(data[1:], 97):
        sound.packet(packet, 0, len(packet))
    return made


def rtcp(data: bytes) -> int:
    report = read_sender_report(data)
    return len(report.source) if report is not None else 0


def reorder(data: bytes) -> int:
    """Datagrams in any order; none comes out twice, and few are held back."""
    kept = Reorder(Reception())
    made = given = 0
    for position, packet in enumerate(_packets(data, 96)):
        given += len(packet)
        made += sum(len(piece) for piece in kept.take(packet, position * 0.004))
        if position % 5 == 0:
            made += sum(len(piece) for piece in kept.expire(position * 0.004))
    made += sum(len(piece) for piece in kept.expire(1e9))
    assert made <= given + 4 * len(data)
    return made


def nal(data: bytes) -> int:
    made = sum(len(part) for part in split_annexb(data))
    for reader in (read_h264, read_h265, read_config, lambda body: read_stream_mux(Bits(body)), split_lengths):
        with contextlib.suppress(BitstreamError):
            reader(data)
    _, frames = split_adts(data)
    made += sum(len(frame) for frame in frames)
    for codec, configuration in ((Codec.H264, avcc), (Codec.H265, hvcc)):
        sets = ParameterSets(codec)
        try:
            _, nals = split_record(codec, data)
        except BitstreamError:
            nals = [data]
        for one in nals:
            sets.offer(one)
        if sets.complete:
            made += sum(len(one) for one in sets.format().parameter_sets)
        with contextlib.suppress(ValueError):
            made += len(configuration(tuple(nals)))
    return made


def fmp4(data: bytes) -> int:
    def read(length: int, offset: int) -> bytes:
        assert length >= 0
        assert offset >= 0
        return data[offset : offset + length]

    init = read_init_by(read, len(data))
    start = len(init.data) if init is not None else 0
    if init is not None:
        without_sound(init.data)
        again = parse_init(without_sound(init.data))
        assert again is not None
        assert again.audio is None
        assert again.sample_entry == init.sample_entry
    made, end = 0, start
    for chunk in walk_by(read, len(data), start):
        assert chunk.offset == end
        assert chunk.length > chunk.data_offset
        end += chunk.length
        assert end <= len(data)
        assert chunk.length - chunk.data_offset == sum(chunk.sizes)
        piece = bytearray(data[chunk.offset : end])
        silent = without_sound_chunk(piece)
        assert silent[len(silent) - sum(chunk.sizes) :] == piece[chunk.data_offset :]
        rewrite_decode_time(piece, TIMESCALE, 7)
        made += len(silent) + len(piece) + 16 * len(chunk.sizes)
    return made


def model_card(data: bytes) -> int:
    """Cards, and the class names in a network's metadata."""
    made = 0
    for name in ("m.card.toml", "m.card.json"):
        with contextlib.suppress(ModelError):
            card = parse_card(data, name)
            made += sum(map(len, card.classes)) + len(card.source)
            if card.priors is not None:
                assert all(card.priors.sizes)
    return made + sum(map(len, read_names(data.decode(errors="replace")) or ()))


_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def evidence(data: bytes) -> int:
    """An archive (`a`), or a manifest (`m`) or records (`c`) that a valid signature covers."""
    kind, data = data[:1], data[1:]
    if kind in (b"m", b"c"):
        head, _, rest = data.partition(b"\n")
        files = {
            layout.PUBLIC_KEY: _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            layout.CHAIN: rest,
            layout.MANIFEST: head,
            layout.SIGNATURE: _KEY.sign(head),
        }
        if kind == b"c":
            # What the manifest says of the records' file is made to fit, so that the records themselves are read.
            fitting = head.replace(b"@size", str(len(rest)).encode()).replace(
                b"@hash", sha256(rest).hexdigest().encode()
            )
            files |= {layout.MANIFEST: fitting, layout.SIGNATURE: _KEY.sign(fitting)}
        body, central = b"", b""
        for name, content in files.items():
            crc = zlib.crc32(content)
            central += layout.central_entry(name, crc, len(content), len(body))
            body += layout.local_header(name, crc, len(content)) + content
        data = body + central + layout.end_record(len(files), len(central), len(body))
    return len(check_open_bundle(io.BytesIO(data)).items)


TARGETS: dict[str, Callable[[bytes], int]] = {
    target.__name__: target
    for target in (framing, headers, sdp, rtp_h264, rtp_h265, rtp_audio, rtcp, reorder, nal, fmp4, model_card, evidence)
}


def check(target: Callable[[bytes], int], data: bytes) -> None:
    """Run a target; what it made must be bounded by what it got."""
    made = target(data)
    assert made <= GROWTH * len(data) + CONSTANT, f"{made} bytes out of {len(data)}"

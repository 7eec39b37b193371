"""What was measured of a stream, judged: each figure a sentence, and where it is amiss, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from perishield.model.media import Codec
from perishield.sources.doctor.brightness import Brightness
from perishield.sources.doctor.census import Census
from perishield.sources.doctor.profiles import profile_name
from perishield.sources.doctor.sight import Sight
from perishield.sources.doctor.step import Step, fail, ok, warn

_LONGEST_GOP_S = 4.5
_LONGEST_STEADY_S = 3.0
_UNEVEN = 1.5
_JITTER_S = 0.1
_CLOCK_OFF_S = 2.0
_STRANGE = 0.2
_SHARE_LOST = 0.01
_NAMES = {Codec.H264: "H.264", Codec.H265: "H.265"}
_SETS = {7: "SPS", 8: "PPS", 32: "VPS", 33: "SPS", 34: "PPS"}


@dataclass(slots=True)
class Measured:
    """All that an examination saw. `offsets`: seconds of the camera's clock ahead of ours, one for each report."""

    sight: Sight
    census: Census | None = None
    offsets: list[float] = field(default_factory=list)
    sound_offered: tuple[str, ...] = ()
    encrypted: bool = False
    """The description announces SRTP."""
    sets_offered: bool = False
    """The description carries parameter sets."""


def no_key_frame(measured: Measured, waited_s: float, ms: float) -> Step:
    """Why the picture stays black."""
    census = measured.census
    name, seconds = "key_frame", round(waited_s, 1)
    if census is None or not census.packets:
        return fail(name, "key_none", f"no key frame within {seconds:g} s", _shorter(), ms, seconds=seconds, slices=0)
    if measured.encrypted or (census.strange > _STRANGE and not census.slices > 4 * census.packets):
        return fail(
            name,
            "key_encrypted",
            "packets come, but what is in them is no video that anybody could read: the stream is encrypted or garbled",
            "switch stream encryption off on the camera, or use RTSPS instead",
            ms,
        )
    if census.keys and census.missing_sets and not measured.sets_offered:
        missing = ", ".join(_SETS[kind] for kind in census.missing_sets)
        return fail(
            name,
            "key_no_sets",
            f"key frames come, but without their parameter sets ({missing}): no decoder can start",
            "restart the camera, update its firmware, or choose the other stream",
            ms,
            missing=missing,
        )
    if census.slices and not census.keys:
        return fail(
            name,
            "key_none",
            f"pictures come, but no key frame within {seconds:g} s",
            _shorter(),
            ms,
            seconds=seconds,
            slices=census.slices,
        )
    if census.keys and census.lost:
        return fail(
            name,
            "key_lost",
            f"every key frame was damaged: {census.lost} of {census.lost + census.packets} packets were lost",
            "use TCP, a wired connection or a lower bit rate",
            ms,
            lost=census.lost,
            packets=census.packets,
        )
    return fail(
        name, "key_garbled", "packets come, but no picture can be put together from them", "restart the camera", ms
    )


def _shorter() -> str:
    return "set the key frame interval (I-frame interval, GOP) on the camera to 2 s"


def judge(measured: Measured) -> list[Step]:
    """The steps after the first key frame, without the picture itself."""
    sight = measured.sight
    video = sight.video
    if video is None:
        return []
    codec, profile = _NAMES[video.codec], profile_name(video.mime)
    size: dict[str, Any] = {
        "codec": codec,
        "profile": profile,
        "width": video.width,
        "height": video.height,
        "mime": video.mime,
    }
    steps = [
        ok("video", "video", f"{codec} {profile}, {video.width}x{video.height}", **size),
        _rate(sight),
        _gop(sight),
    ]
    if measured.census is not None:
        steps += [_loss(measured.census), _jitter(measured.census, sight), _clock(measured.offsets, sight)]
    return [*steps, _order(sight), _sound(measured)]


def _rate(sight: Sight) -> Step:
    fps, bitrate = round(sight.fps, 1), sight.bitrate
    facts = {"fps": fps, "bitrate": bitrate, "seconds": round(sight.seconds, 1)}
    if sight.frames < 2:
        way_out = "the camera stopped after its first picture: restart it"
        return fail("rate", "rate_none", "only one picture came", way_out, **facts)
    return ok("rate", "rate", f"{fps:g} pictures a second, {bitrate / 1e6:.2f} Mbit/s", **facts)


def _gop(sight: Sight) -> Step:
    shorter = f"{_shorter()}: live view and playback begin at key frames only"
    if not sight.gops:
        seconds = round(sight.since_key, 1)
        says = f"no second key frame within {seconds:g} s"
        if seconds < _LONGEST_GOP_S:
            return ok("gop", "gop_unknown", says, seconds=seconds)
        return warn("gop", "gop_open", says, shorter, seconds=seconds)
    least, most = min(sight.gops), max(*sight.gops, sight.since_key)
    frames = round(sight.frames / max(1, sight.keys))
    facts = {"least": round(least, 2), "most": round(most, 2), "frames": frames}
    # Key frames that come early, at a change of scene, are harmless.
    if most > _UNEVEN * least and most > _LONGEST_STEADY_S:
        return warn(
            "gop",
            "gop_uneven",
            f"key frames come every {least:.1f} to {most:.1f} s: a smart codec (H.264+, H.265+, Zipstream)",
            "switch it off on the camera: recordings can be entered at key frames only, and some fakes have none",
            **facts,
        )
    if most > _LONGEST_GOP_S:
        return warn("gop", "gop_long", f"a key frame every {most:.1f} s only", shorter, **facts)
    return ok("gop", "gop", f"a key frame every {most:.2f} s", **facts)


def _loss(census: Census) -> Step:
    total = census.packets + census.lost
    share = census.lost / total if total else 0.0
    facts = {"packets": census.packets, "lost": census.lost, "late": census.late, "share": round(share, 5)}
    if not census.lost:
        return ok("loss", "loss_none", f"{census.packets} packets, none lost", **facts)
    says = f"{census.lost} of {total} packets lost ({share:.2%}): pictures are left out up to the next key frame"
    way_out = "use TCP, look at cable, Wi-Fi and switches, lower the bit rate"
    make = fail if share > _SHARE_LOST else warn
    return make("loss", "loss", says, way_out, **facts)


def _jitter(census: Census, sight: Sight) -> Step:
    ms = round(census.jitter_s * 1000, 1)
    # B-frames are stamped out of order, which counts as jitter and is none.
    if census.jitter_s > _JITTER_S and not sight.reordered:
        way_out = "look for a busy link or Wi-Fi on the way; the live view trails by as much"
        return warn("jitter", "jitter_high", f"packets come {ms:g} ms early or late on average", way_out, jitter=ms)
    return ok("jitter", "jitter", f"packets come {ms:g} ms early or late on average", jitter=ms)


def _clock(offsets: list[float], sight: Sight) -> Step:
    if not offsets:
        if sight.seconds < 6:
            return ok("clock", "clock_unknown", "no sender report yet, so the time of arrival counts")
        way_out = "nothing to do: times are those of arrival"
        return ok("clock", "clock_none", f"the camera sends no sender reports; {way_out}")
    offset = sorted(offsets)[len(offsets) // 2]
    facts = {"offset": round(offset, 3), "reports": len(offsets)}
    if abs(offset) > _CLOCK_OFF_S:
        says = f"the camera's clock is {_apart(offset)} this machine's, so the time of arrival counts"
        return warn("clock", "clock_off", says, "set the camera's time by NTP, with its time zone", **facts)
    return ok("clock", "clock", f"sender reports come, the camera's clock is {_apart(offset)} ours", **facts)


def _apart(offset: float) -> str:
    size = abs(offset)
    shown = f"{size * 1000:.0f} ms" if size < 10 else f"{size:.0f} s" if size < 600 else f"{size / 3600:.1f} h"
    return f"{shown} {'ahead of' if offset > 0 else 'behind'}"


def _order(sight: Sight) -> Step:
    if sight.reordered:
        way_out = "choose a profile without B-frames (Baseline, or 'B-frames: off'): they delay the live view"
        says = "the stream has B-frames"
        return warn("reordering", "b_frames", says, way_out, frames=sight.reordered)
    return ok("reordering", "no_b_frames", "no B-frames")


def _sound(measured: Measured) -> Step:
    sound = measured.sight.sound
    if sound is not None:
        name = str(sound.codec).upper()
        says = f"{name}, {sound.rate} Hz, {sound.channels} channel{'s' if sound.channels > 1 else ''}"
        return ok("sound", "sound", says, codec=name, rate=sound.rate, channels=sound.channels)
    if measured.sound_offered:
        names = ", ".join(measured.sound_offered)
        return ok("sound", "sound_offered", f"the camera offers {names}", codec=names)
    return ok("sound", "sound_none", "the camera sends no sound")


def picture(light: Brightness) -> Step:
    """The decoded key frame, judged."""
    facts: dict[str, Any] = {"mean": light.mean, "spread": light.spread}
    if light.black:
        says = f"the picture itself is black (brightness {light.mean:g} of 255)"
        way_out = "look at lens cap, lighting, exposure and the camera's privacy mask"
        return warn("picture", "picture_black", says, way_out, **facts)
    if light.even:
        says = f"the picture is one colour all over (brightness {light.mean:g} of 255)"
        way_out = "look whether the lens is covered, and whether the camera shows its own sensor's picture"
        return warn("picture", "picture_even", says, way_out, **facts)
    return ok("picture", "picture", f"a picture (brightness {light.mean:g} of 255)", **facts)

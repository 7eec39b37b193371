"""Every deviation that the camera farm knows, against the client over real sockets.

Whatever a camera does: the stream recovers or fails with the right code, stream time never runs backwards, every frame
is counted, and what was delivered decodes (the sink asserts the rules of `PacketSink` on the way).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from perishield.model.media import TIMESCALE, StreamCondition
from perishield.model.site import Transport
from perishield.sources.simulator import Simulator
from perishield.sources.simulator.faults import NAMED

pytestmark = pytest.mark.long

FRAMES = 40


@dataclass(frozen=True)
class Case:
    """`code`: the failure that must be named. `clean`: no frame is missing. `counts`: counters that must have moved.

    `frames`: how many must have come. `options`: of the camera and its patience. `longest_s`: of a frame.
    """

    code: str = ""
    clean: bool = True
    counts: tuple[str, ...] = ()
    frames: int = FRAMES
    clip: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    login: bool = False
    longest_s: float = 0.5


UDP = {"transport": Transport.UDP}
TABLE = {
    "no-timeout": Case(),
    "short-session": Case(),
    "get-parameter-refused": Case(),
    "get-parameter-ignored": Case(),
    "get-parameter-closes": Case(),
    "options-refused": Case(),
    "server-options": Case(),
    "session-id-first": Case(),
    "session-id-latest": Case(),
    "lower-case": Case(),
    "length-missing": Case(),
    "length-short": Case(),
    "base-foreign": Case(),
    "base-doubled": Case(),
    "base-schemeless": Case(),
    "base-bare-ipv6": Case(),
    "base-nonsense": Case(),
    "base-missing": Case(),
    "control-slash": Case(),
    "control-query": Case(),
    "control-private": Case(),
    "control-absolute": Case(),
    "channels-renumbered": Case(),
    "channels-odd": Case(),
    "channel-single": Case(),
    "channels-missing": Case(),
    "early-data": Case(),
    "stray-channel": Case(),
    "undeclared-type": Case(),
    "newlines": Case(),
    "garbage": Case(clean=False),
    "hopeless-garbage": Case(code="protocol"),
    "rtp-info-wrong": Case(),
    "rtp-info-semicolon": Case(),
    "nonce-rotation": Case(login=True),
    "always-401": Case(code="auth_failed", login=True),
    "no-sprop": Case(),
    "wrong-sprop": Case(),
    "marker-never": Case(),
    "marker-always": Case(),
    "fragment-start-end": Case(),
    "fragment-kinds": Case(),
    "fragment-reserved": Case(),
    "aggregate": Case(),
    "aggregate-padded": Case(),
    "annexb": Case(),
    "donl": Case(clip="hevc"),
    "wrap": Case(frames=550),
    "jump-hour": Case(counts=("time_jumps",)),
    "jump-back": Case(counts=("time_jumps",)),
    "freeze": Case(),
    "fast-clock": Case(frames=200),
    "slow-clock": Case(frames=200),
    "number-wrap": Case(frames=100),
    "number-restart": Case(clean=False, counts=("lost",)),
    "new-source": Case(clean=False, counts=("sources",), frames=80),
    "no-reports": Case(),
    "zero-reports": Case(),
    "report-step": Case(frames=200),
    "losses": Case(clean=False, counts=("lost",), frames=100),
    "silence": Case(code="timeout", options={"idle_s": 0.5}),
    "cut": Case(code="truncated"),
    "busy": Case(code="busy"),
    "one-session": Case(),
    "back-channel": Case(),
    "redirect": Case(),
    "redirect-out": Case(code="protocol"),
    "tcp-refused": Case(),
    "udp-refused": Case(code="protocol", options=UDP),
    "udp-silent": Case(options={**UDP, "datagram_s": 0.3}),
    "udp-rough": Case(clean=False, counts=("lost", "reordered"), frames=100, options=UDP),
    "udp-shuffled": Case(counts=("reordered",), frames=100, options=UDP),
    "udp-doubled": Case(counts=("duplicates",), frames=100, options=UDP),
    "server-port-missing": Case(options=UDP),
    "server-port-other": Case(options=UDP),
}
OVER_UDP = [
    "aggregate", "annexb", "donl", "fragment-start-end", "marker-never", "marker-always", "no-sprop", "jump-hour",
    "jump-back", "number-wrap", "wrong-sprop", "zero-reports", "back-channel", "session-id-latest",
]  # fmt: skip


@pytest.fixture
async def quick_farm(quick_clips) -> AsyncIterator[Any]:
    running: list[Simulator] = []

    async def start(**options: Any) -> Simulator:
        running.append(Simulator(quick_clips, **options))
        await running[-1].start()
        return running[-1]

    yield start
    for simulator in running:
        await simulator.close()


def test_the_table_is_complete():
    """Those of the sound have tests of their own."""
    assert set(TABLE) == {name for name in NAMED if not name.startswith("sound-")}


async def check(case: Case, name: str, quick_farm, watch, until, **options: Any) -> None:
    login = {"username": "admin", "password": "p/w"} if case.login else {}
    simulator = await quick_farm(**login)
    url = f"rtsp://127.0.0.1:{simulator.port}/{case.clip}?channel=1&fault={name}"
    watched = watch(url, **{**login, **case.options, **options})
    sink = watched.sink
    if case.code:
        await until(lambda: case.code in watched.codes, f"code {case.code}")
        assert all(state.code == case.code for state in watched.states if state.code)
        await watched.stop()
    else:
        await until(lambda: len(sink.packets) >= case.frames, "frames", 20)
        await watched.stop()
        assert not any(watched.codes), watched.codes
        assert watched.state.condition is StreamCondition.LIVE
        steps = [later.dts - earlier.dts for earlier, later in pairwise(sink.packets)]
        assert max(steps) < case.longest_s * TIMESCALE
    if case.clean and not case.code:
        assert sink.discontinuities == []
        assert watched.source._status.frames_lost == 0
        assert watched.reception.lost == 0
    watched.source._clock()
    for counter in case.counts:
        assert getattr(watched.reception, counter) > 0, counter
    assert watched.source._status.frames == len(sink.packets)
    if sink.packets:
        assert sink.decode() >= len(sink.packets) - 1


@pytest.mark.parametrize("name", TABLE)
async def test_the_stream_recovers_or_says_what_is_wrong(quick_farm, watch, until, name):
    await check(TABLE[name], name, quick_farm, watch, until)


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
async def test_parameter_sets_that_change_under_way_are_a_new_format(quick_farm, watch, until, transport):
    simulator = await quick_farm()
    url = f"rtsp://127.0.0.1:{simulator.port}/plain?fault=switch-to:other,switch-after-frames:30"
    watched = watch(url, transport=transport)
    await until(lambda: len(watched.sink.packets) >= 100, "frames")
    await watched.stop()
    sink = watched.sink
    assert [(video.width, video.height) for video in sink.formats] == [(160, 120), (192, 120)]
    assert not any(watched.codes)
    at = [index for index, word in enumerate(sink.log) if word == "format"][1]
    assert sink.log[at + 1] == "key"
    first = sum(word in ("key", "packet") for word in sink.log[:at])
    assert sink.decode(first) >= len(sink.packets) - first - 1


async def test_a_camera_with_one_session_is_busy_for_the_second(quick_farm, watch, until):
    simulator = await quick_farm()
    url = f"rtsp://127.0.0.1:{simulator.port}/plain?fault=one-session"
    first = watch(url)
    await until(lambda: first.sink.packets, "frames")
    second = watch(url)
    await until(lambda: any(second.codes), "code")
    assert second.state.code == "busy"
    await first.stop()
    await until(lambda: second.sink.packets, "frames of the second")


async def test_a_fault_that_nobody_knows_is_refused(quick_farm, watch, until):
    simulator = await quick_farm()
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain?fault=locusts")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"


@pytest.mark.parametrize("name", OVER_UDP)
async def test_it_does_so_over_udp(quick_farm, watch, until, name):
    await check(TABLE[name], name, quick_farm, watch, until, **UDP)

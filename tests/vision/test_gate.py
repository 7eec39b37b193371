"""The gate on real encoded footage: what opens it, what shuts it, and that nothing is missed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perishield.model.media import TIMESCALE
from perishield.vision.gate import Gate, KeyFrames, PacketSizes, Reason, Resting
from perishield.vision.watch import CameraWatch, Due

FPS = 25
Record = Callable[..., Any]


def yard(seconds: float, walk: tuple[float, float] | None, seed: int = 1) -> Iterator[np.ndarray]:
    """A noisy yard; during `walk` somebody goes through it."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(90, 130, (48, 80, 1)).repeat(3, 2).repeat(4, 0).repeat(4, 1)
    for number in range(int(seconds * FPS)):
        picture = ground + rng.integers(-3, 4, ground.shape)
        moment = number / FPS
        if walk and walk[0] <= moment < walk[1]:
            x = int((moment - walk[0]) / (walk[1] - walk[0]) * 290)
            picture[70:90, x : x + 14] = 210
            picture[90:130, x : x + 14] = 30
        yield picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def watch_of() -> Iterator[Callable[..., CameraWatch]]:
    watches: list[CameraWatch] = []

    def make(root: Path, fps: float = 6.0, **gate: Any) -> CameraWatch:
        watches.append(CameraWatch(root, fps, gate=Gate(**gate)))
        return watches[-1]

    yield make
    for watch in watches:
        watch.close()


def taken(watch: CameraWatch, footage: Any, walk: tuple[float, float] = (0, 0)) -> list[Due]:
    """All pictures that were due; a detector that knows finds somebody in those during `walk`."""
    found = []
    for ref in footage.refs:
        for due in watch.take(ref):
            found.append(due)
            time = due.picture.stream_time
            if walk[0] <= time / TIMESCALE < walk[1]:
                x = time / TIMESCALE * 70 % 250
                watch.saw([(x, 70, x + 14, 130)], time)
    return found


def test_while_nothing_moves_only_key_frames_are_decoded(record: Record, watch_of: Any) -> None:
    footage = record(yard(24, None), gop=50)
    watch = watch_of(footage.root, warm_up_s=4.0)
    due = taken(watch, footage)
    late = [item for item in due if item.picture.stream_time > 8.5 * TIMESCALE]
    assert late
    assert not any(item.gate_open for item in late)
    assert all(item.picture.key for item in late)
    assert watch.decoder.counts.units < 8.5 * FPS + 10


def test_movement_between_key_frames_opens_it_and_is_seen_from_its_beginning(record: Record, watch_of: Any) -> None:
    footage = record(yard(24, (16.0, 20.0)), gop=75)
    watch = watch_of(footage.root, warm_up_s=4.0, hold_s=2.0)
    due = taken(watch, footage, (16.0, 20.0))
    assert watch.gate.reasons[Reason.PACKETS] > 0
    during = [item.picture.stream_time / TIMESCALE for item in due if 16 <= item.picture.stream_time / TIMESCALE < 20]
    assert during[0] < 16.2
    assert len(during) >= 22, "six pictures a second, caught up from the packets that were skipped at first"
    assert all(b > a for a, b in itertools.pairwise(due_times(due)))


def test_key_frames_alone_open_it_where_packets_tell_nothing(
    record: Record, watch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage = record(yard(24, (13.0, 21.0)), gop=50)
    watch = watch_of(footage.root, warm_up_s=4.0, hold_s=3.0)
    monkeypatch.setattr(PacketSizes, "grew", lambda self, ref, learn: False)
    due = taken(watch, footage, (13.0, 21.0))
    assert watch.gate.reasons[Reason.KEY_FRAME] > 0
    during = [time for time in due_times(due) if 13 <= time < 21]
    assert during[0] < 13.3, "the pictures between the key frames were looked at afterwards"
    assert len(during) >= 40
    assert all(b > a for a, b in itertools.pairwise(due_times(due)))


def due_times(due: list[Due]) -> list[float]:
    return [item.picture.stream_time / TIMESCALE for item in due]


def test_pictures_come_at_the_rate_of_analysis(record: Record, watch_of: Any) -> None:
    footage = record(yard(8, None), gop=50)
    for fps in (2.0, 6.0, 12.0, 100.0):
        due = taken(watch_of(footage.root, fps, warm_up_s=60.0), footage)
        assert len(due) == pytest.approx(min(fps, FPS) * 8, rel=0.06)


def test_when_the_gate_opened_does_not_decide_which_pictures_are_looked_at(record: Record, watch_of: Any) -> None:
    footage = record(yard(24, (15.0, 20.0)), gop=50)
    every = set(due_times(taken(watch_of(footage.root, 6.0, warm_up_s=60.0), footage, (15.0, 20.0))))
    gated = taken(watch_of(footage.root, 6.0, warm_up_s=2.0, hold_s=1.5), footage, (15.0, 20.0))
    again = {time for time in due_times([due for due in gated if due.gate_open]) if time > 12}
    assert len(again) >= 25
    assert again <= every


def test_objects_hold_it_open_and_rest_lets_it_shut() -> None:
    gate = Gate(hold_s=4.0, warm_up_s=0.0)
    gate.objects([(10, 10, 30, 60)], 100 * TIMESCALE)
    assert gate.is_open(103 * TIMESCALE)
    assert not gate.is_open(104 * TIMESCALE)
    for second in range(100, 160):
        gate.objects([(10 + second, 10, 30 + second, 60)], second * TIMESCALE)
    assert gate.is_open(162 * TIMESCALE)
    for second in range(160, 200):
        gate.objects([(300, 10, 330, 60)], second * TIMESCALE)
    assert not gate.is_open(190 * TIMESCALE)


def test_suspicion_opens_it_for_a_moment_and_nothing_found_makes_it_warier(rearranged: Any, record: Record) -> None:
    base = next(ref for ref in record(yard(2, None), gop=50).refs if not ref.key)
    rng = np.random.default_rng(4)
    gate = Gate(warm_up_s=0.0, probe_s=2.0)
    length = base.duration

    def run(chunks: int, since: int, large: float) -> list[bool]:
        states = []
        for index in range(chunks):
            mean = 3000 * (large if index < 4 else 1.0)
            sizes = tuple(int(size) for size in rng.normal(mean, 30, len(base.sizes)))
            told = rearranged(base, sizes=sizes, stream_time=since + index * length, key=index % 6 == 5)
            states.append(gate.chunk(told))
        return states

    run(200, 0, 1.0)
    # Every twenty seconds something waves that is nothing.
    opened = [any(run(60, (200 + 60 * turn) * length, 1.25)) for turn in range(30)]
    assert opened[0]
    assert sum(opened) < 15
    assert gate.reasons[Reason.PACKETS] == sum(opened)
    assert any(run(60, (200 + 60 * 30) * length, 2.5)), "what is larger still opens it all the same"


def test_what_waves_is_known_after_a_while_and_nothing_else_is_excused() -> None:
    keys = KeyFrames()
    rng = np.random.default_rng(6)
    still = rng.integers(80, 120, (90, 160)).astype(np.uint8)

    def waving(index: int) -> np.ndarray:
        shot = (still + rng.integers(-2, 3, still.shape)).clip(0, 255).astype(np.uint8)
        if index % 9 == 0:
            shot[40:48, 60:68] += 17
        return shot

    answers = []
    for index in range(200):
        answers.append(keys.differs(waving(index)))
        if answers[-1]:
            keys.settle(right=False)
    assert any(answers[:20])
    assert not any(answers[100:])
    someone = waving(1)
    someone[60:68, 100:104] = 20
    assert keys.differs(someone), "elsewhere it is as wary as ever"


def test_where_key_frames_are_seldom_it_does_not_shut(record: Record, watch_of: Any) -> None:
    footage = record(yard(24, None), gop=250)
    watch = watch_of(footage.root, warm_up_s=2.0)
    late = [time for time in due_times(taken(watch, footage)) if time > 7]
    assert watch.gate.reasons[Reason.SPARSE_KEYS] > 0
    assert max(b - a for a, b in itertools.pairwise(late)) < 0.5


def test_a_parked_car_does_not_hide_who_walks_by() -> None:
    resting = Resting()
    car = (100.0, 100.0, 200.0, 160.0)
    assert resting.moving([car], 0.0)
    assert not any(resting.moving([car], float(second)) for second in range(21, 60))
    assert resting.moving([car, (300.0, 100.0, 320.0, 160.0)], 60.0)


def test_leaves_taken_for_birds_wake_nobody_for_long() -> None:
    rng = np.random.default_rng(3)
    resting = Resting()
    resting.margin = 20.0
    tree = rng.uniform((900, 100), (1100, 250), (60, 2))
    awake = []
    for tick in range(1200):
        twigs = tree[rng.random(60) < 0.05] + rng.normal(0, 2, 2)
        boxes = [(x, y, x + wide, y + 9) for (x, y), wide in zip(twigs, rng.uniform(5, 8, len(twigs)), strict=True)]
        awake.append(resting.moving(boxes, tick / 5))
    assert sum(awake[:200]) > 100
    assert sum(awake[-600:]) < 12
    assert resting.moving([(980.0, 140.0, 1010.0, 225.0)], 240.0), "somebody before the tree"


def test_every_key_frame_is_compared_whatever_the_packets_say() -> None:
    rng = np.random.default_rng(5)
    keys = KeyFrames()
    still = rng.integers(80, 120, (90, 160)).astype(np.uint8)

    def shot(brighter: int = 0) -> np.ndarray:
        return (still + rng.integers(-2, 3, still.shape) + brighter).clip(0, 255).astype(np.uint8)

    keys.differs(shot())
    assert not any(keys.differs(shot()) for _ in range(10))
    assert not keys.differs(shot(brighter=6))
    someone = shot()
    someone[40:48, 61:64] = 20
    assert keys.differs(someone)


def test_steady_sizes_never_count_as_growth(rearranged: Any, record: Record) -> None:
    footage = record(yard(2, None), gop=50)
    base = next(ref for ref in footage.refs if not ref.key)
    sizes = PacketSizes()
    rng = np.random.default_rng(9)
    grew = []
    for _ in range(200):
        noisy = tuple(int(size) for size in rng.normal(3000, 60, len(base.sizes)))
        grew.append(sizes.grew(rearranged(base, sizes=noisy)))
    assert sum(grew) <= 4
    assert sizes.grew(rearranged(base, sizes=(4500,) * len(base.sizes))) or sizes.grew(
        rearranged(base, sizes=(4500,) * len(base.sizes))
    )

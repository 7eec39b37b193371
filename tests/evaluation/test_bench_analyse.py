"""How many cameras can be watched: the parts of it, and all of it on a small scale."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from perishield.evaluation import bench_analyse
from perishield.evaluation.footage_run import lay_down, looped, watch
from perishield.evaluation.quiet_footage import render_passing
from perishield.evaluation.texture_clip import read_packets
from perishield.model.media import TIMESCALE, ChunkRef
from perishield.vision.motion import MotionDetector

LOOP_S = 4.0


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ChunkRef]]:
    folder = tmp_path_factory.mktemp("passing")
    render_passing(folder / "passing.mp4", seconds=LOOP_S)
    video, packets = read_packets(folder / "passing.mp4")
    return folder, lay_down(video, looped(packets, 3 * LOOP_S), folder, "passing")


def test_every_camera_shows_the_scene_in_order_from_a_moment_of_its_own(passing: tuple[Path, list[ChunkRef]]) -> None:
    _, refs = passing
    plan = bench_analyse._plan(refs, 6, 10.0, 1000.0, LOOP_S)
    assert [when for when, _ in plan] == sorted(when for when, _ in plan)
    assert max(when for when, _ in plan) <= 1010.0
    firsts = {}
    for number in range(6):
        own = [ref for _, ref in plan if ref.camera == f"cam-{number}"]
        firsts[number] = own[0].stream_time
        assert own[0].key
        assert all(b.stream_time == a.stream_time + a.duration for a, b in itertools.pairwise(own))
        assert sum(ref.duration for ref in own) > 7 * TIMESCALE
    assert len(set(firsts.values())) == 2, "a scene of four seconds has two key frames"


def test_what_comes_first_is_looked_at_but_not_counted(passing: tuple[Path, list[ChunkRef]]) -> None:
    folder, refs = passing
    whole = watch(refs, [], MotionDetector(), folder, fps=5, gated=False)
    rest = watch(refs, [], MotionDetector(), folder, fps=5, gated=False, settle_s=2 * LOOP_S)
    assert whole.seconds == pytest.approx(3 * LOOP_S, abs=0.1)
    assert rest.seconds == pytest.approx(LOOP_S, abs=0.1)
    assert rest.pictures == pytest.approx(whole.pictures / 3, abs=2)


def test_a_few_cameras_are_sustained_and_a_file_that_is_no_network_is_told(
    tmp_path: Path, passing: tuple[Path, list[ChunkRef]]
) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no network at all")
    before = os.sched_getaffinity(0)
    figures = bench_analyse.run(
        [str(tmp_path / "broken.onnx"), "motion"],
        tmp_path,
        cores=1,
        seconds=3,
        loop_s=LOOP_S,
        settle_s=LOOP_S,
        alone_s=LOOP_S,
        most=2,
        clip=passing[0] / "passing.mp4",
    )
    assert os.sched_getaffinity(0) == before
    broken, motion = figures["models"]
    assert broken["model"] == "broken.onnx"
    assert "broken.onnx" in broken["refused"]
    assert motion["cpu_ms_per_camera_s"] > 0
    assert motion["ratio"] == pytest.approx(
        motion["cpu_ms_per_camera_s_plain"] / motion["cpu_ms_per_camera_s"], rel=0.02
    )
    assert 0 < motion["open_share"] <= 1
    assert [one["cameras"] for one in motion["tries"]] in ([1], [2], [2, 1])
    assert motion["tries"][-1]["pictures"] > 0
    assert (motion["cameras"] is not None) == motion["tries"][-1]["sustained"]

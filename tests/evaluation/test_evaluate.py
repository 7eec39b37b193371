from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from perishield.evaluation.clip_run import screen_directions
from perishield.evaluation.dataset import LabelledLine
from perishield.evaluation.evaluate import evaluate
from perishield.model.errors import DatasetError, ModelError


def render(path: Path, walks: list[tuple[float, float]], *, fps: int = 15, seconds: float = 6) -> None:
    """A textured block goes from left to right through a still yard during each of `walks` (start, end seconds)."""
    rng = np.random.default_rng(1)
    yard = np.kron(rng.integers(90, 130, (18, 32)), np.ones((10, 10))).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", fps)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(round(fps * seconds)):
            picture = yard.copy()
            for start, end in walks:
                share = (index / fps - start) / (end - start)
                if 0 <= share <= 1:
                    left = round(share * 290)
                    picture[70:130, left : left + 24] = np.where(np.arange(60)[:, None] % 12 < 6, 30, 230)
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[:, :, None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def dataset(folder: Path, **changes: Any) -> Path:
    clip = {
        "file": "yard.mp4",
        "width": 320,
        "height": 180,
        "fps": 15,
        "frames": 90,
        "lines": [{"id": "middle", "p1": [160, 20], "p2": [160, 179]}],
        "zones": [],
        "events": [{"rule": "middle", "type": "line_cross", "direction": "right", "t": 3.54, "tol_s": 0.4}],
    } | changes
    path = folder / "events.json"
    path.write_text(json.dumps({"clips": [clip]}))
    return path


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip in which somebody walks through from second 2 to 5."""
    folder = tmp_path_factory.mktemp("yard")
    render(folder / "yard.mp4", [(2, 5)])
    return folder


@pytest.mark.parametrize("fps", [None, 7.5])
def test_the_motion_detector_finds_the_walk(yard: Path, fps: float | None) -> None:
    shares: list[float] = []
    result = evaluate(dataset(yard), "motion", fps=fps, progress=shares.append)
    assert (result["recall"], result["precision"], result["false_alarms"], result["events"]) == (1, 1, 0, 1)
    assert result["mean_dt_s"] < 0.4
    assert result["cpu_ms_per_frame"] > 0
    (clip,) = result["clips"]
    assert (clip["file"], clip["found"], clip["missed"], clip["frames"]) == ("yard.mp4", 1, 0, 90)
    assert clip["analysed"] == (90 if fps is None else 45)
    assert clip["found_events"][0]["direction"] == "right"
    assert clip["found_events"][0]["label"] == "motion"
    assert clip["warnings"] == []
    assert shares == sorted(shares)
    assert shares[-1] == 1
    json.dumps(result)


def test_what_nobody_expects_is_a_false_alarm(yard: Path) -> None:
    result = evaluate(dataset(yard, events=[], expect_no_person_events=True), "motion")
    assert (result["recall"], result["events"], result["false_alarms"]) == (None, 0, 1)
    assert result["clips"][0]["false_events"][0]["rule"] == "middle"


def test_an_unlabelled_clip_is_run_but_not_scored(yard: Path) -> None:
    (clip,) = evaluate(dataset(yard, events=None), "motion")["clips"]
    assert (clip["labelled"], clip["false_alarms"], clip["unscored"], clip["frames"]) == (False, 0, 1, 90)


def test_a_clip_unlike_its_description_is_warned_of(yard: Path) -> None:
    other = dataset(yard, sha256="0" * 64, frames=80, width=640, height=360, lines=[], events=[])
    assert len(evaluate(other, "motion")["clips"][0]["warnings"]) == 3


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "yard.mp4").write_bytes(b"nothing to see" * 100)
    with pytest.raises(DatasetError, match=r"yard\.mp4"):
        evaluate(dataset(tmp_path), "motion")


def test_a_missing_model_is_said(yard: Path) -> None:
    with pytest.raises(ModelError):
        evaluate(dataset(yard), "none.onnx")


@pytest.mark.parametrize(
    ("start", "end", "direction", "expected"),
    [
        ((400, 0), (400, 431), "right_to_left", ("right",)),
        ((400, 0), (400, 431), "left_to_right", ("left",)),
        ((400, 431), (400, 0), "left_to_right", ("right",)),
        ((0, 200), (639, 200), "left_to_right", ("down",)),
        ((0, 200), (639, 330), "right_to_left", ("up",)),
        ((0, 100), (100, 0), "left_to_right", ("down", "right")),
        ((0, 100), (100, 0), "right_to_left", ("left", "up")),
    ],
)
def test_screen_directions(
    start: tuple[float, float], end: tuple[float, float], direction: str, expected: tuple[str, ...]
) -> None:
    found = screen_directions(LabelledLine("l", start, end), direction)
    assert sorted(found) == sorted(expected)
    if not math.isclose(abs(start[0] - end[0]), abs(start[1] - end[1])):
        assert found[0] == expected[0]


@pytest.mark.devset
def test_the_development_set_with_a_network(devset: Path) -> None:
    result = evaluate(devset / "events.json", str(devset / "models" / "yolox_nano_416.onnx"), fps=6)
    assert (result["recall"], result["false_alarms"], result["events"]) == (1.0, 0, 6)

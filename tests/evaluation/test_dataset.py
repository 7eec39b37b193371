from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perishield.evaluation.dataset import read_dataset
from perishield.model.errors import DatasetError

CLIP: dict[str, Any] = {
    "file": "clips/yard.mp4",
    "sha256": "AB",
    "width": 640,
    "height": 360,
    "fps": 25.0,
    "frames": 100,
    "lines": [{"id": "gate", "p1": [100, 0], "p2": [100, 359]}],
    "zones": [{"id": "roof", "polygon": [[0, 0], [50, 0], [50, 50]]}],
    "events": [
        {"rule": "gate", "type": "line_cross", "person": "P1", "direction": "left", "t": 1.5, "tol_s": 0.4},
        {"rule": "roof", "type": "zone_enter", "t": 2, "tol_s": 0.5},
    ],
    "notes": "whatever else is written",
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "yard.mp4").write_bytes(b"not opened here")

    def write(value: Any) -> Path:
        path = tmp_path / "events.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write


def test_everything_is_read(written: Callable[[Any], Path], tmp_path: Path) -> None:
    (clip,) = read_dataset(written({"schema": {}, "version": 1, "clips": [CLIP]}))
    assert clip.path == tmp_path / "clips" / "yard.mp4"
    assert (clip.width, clip.height, clip.fps, clip.frames, clip.sha256) == (640, 360, 25.0, 100, "ab")
    assert clip.lines[0].end == (100, 359)
    assert clip.zones[0].polygon[2] == (50, 50)
    assert clip.events is not None
    assert (clip.events[0].direction, clip.events[0].tolerance_s, clip.events[1].direction) == ("left", 0.4, None)
    assert not clip.expect_no_person_events


def test_unlabelled_and_empty_are_different_things(written: Callable[[Any], Path]) -> None:
    clips = [CLIP | {"events": None}, CLIP | {"events": []}, {k: v for k, v in CLIP.items() if k != "events"}]
    assert [clip.events for clip in read_dataset(written({"clips": clips}))] == [None, (), None]


def test_only_file_and_size_are_needed(written: Callable[[Any], Path]) -> None:
    (clip,) = read_dataset(written({"clips": [{"file": "clips/yard.mp4", "width": 1, "height": 1}]}))
    assert (clip.fps, clip.frames, clip.lines, clip.events) == (0, 0, (), None)


def changed(path: str, value: Any) -> dict[str, Any]:
    clip = copy.deepcopy(CLIP)
    target: Any = clip
    *way, last = path.split("/")
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return {"clips": [clip]}


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("file", "clips/gone.mp4", "clips[0].file"),
        ("file", 3, "clips[0].file"),
        ("width", 0, "clips[0].width"),
        ("height", "tall", "clips[0].height"),
        ("fps", -1, "clips[0].fps"),
        ("lines", "none", "clips[0].lines"),
        ("lines/0/p1", [1], "clips[0].lines[0].p1"),
        ("lines/0/p2", [100, 0], "clips[0].lines[0].p2"),
        ("lines/0/id", "roof", "clips[0].lines"),
        ("zones/0/polygon", [[0, 0], [1, 1]], "clips[0].zones[0].polygon"),
        ("zones/0/polygon", None, "clips[0].zones[0].polygon"),
        ("events/0/type", "jump", "clips[0].events[0].type"),
        ("events/0/rule", "roof", "clips[0].events[0].rule"),
        ("events/1/rule", "cellar", "clips[0].events[1].rule"),
        ("events/0/direction", "north", "clips[0].events[0].direction"),
        ("events/0/t", None, "clips[0].events[0].t"),
        ("events/0/tol_s", 0, "clips[0].events[0].tol_s"),
        ("events", 5, "clips[0].events"),
    ],
)
def test_what_is_wrong_is_named(written: Callable[[Any], Path], path: str, value: Any, field: str) -> None:
    file = written(changed(path, value))
    with pytest.raises(DatasetError) as caught:
        read_dataset(file)
    assert caught.value.params["field"] == field
    assert str(file) in str(caught.value)
    assert field in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clips": []}', '{"clips": {}}', "{nonsense", '{"clips": [3]}'])
def test_what_is_no_dataset_is_said(written: Callable[[Any], Path], text: str) -> None:
    with pytest.raises(DatasetError):
        read_dataset(written(text))


def test_a_missing_or_binary_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        read_dataset(tmp_path / "none.json")
    (tmp_path / "clip.mp4").write_bytes(bytes(range(256)))
    with pytest.raises(DatasetError):
        read_dataset(tmp_path / "clip.mp4")


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.sampled_from(["width", "fps", "lines", "zones", "events", "lines/0/p1", "zones/0/polygon", "events/0/t"]), _json
)
def test_any_value_is_read_or_refused(written: Callable[[Any], Path], path: str, value: Any) -> None:
    file = written(changed(path, value))
    refusal = None
    try:
        read_dataset(file)
    except DatasetError as error:
        refusal = error
    assert refusal is None or str(refusal.params["field"]).startswith("clips[0].")

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_scene import WALL, record

from perishield.evaluation.recorded_pictures import recorded_pictures
from perishield.evaluation.texture_clip import write_clip
from perishield.model.errors import StorageError


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    write_clip(folder / "clip.mp4", width=320, height=192, fps=10, seconds=20, bitrate=300_000, gop_s=1.0)
    record(folder / "media", folder / "clip.mp4", "gate")
    return folder / "media"


def test_key_frames_of_the_time_asked_for_take_turns(media: Path) -> None:
    found = recorded_pictures(media, "gate", WALL, WALL + 20, 100)
    assert len(found.calibrate) + len(found.compare) == 20
    numbers = [picture.stream_time for picture in found.calibrate], [picture.stream_time for picture in found.compare]
    assert not set(numbers[0]) & set(numbers[1])
    assert numbers[0][0] == 0
    assert len(numbers[1]) == pytest.approx(10, abs=2)
    assert found.calibrate[0].width == 320


def test_few_of_many_are_spread_over_the_whole_time(media: Path) -> None:
    found = recorded_pictures(media, "gate", WALL + 4, WALL + 16, 3)
    assert len(found.calibrate) == len(found.compare) == 3


@pytest.mark.parametrize(("camera", "start", "end"), [("gate", 100, 120), ("yard", 0, 20), ("gate", 3.1, 3.9)])
def test_a_time_without_footage_is_told(media: Path, camera: str, start: float, end: float) -> None:
    with pytest.raises(StorageError, match=camera):
        recorded_pictures(media, camera, WALL + start, WALL + end, 10)

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from perishield.model.errors import ModelError
from perishield.vision.calibration_pictures import by_turns, kept, pictures_in
from perishield.vision.onnx_model import as_picture


def clip(path: Path, count: int, width: int = 64, height: int = 48) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            picture = np.full((height, width, 3), 40 + 2 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def still(path: Path, grey: int) -> None:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_clip_calibrates_with_its_beginning_and_compares_with_its_end(tmp_path: Path) -> None:
    clip(tmp_path / "one.mp4", 80)
    found = pictures_in(tmp_path / "one.mp4", 10)
    first = [picture.stream_time for picture in found.calibrate]
    second = [picture.stream_time for picture in found.compare]
    assert len(first) == 10
    assert len(second) >= 9
    assert max(first) + 4 < min(second), "not the next picture either"


def test_stills_take_turns_by_runs_and_what_is_no_picture_is_left_out(tmp_path: Path) -> None:
    for number in range(16):
        still(tmp_path / f"{number:02}.png", 10 * number)
    (tmp_path / "notes.txt").write_text("no picture")
    found = pictures_in(tmp_path, 8)
    names = [picture.camera for picture in found.calibrate], [picture.camera for picture in found.compare]
    assert names[0] == ["00.png", "01.png", "04.png", "05.png", "08.png", "09.png", "12.png", "13.png"]
    assert names[1] == ["02.png", "03.png", "06.png", "07.png", "10.png", "11.png", "14.png", "15.png"]


def test_no_more_than_asked_for_from_many_clips(tmp_path: Path) -> None:
    for number in range(5):
        clip(tmp_path / f"{number}.mp4", 30)
    found = pictures_in(tmp_path, 7)
    assert len(found.calibrate) == 7
    assert len({picture.camera for picture in found.calibrate}) == 5
    assert len(found.compare) <= 7


@pytest.mark.parametrize("count", [0, 1])
def test_one_picture_is_not_enough(tmp_path: Path, count: int) -> None:
    for number in range(count):
        still(tmp_path / f"{number}.png", 100)
    with pytest.raises(ModelError, match="two at least"):
        pictures_in(tmp_path, 8)


def test_pictures_of_few_moments_still_have_both_purposes() -> None:
    pictures = [as_picture(np.zeros((48, 64, 3), np.uint8), stream_time=number) for number in range(3)]
    found = by_turns(pictures)
    assert [one.stream_time for one in found.calibrate] == [0, 2]
    assert [one.stream_time for one in found.compare] == [1]


def test_wide_pictures_are_held_smaller() -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((2160, 3840, 3), np.uint8), format="rgb24")
    small = kept(frame, "gate", 1)
    assert (small.width, small.height, small.frame.format.name) == (1280, 720, "yuv420p")

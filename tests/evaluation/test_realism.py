from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perishield.evaluation.realism import compare, shrunk
from perishield.model.errors import DatasetError
from perishield.vision.motion import MotionDetector


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("place", [(100.0, 60.0), (700.0, 400.0)])
def test_a_person_stays_under_his_box(share: float, place: tuple[float, float]) -> None:
    picture = np.full((480, 854, 3), 90, np.uint8)
    x, y = place
    box = np.array([x, y, x + 24, y + 60], np.float32)
    picture[int(y) : int(y) + 60, int(x) : int(x) + 24] = 250
    shown, where = shrunk(picture, box, share)
    assert shown.shape == (360, 640, 3)
    assert where[3] - where[1] == pytest.approx(60 * share, abs=1.5)
    column, row = int((where[0] + where[2]) / 2), int((where[1] + where[3]) / 2)
    assert shown[row, column, 0] > 220
    assert shown[row, max(0, int(where[0]) - 4), 0] < 120


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no \.mp4"):
        compare(tmp_path, MotionDetector())

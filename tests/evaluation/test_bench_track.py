from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from perishield.evaluation import bench_track, track_sensitivity
from perishield.model.errors import DatasetError

FILES = [*bench_track._SEQUENCES.values()]


def write_walkers(folder: Path, pictures: int = 30) -> None:
    """Three people in every sequence, detected as they are but for one picture in ten."""
    rng = np.random.default_rng(4)
    for truth, found in FILES:
        (folder / truth).parent.mkdir(exist_ok=True)
        true_rows, found_rows = [], []
        for picture in range(1, pictures + 1):
            for person in range(3):
                box = f"{40 + 3 * picture},{100 + 120 * person},40,100"
                true_rows.append(f"{picture},{person + 1},{box}")
                if rng.random() > 0.1:
                    found_rows.append(f"{picture},-1,{box},0.9")
        (folder / truth).write_text("\n".join(true_rows))
        (folder / found).write_text("\n".join(found_rows))


def test_every_key_is_there_and_missing_peers_are_named(tmp_path: Path) -> None:
    write_walkers(tmp_path)
    done: list[float] = []
    figures = bench_track.run(tmp_path, 1, progress=done.append)
    assert figures["idf1_campus"] > 90
    assert figures["hota_100"] > 80
    assert figures["id_switches_100"] == 0
    assert figures["us_per_frame_100"] > 0
    assert done[-1] == pytest.approx(1)
    for peer in ("trackers", "supervision"):
        if importlib.util.find_spec(peer) is None:
            assert figures[f"ratio_{peer}"] is None
            assert figures["peers"][peer] is None
            assert peer in figures["note"]
        else:
            assert figures[f"ratio_{peer}"] > 0


@pytest.mark.parametrize("line", ["1,2,x,4,5,6,0.5", "1,2,3", "1,2,nan,4,5,6,0.5"])
def test_a_line_that_is_no_box_is_named(tmp_path: Path, line: str) -> None:
    write_walkers(tmp_path)
    (tmp_path / "syn50.det.csv").write_text(line)
    with pytest.raises(DatasetError, match=r"syn50\.det\.csv"):
        bench_track.run(tmp_path, 1)


def test_a_folder_without_sequences_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--data"):
        bench_track.run(tmp_path, 1)


def test_settings_are_changed_one_at_a_time_at_each_rate(tmp_path: Path) -> None:
    write_walkers(tmp_path, pictures=40)
    done: list[float] = []
    figures = track_sensitivity.run(
        tmp_path,
        sequences=("campus", "100"),
        every=(1, 4),
        settings={"lost_s": (0.5,), "high": (0.95,), "tentative_s": (0.04, 9.0)},
        progress=done.append,
    )
    rows = {(row["fps"], row["setting"], row["value"]): row for row in figures["rows"]}
    assert len(rows) == len(figures["rows"]) == 10
    assert done[-1] == pytest.approx(1)
    assert rows[25.0, "as they are", None]["idf1_campus"] > 90
    assert rows[6.25, "as they are", None]["idf1_campus"] > 80
    assert rows[25.0, "high", 0.95]["idf1_100"] == 0, "nobody is that sure, so nobody is followed"
    assert rows[25.0, "tentative_s", 0.04] != rows[25.0, "tentative_s", 9.0]
    walkers = bench_track.read(tmp_path, "campus")
    assert len(track_sensitivity.thinned(walkers, 4).truth) == 10


@pytest.mark.devset
def test_people_on_real_streets_and_in_crowds_are_followed(devset: Path) -> None:
    for name, least in (("campus", 67.0), ("stadtmitte", 75.0)):
        assert 100 * bench_track.follow(bench_track.ours(), bench_track.read(devset / "mot", name)).idf1 >= least
    crowd = bench_track.follow(bench_track.ours(), bench_track.read(devset / "mot", "50"))
    assert 100 * crowd.hota >= 66
    assert crowd.switches <= 10

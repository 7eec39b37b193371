from __future__ import annotations

import time
from pathlib import Path

import pytest

from perishield.evaluation import bench_ingest
from perishield.model.errors import ConfigError, PeriShieldError
from perishield.model.footage import Reason
from perishield.streams.journal import Journal

pytestmark = pytest.mark.long


@pytest.mark.real("ffmpeg")
def test_both_record_every_camera_and_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ingest, "_SETTLE_S", 0.5)
    shares: list[float] = []
    figures = bench_ingest.run(2, 2.0, "ffmpeg", shares.append)
    assert figures["frames"] >= 2 * 25 * 2
    assert (figures["frames_lost"], figures["lost"]) == (0, {})
    assert figures["peer_processes"] == 2
    assert figures["cpu_ratio"] == pytest.approx(figures["cpu_cores"] / figures["peer_cpu_cores"], rel=0.1)
    assert figures["pss_ratio"] == pytest.approx(figures["pss_mb"] / figures["peer_pss_mb"], rel=0.1)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.real("ffmpeg")
def test_both_record_over_udp_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ingest, "_SETTLE_S", 0.5)
    figures = bench_ingest.run(2, 2.0, "ffmpeg", transport="udp")
    assert figures["transport"] == "udp"
    assert figures["frames"] >= 2 * 25 * 2
    assert figures["frames_lost"] == 0


@pytest.mark.real("ffmpeg")
def test_both_record_h265_with_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ingest, "_SETTLE_S", 0.5)
    figures = bench_ingest.run(2, 4.0, "ffmpeg", codec="h265", audio=True)
    assert (figures["codec"], figures["audio"]) == ("h265", True)
    assert figures["frames"] >= 2 * 25 * 4
    assert figures["frames_lost"] == 0
    assert figures["sound_frames"] >= 2 * 15 * 3
    assert figures["sound_lost"] <= 2


def test_somebody_looks_at_a_camera_that_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ingest, "_SETTLE_S", 0.5)
    figures = bench_ingest.run(2, 4.0, "none", viewers=1)
    delay = figures["view_delay_ms"]
    assert 0 < delay["p50"] <= delay["p95"] < 5000
    # Low delay was asked for and given: five chunks a second, not two.
    assert delay["chunks"] >= 12
    assert figures["frames_lost"] == 0


def test_frames_that_are_missing_are_explained_by_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.start()
    now = time.time()
    journal.note("cam-0", "recording", wall=now - 9)
    journal.span("cam-0", now - 8, now - 6, Reason.LOSS)
    journal.note("cam-1", Reason.DISK, "overload", wall=now - 7)
    journal.note("cam-2", "recording", wall=now - 9)
    journal.close()
    lost = bench_ingest._explained(tmp_path / "journal", {"cam-0": 50, "cam-1": 7})
    assert {camera: found["frames"] for camera, found in lost.items()} == {"cam-0": 50, "cam-1": 7}
    states = {
        camera: [(entry["state"], entry["detail"]) for entry in found["journal"]] for camera, found in lost.items()
    }
    assert states == {"cam-0": [("recording", ""), ("loss", "")], "cam-1": [("disk", "overload")]}


def test_a_missing_peer_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PeriShieldError, match="apt install ffmpeg") as caught:
        bench_ingest.run(1, 1.0, "ffmpeg")
    assert caught.value.code == "peer_missing"


@pytest.mark.parametrize(("cameras", "seconds", "peer"), [(0, 1.0, "none"), (1, 0.0, "none"), (1, 1.0, "vlc")])
def test_arguments_that_make_no_sense_are_refused(cameras: int, seconds: float, peer: str) -> None:
    with pytest.raises(ConfigError, match="bench ingest"):
        bench_ingest.run(cameras, seconds, peer)


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ConfigError, match="bench ingest"):
        bench_ingest.run(1, 1.0, "none", transport="pigeon")


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ConfigError, match="bench ingest"):
        bench_ingest.run(1, 1.0, "none", codec="theora")

"""`perishield ledger` and `perishield recordings` as somebody runs them: on a data folder, without a server."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import perishield

from perishield.evaluation.texture_clip import read_packets, write_clip
from perishield.model.media import TIMESCALE, Packet, SegmentRow
from perishield.streams.chunker import Chunker
from perishield.streams.segments import MediaRoot, SegmentWriter


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, width=192, height=128, seconds=8, bitrate=200_000, gop_s=1.0)
    return path


class Folder:
    """A data folder with eight seconds of footage that began ten minutes ago, and the journal of it."""

    def __init__(self, data: Path, clip: Path) -> None:
        self.data = data
        self.wall = float(int(time.time()) - 600)
        self.rows: list[SegmentRow] = []
        video, packets = read_packets(clip)
        writer = SegmentWriter(MediaRoot(data / "media"), "gate", "recordings", 2.0, self.rows.append, lambda _: None)
        chunker = Chunker("gate", 3, writer, lambda _: None)
        chunker.format(video)
        for packet in packets:
            moment = self.wall + packet.dts / TIMESCALE
            chunker.packet(Packet(packet.data, packet.size, packet.dts, packet.pts, packet.key, moment, moment))
        chunker.close()
        for row in self.rows:
            os.utime(data / "media" / row.path, (self.wall, self.wall))
        (data / "journal").mkdir()
        for offset, camera, state in ((-5, "", "started"), (-4, "gate", "recording"), (8, "gate", "camera_down")):
            moment = self.wall + offset
            line = {"wall": moment, "mono": moment, "boot": "b", "camera": camera, "state": state, "detail": ""}
            day = time.strftime("%Y-%m-%d", time.gmtime(moment))
            with (data / "journal" / f"{day}.ndjson").open("a") as file:
                file.write(json.dumps(line) + "\n")


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Folder:
    return Folder(tmp_path / "data", clip)


def test_the_ledger_needs_nothing_but_the_folder(folder: Folder) -> None:
    code, out, err = perishield(
        "ledger", "--camera", "gate", "--data", folder.data, "--from", folder.wall, "--to", folder.wall + 20, "--json"
    )
    assert (code, err) == (0, "")
    report: dict[str, Any] = json.loads(out)
    assert [(one["from_s"], one["to_s"], one["state"]) for one in report["spans"]] == [
        (folder.wall, folder.wall + 8, "recorded"),
        (folder.wall + 8, folder.wall + 20, "camera_down"),
    ]
    assert report["totals"] == {"recorded": 8.0, "camera_down": 12.0}
    code, out, _ = perishield("ledger", "--data", folder.data, "--from", folder.wall, "--to", folder.wall + 20)
    assert code == 0
    assert "gate" in out
    assert "40 %" in out


def test_times_are_checked_and_may_be_ages(folder: Folder) -> None:
    code, out, _ = perishield("ledger", "--camera", "gate", "--data", folder.data, "--from", "-15m", "--json")
    assert code == 0
    assert json.loads(out)["totals"]["recorded"] == 8.0
    code, _, err = perishield("ledger", "--camera", "gate", "--data", folder.data, "--from", "yesterday")
    assert (code, "--from: 'yesterday' is no time" in err) == (2, True)
    code, _, err = perishield("ledger", "--camera", "gate", "--data", folder.data, "--from", "9e9")
    assert (code, "future" in err) == (2, True)


def test_the_index_is_made_from_files_and_then_agrees_with_them(folder: Folder) -> None:
    code, out, _ = perishield("recordings", "verify", "--data", folder.data, "--json")
    assert (code, json.loads(out)["indexed"]) == (0, False), "looking makes no database"
    assert not (folder.data / "perishield.db").exists()
    code, out, _ = perishield("recordings", "reindex", "--data", folder.data, "--json")
    assert (code, json.loads(out)["added"]) == (0, len(folder.rows))
    code, out, _ = perishield("recordings", "verify", "--data", folder.data, "--deep", "--json")
    verdict = json.loads(out)
    assert (code, verdict["findings"], verdict["segments"]) == (0, [], len(folder.rows))


def test_a_finding_is_named_and_ends_with_one(folder: Folder) -> None:
    perishield("recordings", "reindex", "--data", folder.data)
    (folder.data / "media" / folder.rows[1].path).unlink()
    code, out, _ = perishield("recordings", "verify", "--data", folder.data, "--camera", "gate", "--json")
    assert code == 1
    assert {one["kind"] for one in json.loads(out)["findings"]} == {"no_segment", "gone"}
    code, out, _ = perishield("recordings", "verify", "--data", folder.data)
    assert (code, "2 findings" in out) == (1, True)
    code, _, err = perishield("recordings", "verify", "--data", folder.data / "elsewhere")
    assert (code, "no such folder" in err) == (2, True)

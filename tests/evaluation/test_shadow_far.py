"""Trials see as far as the live camera does: they look again at pieces of the picture, and along drawn lines."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from recorded_scene import WALL, record

from perishield.evaluation import bench_far
from perishield.evaluation.clip_run import rules_of
from perishield.evaluation.dataset import LabelledClip, read_dataset
from perishield.evaluation.recorded_chunks import chunk_refs
from perishield.evaluation.replay import Replay
from perishield.evaluation.shadow_plan import ShadowPlan
from perishield.evaluation.shadow_worker import order_for, work
from perishield.model.rules import Rule
from perishield.model.site import Analysis
from perishield.store.database import Database, sqlite_url
from perishield.vision.crops import FarSight, with_pieces
from perishield.vision.onnx_model import OnnxDetector

# Trials give way to whatever else the machine does.
pytestmark = [pytest.mark.devset, pytest.mark.timeout(400)]


class Far:
    """Somebody real who steps into the picture and crosses a line, 40 pixels tall in one of 1280 x 720; six seconds."""

    def __init__(self, folder: Path, devset: Path) -> None:
        self.model = devset / "models" / "yolox_nano_416.onnx"
        (clip,) = (clip for clip in read_dataset(devset / "events.json") if clip.file.endswith("table_a.mp4"))
        small = bench_far._shrunk(self._cut(clip, folder / "near.mp4"), 0.1, folder)
        (self.line,) = (replace(rule, camera="north") for rule in rules_of(small) if rule.id == "x400")
        self.data = folder / "data"
        self.media = self.data / "media"
        self.rows = record(self.media, small.path, "north")
        span = {"start": WALL, "end": WALL + 6}
        self.plan = ShadowPlan(camera="north", rules=(self.line,), analysis=Analysis(fps=6), **span)

    @staticmethod
    def _cut(clip: LabelledClip, path: Path) -> LabelledClip:
        """Seconds 5 to 11 of it: he comes in at 6, and is over the line by 7."""
        with av.open(str(clip.path)) as source, av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "12"})
            stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
            for number, frame in enumerate(itertools.islice(source.decode(video=0), 50, 110)):
                frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 10), 0
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return replace(clip, path=path, sha256="", frames=60)

    def looks(self, rules: Sequence[Rule]) -> int:
        """How many pieces are looked at with these rules."""
        eyes = with_pieces(OnnxDetector(self.model), 2)
        assert isinstance(eyes, FarSight)
        replay = Replay(self.media, self.plan.settings, rules, eyes)
        for ref in chunk_refs(self.media, self.rows, WALL, WALL + 6):
            for _ in replay.take(ref):
                pass
        replay.close()
        return eyes.pieces


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, devset: Path) -> Far:
    return Far(tmp_path_factory.mktemp("far"), devset)


def test_who_is_far_is_found_as_live_by_a_second_look(far: Far, tmp_path: Path) -> None:
    folders = {"media_dir": far.media, "models_dir": tmp_path, "folder": tmp_path}
    order = order_for(far.plan, [], detector=str(far.model), pieces=2, **folders)
    result = work(order)
    assert (result["pieces"], result["would"]) == (2, 1)
    assert [alarm["label"] for alarm in result["alarms"]] == ["person"]


async def test_the_command_line_takes_the_second_look_of_the_settings(far: Far, tmp_path: Path) -> None:
    await (await Database.open(sqlite_url(far.data / "perishield.db"))).close()
    rule, config = tmp_path / "line.json", tmp_path / "perishield.toml"
    rule.write_text(json.dumps({"kind": "tripwire", "line": far.line.line}))
    command = [sys.executable, "-m", "perishield", "shadow", "--rule", rule, "--model", far.model, "--camera", "north"]
    command += ["--from", WALL, "--to", WALL + 6, "--data", far.data, "--config", config, "--json"]
    for pieces in (0, 1):
        config.write_text(f"[vision]\npieces = {pieces}\n")
        told = subprocess.run(list(map(str, command)), capture_output=True, check=True, timeout=300).stdout
        result = json.loads(told)
        assert (result["pieces"], result["would"]) == (pieces, pieces)


def test_a_trial_looks_along_the_lines_that_are_tried(far: Far) -> None:
    assert far.looks([far.line]) > far.looks([])
